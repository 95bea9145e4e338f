"""The statements of a random program: plain ones, casts and arithmetic, lone pieces, drops, copies, optional families, block scales,
stars, a second map behind a hub, and the blocks around them."""
from .sides import PIECE, GTerm, Unit, Wrap
from .typed import ALL, FLOATS, Builder, Reject

# How often a feature is tried; --tune NAME=P changes one.
TUNE = {'compose': 0.25, 'itself': 0.12, 'source_mesh': 0.45, 'target_mesh': 0.7, 'place': 0.45, 'pad': 0.25, 'cut': 0.75, 'stored': 0.1,
        'cast': 0.15, 'arith': 0.1, 'normalize': 0.03, 'pieces': 0.12, 'drop': 0.15, 'create': 0.15, 'copy': 0.12, 'tied': 0.12, 'optional': 0.12,
        'for': 0.2, 'if': 0.15, 'guard': 0.1, 'inline': 0.15, 'untyped': 0.1, 'states': 0.32, 'zero': 0.7, 'scalar': 0.5, 'only': 0.1,
        'ranks': 0.12, 'dtype': 0.06, 'overlay': 0.1, 'import': 0.06, 'noise': 0.1, 'local': 0.3, 'blocks': 0.08, 'on': 0.3, 'mean': 0.03,
        'repeat': 0.3, 'explicit': 0.35, 'star': 0.08, 'braces': 0.4, 'number': 0.04, 'counts': 0.3, 'spelling': 0.15, 'told': 0.3,
        'family': 0.05, 'default_block': 0.05, 'fill': 0.4, 'unknown': 0.08, 'replace': 0.6}


def has_pad(n):
    """Whether there is padding in an axis."""
    if n[0] in ('prod', 'sum'): return any(has_pad(k) for k in n[1])
    return n[0] == 'pad' or (n[0] == 'cut' and has_pad(n[1]))


class Units(Builder):
    def __init__(self, seed, tune):
        super().__init__(seed)
        self.p = {**TUNE, **tune}
        self.features, self.config = [], {}

    def some(self, feature):
        """Whether a feature is drawn; those that are stand in the first line of the rules."""
        hit = self.rng.random() < self.p[feature]
        if hit: self.features.append(feature)
        return hit

    def used(self):
        """Dimensions of the program, literals left out."""
        return [v for v in self.vars if v in self.world.extents]

    def plain_unit(self):
        u = self.unit()
        u.elem, u.kind = self.rng.choice(ALL), 'any'
        if self.some('cast'): self.cast_unit(u)
        elif self.some('arith'): self.arithmetic(u)
        elif self.some('normalize'): self.normalise(u)
        elif self.chance(0.3): self.declare_dtypes(u)
        if self.some('pieces'): self.lone_piece(u)
        for t in u.terms(): t.elem = u.elem
        for t in u.rights:
            if t is not PIECE: t.elem = getattr(u, 'result', u.elem)
        return u

    def declare_dtypes(self, u):
        for side in (u.lefts, u.rights):
            if self.chance(0.6):
                for t in side: t.dtype = u.elem

    def cast_unit(self, u):
        src, dst = self.rng.sample(['f32', 'bf16', 'f16', 'f64', 'f8_e4m3', 'f8_e5m2'], 2)
        u.elem, u.result, u.one_way = src, dst, True
        mode = self.rng.choice(['tame', 'saturate', 'inf'])
        u.kind = 'tame' if mode == 'tame' or dst == 'f8_e4m3' and mode == 'inf' else 'wild'
        if u.kind == 'wild': u.attrs.append(f'cast={mode}')
        for t in u.rights: t.dtype = dst
        if self.chance(0.5):
            for t in u.lefts: t.dtype = src
            u.pair = self.chance(0.5)

    def arithmetic(self, u):
        u.elem, u.kind = self.rng.choice(FLOATS), 'tame'
        which = self.rng.randint(1, 3)
        if which & 1: u.attrs.append(f'scale={self.rng.choice(["2", "0.5", "-1", "0.1", "3", "1.25"])}')
        if which & 2: u.attrs.append(f'offset={self.rng.choice(["1", "-1", "0.5", "0.1"])}')

    def normalise(self, u):
        common = [v for v in sorted(frozenset.intersection(*[p for t in u.terms() for p in t.pieces])) if not any(v in t.names for t in u.terms())]
        if not common: return
        u.elem, u.kind, u.one_way = self.rng.choice(['f32', 'bf16', 'f16']), 'tame', True
        u.attrs.append(f'normalize={self.rng.choice(common)}')

    def lone_piece(self, u):
        """`_` among several tensors, on one side."""
        side, other = (u.lefts, u.rights) if self.chance(0.5) else (u.rights, u.lefts)
        single = [i for i, t in enumerate(side) if len(t.pieces) == 1]
        if len(side) < 2 or not single or any('normalize' in a for a in u.attrs): return
        side[self.rng.choice(single)] = PIECE
        if side is u.lefts and self.chance(0.6): u.attrs.append(f'fill={self.fill_value(getattr(u, "result", u.elem))}')
        if side is u.rights:                     # a target tensor of nothing but the lost piece would be no tensor
            return

    def fill_value(self, elem):
        if elem == 'bool': return '1'
        if elem[0] in 'iu': return str(self.rng.choice([1, 3, 7] + ([-2] if elem[0] == 'i' else [])))
        return self.rng.choice(['1', '-2', '0.5', '1.5', '3'])

    def special_units(self):
        if self.some('drop'): self.units.append(self.data_unit(self.grouping(self.pieces()[0])[:1], [PIECE]))
        if self.some('create'):                  # dropped again if states are carried
            t = self.term([self.draw(self.vars, 0, 2)])
            u = self.data_unit([PIECE], [t])
            t.dtype = u.elem
            if self.chance(0.6): u.attrs.append(f'fill={self.fill_value(u.elem)}')
            self.units.append(u)
        if self.some('copy'):
            pieces, grid = self.pieces()
            left = self.term(pieces, grid)
            u = self.data_unit([left], [self.term(pieces, grid, keep=left.names) for _ in range(self.rng.randint(1, 3))])
            u.one_way = True
            u.attrs.append('copy')
            self.units.append(u)
        if self.some('optional'): self.optional_unit()
        if not self.itself and self.some('star'): self.star_unit()
        if not self.itself and not self.compose and self.some('unknown'): self.unknown_unit()
        if not self.itself and not self.compose and self.some('blocks'): self.block_unit()

    def data_unit(self, lefts, rights):
        u = Unit(lefts, rights)
        u.elem, u.kind = self.rng.choice(ALL), 'any'
        for t in u.terms(): t.elem = u.elem
        return u

    def optional_unit(self):
        """A family that is optional on both sides; some members are absent."""
        v = next((v for v in self.vars if 0 < self.world.extents.get(v, 0) <= 5), None)
        if v is None: return
        rest = self.draw([x for x in self.vars if x != v], 0, 2)
        make = lambda: GTerm(self.stem(), [v], self.shaper.axes_for([rest]), [rest | {v}])
        u = self.data_unit([make()], [make()])
        for t in u.terms(): t.optional = True
        u.absent = self.rng.choice(['all', 'some', 'none', 'some'])
        self.units.append(u)

    def block_unit(self):
        """A weight with block scales on both sides, cut and transposed where the blocks allow it."""
        dims = [v for v in self.vars if self.world.extents.get(v, 0) in (2, 4, 6)]
        if len(dims) < 2: return
        f, h = dims[:2]
        sizes = {f: 2, h: self.rng.choice([1, 2])}
        kinds = self.rng.choice(['same', 'transposed', 'fused'])
        terms, lefts = [], 2 if kinds == 'fused' else 1
        for _ in range(lefts): terms.append(GTerm(self.stem(), [], [('name', f), ('name', h)], [frozenset({f, h})]))
        if kinds == 'fused': right = GTerm(self.stem(), [], [('sum', (('name', f), ('name', f))), ('name', h)], [frozenset({f, h})] * 2)
        else: right = GTerm(self.stem(), [], [('name', v) for v in ((h, f) if kinds == 'transposed' else (f, h))], [frozenset({f, h})])
        u = self.data_unit(terms, [right])
        u.elem = 'u8'
        for t in u.terms(): t.elem, t.fixed = 'u8', True
        order = [h, f] if kinds == 'transposed' else [f, h]
        for t, side, o in [(t, self.a, [f, h]) for t in terms] + [(right, self.b, order)]:
            s = GTerm(self.stem(), [], None, [])
            s.blocks, s.elem, s.grid = (t, [sizes[v] for v in o]), 'f32', [-(-self.world.extents[v] // sizes[v]) for v in o]
            side.loose.append(s)
        self.units.append(u)

    def compose_units(self):
        """The right sides so far belong to the hub; units of a second map lead on."""
        groups = {}
        for u in self.units:
            for t in u.rights:
                if t is not PIECE: groups.setdefault((t.elem, u.kind, t.optional), []).append(t)
        for (elem, kind, optional), terms in groups.items():
            if optional:
                for t in terms:
                    u = Unit([t], [self.term(t.pieces, keep=t.names)])
                    if set(u.rights[0].names) != set(t.names): raise Reject('an optional family that is stacked')
                    u.rights[0].optional = True
                    self.second.append(u)
            else: self.second += self.regroup(terms)
            for u in self.second:
                u.elem, u.kind = getattr(u, 'elem', elem), getattr(u, 'kind', kind)
                for t in u.rights: t.elem = u.elem
        if self.some('drop') and self.second:
            u = self.rng.choice(self.second)
            if len(u.lefts) == 1 and not u.lefts[0].optional: u.rights = [PIECE]

    def spelling(self):
        """Braces, and names that hold an extent."""
        for u in self.units + self.second:
            u.braces = self.some('braces')
            for t in u.terms():
                if not t.names and not t.quoted and not t.blocks and not getattr(t, 'literal', False) and self.some('number'):
                    v = self.rng.choice(self.used())
                    t.number = self.rng.choice([f'{v}', f'{v}+2', f'{v} * 2', f'max({v}, 3)'])
        for side in (self.a, self.h, self.b): side.braces = self.chance(0.5)

    def star_unit(self):
        """`stem.*.w` with the numbers that are there."""
        rest = self.draw([v for v in self.vars], 0, 2)
        numbers = sorted(self.rng.sample(range(13), self.rng.randint(1, 4)))
        pieces = self.small([rest] * len(numbers))
        stem, axes = self.stem(), self.shaper.axes_for([rest])
        lefts = [GTerm(f'{stem}.{n}.s', [], axes, [rest]) for n in numbers]
        u = self.data_unit(lefts, self.grouping(pieces))
        for t in lefts: t.inline = t.literal = t.fixed_inline = True
        u.left_text = f'{stem}.*.s ' + lefts[0].type_part().strip()
        self.units.append(u)

    def unknown_unit(self):
        """Axes `_`, whose extents only the checkpoint knows; the i-th on one side is the i-th on the other."""
        known = sorted(self.draw(self.used(), 0, 2))
        unknown = [('any', self.rng.choice([1, 2, 3, 5])) for _ in range(self.rng.randint(1, 2))]

        def term():
            axes = [('name', v) for v in self.rng.sample(known, len(known))]
            at = sorted(self.rng.randint(0, len(axes)) for _ in unknown)
            for i, node in reversed(list(zip(at, unknown))): axes.insert(i, node)
            t = GTerm(self.stem(), [], axes, [frozenset(known)])
            t.literal = True
            return t
        self.units.append(self.data_unit([term()], [term()]))

    def fills(self):
        """What the padding of the target's tensors is filled with."""
        for u in self.second if self.compose else self.units:
            padded = [t for t in u.rights if t is not PIECE and t.axes and not t.untyped and any(has_pad(a) for a in t.axes)]
            if not padded or any(a.startswith('fill=') for a in u.attrs) or not self.some('fill'): continue
            alone = len(u.rights) == 1 and padded[0].axes[0][0] == 'pad' and not any(has_pad(a) for a in [padded[0].axes[0][1]] + padded[0].axes[1:])
            if alone and self.chance(0.5): u.attrs.append('fill=last')
            else: u.attrs.append(f'fill={self.fill_value(getattr(u, "result", u.elem))}')

    def wraps(self):
        for u in self.units + self.second:
            common = [v for v in self.vars if u.terms() and all(v in t.names for t in u.terms()) and v in self.world.extents]
            alone = PIECE not in u.lefts + u.rights
            if common and not self.compose and alone and self.some('for'):
                v = self.rng.choice(common)
                n = self.world.extents[v]
                low = self.rng.randint(0, n - 1)
                u.wrap, u.span = Wrap(f'for {v} in {low}..{self.rng.choice([n, v, n])}'), (v, low)
            elif alone and self.some('if'): u.wrap = self.condition()

    def condition(self):
        """A condition that holds, or one that does not before the other branch."""
        self.dead += 1
        r, dead = self.rng, f'zz{self.dead}'
        self.config.update({'flag': True, 'kind': 'glm', 'count': 4, 'ratio': 0.5, 'off': False, 'deep': {'er': 2}})
        v = r.choice([x for x in self.vars if x in self.world.extents])
        n = self.world.extents[v]
        true = ['config.flag', 'config.kind == "glm"', 'config.count > 3 and not config.off', 'config.ratio < 1', f'{v} == {n}', f'{v} < {n + 1}',
                'not config.nothing', 'config.count >= config.deep.er * 2', 'config.kind != "bloom"', 'config.off or config.flag', 'true',
                f'{v} % {n + 1} == {n}', f'(config.off or {v} <= {n}) and config.deep.er == 2']
        false = ['config.off', 'config.nothing', 'config.kind == "bloom"', 'config.count < 3', f'{v} != {n}', 'config.nothing != "x"', 'false',
                 'config.off or config.flag and config.nothing', 'not config.flag', f'{v} > {n}', 'config.kind < 3']
        x = r.random()
        if x < 0.35: return Wrap(f'if {r.choice(true)}')
        if x < 0.7: return Wrap(f'if {r.choice(true)}', dead)
        return Wrap('', dead, f'if {r.choice(false)}')
