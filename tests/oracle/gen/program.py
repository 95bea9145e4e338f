"""One random typed program: topology, sides with meshes and places, statements of every kind, command line, checkpoint."""
import itertools, re
from . import unparse
from ..aoa_oracle import exprs, names as oracle_names
from ..aoa_oracle.scanner import Scanner
from .case import Case
from .sides import map_text
from .typed import ALL, FLOATS, LIMIT, PIECE, SPELLING, Builder, GPlace, GSide, GTerm, Knowledge, Reject, Tensor, Unit, Wrap, data, dtypes
from .unparse import bare

# How often a feature is tried; --tune NAME=P changes one.
TUNE = {'compose': 0.25, 'itself': 0.12, 'source_mesh': 0.45, 'target_mesh': 0.7, 'place': 0.45, 'pad': 0.25, 'cut': 0.75, 'stored': 0.1,
        'cast': 0.15, 'arith': 0.1, 'normalize': 0.03, 'pieces': 0.12, 'drop': 0.15, 'create': 0.15, 'copy': 0.08, 'tied': 0.12, 'optional': 0.12,
        'for': 0.12, 'if': 0.15, 'guard': 0.1, 'inline': 0.15, 'untyped': 0.1, 'states': 0.25, 'zero': 0.4, 'scalar': 0.5, 'only': 0.08,
        'ranks': 0.08, 'dtype': 0.06, 'overlay': 0.1, 'import': 0.06, 'noise': 0.1, 'local': 0.3, 'blocks': 0.08, 'on': 0.3, 'mean': 0.03,
        'repeat': 0.3, 'explicit': 0.35, 'star': 0.08, 'braces': 0.4, 'number': 0.04, 'counts': 0.3, 'spelling': 0.15, 'told': 0.3,
        'family': 0.05, 'default_block': 0.05}


class Program(Builder):
    def __init__(self, seed, tune):
        super().__init__(seed, tune)
        self.p = {**TUNE, **tune}
        self.features, self.options, self.config = [], [], {}

    def some(self, feature):
        hit = self.rng.random() < self.p[feature]
        if hit: self.features.append(feature)
        return hit

    # -- the whole ------------------------------------------------------------------------------------------------------

    def build(self):
        self.pool()
        self.compose = self.some('compose')
        self.itself = not self.compose and self.some('itself')
        self.a, self.h, self.b = GSide(self.rng.choice(['a', 'hf', 'left'])), GSide('hub'), GSide(self.rng.choice(['b', 'meg', 'right']))
        self.units = [self.plain_unit() for _ in range(self.rng.randint(1, 4))]
        self.special_units()
        self.second = []
        if self.compose: self.compose_units()
        self.spelling()
        self.wraps()
        if self.itself: self.b = self.a
        self.meshes()
        self.decorate()
        self.extras()
        self.state_roles()
        self.flipped = [self.chance(0.5), self.chance(0.5)]
        return self.finish()

    # -- units ------------------------------------------------------------------------------------------------------------

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

    # -- meshes and places ------------------------------------------------------------------------------------------------

    def terms_of(self, side):
        """Terms of units on a side."""
        out = []
        if side is self.a: out += [t for u in self.units for t in u.lefts]
        if side is self.h: out += [t for u in self.units for t in u.rights] if self.compose else []
        if side is self.b and not self.itself: out += [t for u in (self.second if self.compose else self.units) for t in u.rights]
        return [t for t in out if t is not PIECE]

    def meshes(self):
        if self.itself or self.some('source_mesh'): self.mesh(self.a)
        if not self.itself and self.some('target_mesh'): self.mesh(self.b)

    def mesh(self, side):
        r = self.rng
        side.mesh = r.sample(['tp', 'pp', 'dp', 'ep'], r.randint(1, 3))
        ranks = 1
        for m in side.mesh:
            side.sizes[m] = r.choice([n for n in (1, 2, 2, 2, 3, 4) if ranks * n <= 12])
            ranks *= side.sizes[m]
        if self.some('overlay') and len(side.mesh) >= 2:
            over = r.sample(side.mesh, r.randint(1, 2))
            n = 1
            for m in over: n *= side.sizes[m]
            wp = r.choice([x for x in range(1, n + 1) if n % x == 0])
            side.overlay, side.sizes['wp'], side.sizes['wdp'] = (['wdp', 'wp'], over), wp, n // wp
        side.place_axes = set()
        if self.some('place'):
            for _ in range(r.choice([1, 1, 2])): self.place(side)

    def place(self, side):
        r = self.rng
        free = [m for m in side.mesh if m not in side.place_axes and m != 'dp']
        placed = {p.var for p in side.places}
        seen = [v for t in self.terms_of(side) for p in t.pieces for v in p if v in self.world.extents and self.world.extents[v] > 0 and v not in placed]
        named = [v for t in self.terms_of(side) for v in t.names if v not in placed]
        if not free or not seen: return
        v = r.choice(sorted(named) if named and r.random() < 0.7 else sorted(seen))
        m, n = r.choice(sorted(free)), self.world.extents[v]
        size, rule = side.sizes[m], ''
        choices = (['', ''] if n % size == 0 else []) + ['surplus', 'by']
        if n % size == 0 and n // size > 1: choices.append('rounds')
        kind = r.choice(choices)
        if self.itself and kind == 'by': return
        if kind == 'surplus': rule = f' surplus {r.choice(["first", "last"])}'
        if kind == 'rounds': rule = f' interleave {r.choice([x for x in range(1, n // size + 1) if n % (size * x) == 0])}'
        if kind == 'by':
            at = sorted(r.randint(0, n) for _ in range(size - 1))
            counts = [b - a for a, b in zip([0] + at, at + [n])]
            if self.some('counts'): side.counts[m] = counts
            else: rule = f' by {counts}'
        side.place_axes.add(m)
        side.places.append(GPlace(v, m, rule, r.random() < 0.4))

    # -- decoration -------------------------------------------------------------------------------------------------------

    def decorate(self):
        for side in {id(s): s for s in (self.a, self.b)}.values():
            for t in self.terms_of(side): self.decorate_term(side, t)
        for u in self.units:                     # an untyped source has its partner's type
            if len(u.lefts) == len(u.rights) == 1 and u.lefts[0] is not PIECE and u.lefts[0].untyped and u.rights[0] is not PIECE:
                u.lefts[0].axes = [bare(a) for a in u.rights[0].axes]
        if self.compose:
            for t in self.terms_of(self.h):
                if self.chance(0.05) and t.axes: t.axes = [self.shaper.pad(t.axes[0], '2')] + t.axes[1:]

    def decorate_term(self, side, t):
        r, placed = self.rng, {p.var for p in side.places}
        if getattr(t, 'literal', False): return
        if getattr(t, 'fixed', False): return self.cut_blocks(side, t)
        if not t.quoted and not side.places and self.some('untyped') and self.plain_family(t):
            t.untyped = True
            return
        if self.some('pad') and t.axes and not t.optional:
            i = r.randrange(len(t.axes))
            t.axes[i] = self.shaper.pad(t.axes[i], self.multiple(side))
        if side.mesh: self.cut_term(side, t)
        if side.places and not placed & set(t.names) and not any(placed & p for p in t.pieces) and self.some('on'):
            t.on = r.choice([('first',), ('last',), ('first', 'last')])
        if self.some('stored') and t.axes: t.stored = self.shaper.stored(t.axes)
        if self.some('inline') and not (t.on or t.optional or t.tied) and not self.itself: t.inline = True
        if side is self.b and side.mesh and not t.inline and self.some('guard') and not self.itself: self.guard(side, t)
        if self.chance(0.04): t.group = 'decay'

    def plain_family(self, t):
        """Whether a term may do without a type: one to one with the same names, or on both sides of a copy."""
        for u in self.units + self.second:
            if t in u.lefts + u.rights:
                return PIECE not in u.lefts + u.rights and len(u.lefts) == len(u.rights) == 1 and set(u.lefts[0].names) == set(u.rights[0].names) \
                    and len(t.pieces) == 1 and not t.optional and not u.attrs and not t.dtype and not self.itself and not self.compose
        return False

    def multiple(self, side):
        r = self.rng
        x = r.random()
        if x < 0.4: return str(r.randint(2, 5))
        if x < 0.6 and side.mesh: return f'{r.randint(1, 3)}*{r.choice(side.mesh)}'
        if x < 0.85:
            self.features.append('local')
            if not any(d.startswith('kk ') for d in side.dims): side.dims.append(f'kk {r.choice(["=", "?="])} {r.randint(2, 4)}')
            return 'kk'
        return r.choice([v for v in self.vars if self.world.extents.get(v)])

    def cut_term(self, side, t):
        r, free = self.rng, [m for m in side.mesh if m not in side.place_axes and m != 'dp']
        if side.overlay and r.random() < 0.4:
            t.axes = self.shaper.cut_tensor(t.axes, ('wp',), side.sizes)
            return
        r.shuffle(free)
        if len(free) >= 2 and r.random() < 0.2:
            t.axes = self.shaper.cut_tensor(t.axes, tuple(free[:2]), side.sizes)
            return
        for m in free:
            if self.some('cut'): t.axes = self.shaper.cut_tensor(t.axes, (m,), side.sizes)

    def cut_blocks(self, side, t):
        """Cuts that fall on the edges of blocks of two."""
        free = [m for m in side.mesh if m not in side.place_axes and m != 'dp']
        if not free or not self.some('cut'): return
        m = self.rng.choice(free)

        def cut(n):
            if n[0] == 'sum': return ('sum', tuple(cut(k) for k in n[1]))
            x = self.world.extents[n[1]]
            return ('cut', n, ((m, 'even'),)) if x % (2 * side.sizes[m]) == 0 else n
        t.axes = [cut(t.axes[0])] + t.axes[1:]

    def guard(self, side, t):
        """The declaration stands under a condition over mesh sizes; the other branch declares the tensor uncut."""
        m = self.rng.choice(side.mesh)
        v = self.rng.choice([x for x in self.vars if x in self.world.extents])
        n, size = self.world.extents[v], side.sizes[m]
        cond = self.rng.choice([f'{m} == {size}', f'{m} < {size + 1}', f'{v} % {m} == {n % size}', f'not {m} > {size}'])
        naked = GTerm(t.stem, t.names, [bare(a) for a in t.axes], t.pieces)
        naked.spelling, naked.dtype, naked.quoted = t.spelling, t.dtype, t.quoted
        t.guard = (cond, naked.declaration())

    # -- tied tensors, states ---------------------------------------------------------------------------------------------

    def extras(self):
        for side in (self.a,) if self.itself else (self.a, self.b):
            terms = [t for t in self.terms_of(side) if not t.optional and not t.untyped and not t.inline and not t.guard and not getattr(t, 'fixed', False)
                     and not any(t in u.lefts + u.rights and (u.wrap or PIECE in (u.lefts, u.rights)) for u in self.units + self.second)]
            if terms and self.some('tied'):
                t = self.rng.choice(terms)
                inside = [p - set(t.names) for p in t.pieces]
                copy = GTerm(self.stem(), t.names, self.shaper.axes_for(inside), t.pieces)
                copy.spelling, copy.tied, copy.dtype, copy.elem = dict(t.spelling), t, t.dtype, t.elem
                if side.mesh: self.cut_term(side, copy)
                if side.places and self.chance(0.5) and not {p.var for p in side.places} & set().union(*copy.pieces): copy.on = self.rng.choice([('first',), ('last',)])
                side.loose.append(copy)
        if self.a.mesh and self.some('mean') and not self.itself: self.mean()

    def mean(self):
        units = [u for u in self.units if len(u.lefts) == 1 and u.lefts[0] is not PIECE and u.elem in FLOATS and not u.attrs and not u.pair]
        if not units: return
        u = self.rng.choice(units)
        if u.lefts[0].inline or u.lefts[0].untyped or u.rights == [PIECE]: return
        u.lefts[0].mean, u.one_way, u.kind = True, True, 'tame'

    def state_roles(self):
        self.with_states = not any(PIECE in u.lefts and len(u.lefts) == 1 for u in self.units) and self.some('states')
        if not self.with_states: return
        templates = {'moment1': ['{}.m', 'opt/{}.m1'], 'moment2': ['{}.v', 'm2-{}'], 'master': ['{}.p', 'fp32.{}']}
        roles = self.rng.sample(list(templates), self.rng.randint(1, 3))
        step = self.some('scalar')
        for side in {id(s): s for s in (self.a, self.b)}.values():
            side.states = [(r, self.rng.choice(templates[r]), 'f32') for r in roles]
            if step: side.scalars = [('step', self.rng.choice(['{}.step', 't/{}']), None)]
            if side.mesh and 'dp' in side.mesh and 'dp' not in side.place_axes and self.some('zero'):
                side.zero = ('dp', self.rng.choice(['flat', 'whole']))
        if not self.itself:
            if self.chance(0.2): self.b.states = self.b.states[1:]
            elif self.chance(0.1): self.a.states = self.a.states[1:]
            if step and self.chance(0.15): self.b.scalars = [('power', '{}.b1', 'pow(config.beta else 0.5, step + 1)')]
        self.step = (self.rng.choice(['F32', 'I64']), self.rng.choice([(), (), (1,)]), self.rng.randint(1, 30))

    # -- texts ------------------------------------------------------------------------------------------------------------

    def used(self):
        """Dimensions that the program mentions."""
        return [v for v in self.vars if v in self.world.extents]

    def mentioned(self, text):
        """Those dimensions that a text of the rules names."""
        words = set(re.findall(r'[A-Za-z_]\w*', text))
        return [v for v in self.used() if v in words or any(v in self.world.aliases[n] for n in self.world.aliases if n in words)
                or any(v in unparse.axis(x) for n, x in self.world.axis_aliases.items() if n in words)]

    def sizes_text(self, side):
        return ','.join(f'{m}={side.counts[m] if m in side.counts else side.sizes[m]}'.replace(' ', '') for m in side.mesh + (['wp'] if side.overlay else []))

    def explicit_dims(self):
        from .unparse import axis
        w = self.world
        return [f'{v} = {w.extents[v]}' for v in self.used()] + [f'{n} = ({" ".join(p)})' for n, p in w.aliases.items()] + \
               [f'axis {n} = {axis(x)}' for n, x in w.axis_aliases.items()]

    def seed_case(self):
        """Rules and whole tensors from which the oracle makes the source checkpoint."""
        seed, a = GSide('seed'), self.a
        seed.states, seed.scalars = a.states, a.scalars
        flags = [(t, t.inline, t.untyped, t.guard) for t in self.terms_of(a)]
        dims, a.config = a.config, []
        for t, *_ in flags: t.inline = t.untyped = False; t.guard = None
        units = []
        for u in self.units:
            for t in u.lefts:
                if t is PIECE: continue
                v = Unit([t], [t])
                v.one_way, v.wrap = True, u.wrap if u.wrap and u.wrap.opening.startswith('for') else None
                v.attrs = [f'fill={1 if t.elem == "bool" else 3}']
                units.append(v)
        a.config = dims
        means = [(t, t.mean) for t in self.terms_of(a)]
        seed.loose = [t for t in a.loose if t.blocks]
        text = 'dims {\n' + ''.join(f'  {x}\n' for x in self.explicit_dims()) + '}\n'
        text += seed.text(units, lambda u: u.lefts, naked=True) + a.text(units, lambda u: u.lefts) + map_text('seed', a.name, units, False)
        for t, inline, untyped, guard in flags: t.inline, t.untyped, t.guard = inline, untyped, guard
        for t, m in means: t.mean = m
        command = ['rules.aoa', '--run', '--from', 'seed:seed', '--to', f'{a.name}:src'] + (['--states'] if self.with_states else [])
        if a.mesh: command += ['--mesh-to', self.sizes_text(a)]
        return Case(text, command, {'seed': {'model.safetensors': (self.seed_tensors(), {})}})

    def seed_tensors(self):
        out, w = {}, self.world
        for u in self.units:
            for t in u.lefts:
                if t is PIECE: continue
                pattern = oracle_names.literal(t.stem) if t.quoted else oracle_names.pattern(t.text(), Scanner('', 'seed'))
                shape = tuple(self.shaper.extent(a) for a in [bare(a) for a in t.axes])
                count = 1
                for n in shape: count *= n
                for combo in itertools.product(*[self.span(u, v) for v in t.names]):
                    name = oracle_names.spell(pattern, dict(zip(t.names, combo)), self.number)
                    out[name] = Tensor(SPELLING[t.elem], shape, data.elements(self.rng, SPELLING[t.elem], count, u.kind))
                    self.add_states(out, name, shape, count, u)
        for s in self.a.loose:
            if s.blocks:
                n = s.grid[0] * s.grid[1]
                out[s.text()] = Tensor('F32', s.grid, data.elements(self.rng, 'F32', n, 'tame'))
        return out

    def number(self, e): return exprs.extent(e, self.world.extent, {}, 'seed')

    def span(self, u, v):
        if u.wrap and hasattr(u, 'span') and u.span[0] == v: return range(u.span[1], self.world.extents[v])
        return range(self.world.extents[v])

    def add_states(self, out, name, shape, count, u):
        for role, template, dtype in self.a.states:
            kind = 'tame' if role == 'master' and any(a.startswith(('scale', 'offset')) for a in u.attrs) else 'any'
            out[template.replace('{}', name)] = Tensor('F32', shape, data.elements(self.rng, 'F32', count, kind))
        for role, template, _ in self.a.scalars:
            dtype, s, n = self.step
            bits = n if dtype == 'I64' else dtypes.from_float(float(n), 'F32')
            out[template.replace('{}', name)] = Tensor(dtype, s, [bits])

    def source(self):
        """The source checkpoint: {file: (tensors, metadata)}."""
        case = self.seed_case()
        if case.size() > LIMIT // 4: raise Reject('too large')
        out = case.outcome()
        if out.status != 0: raise Reject(f'seed: {out.message}')
        files = {f: (dict(t), m) for f, (t, m) in out.files.items()}
        if sum(len(t.vals) for ts, _ in files.values() for t in ts.values()) > LIMIT: raise Reject('too large')
        self.remove_absent(files)
        return files

    def remove_absent(self, files):
        for u in self.units:
            gone = getattr(u, 'absent', None)
            if gone in (None, 'none'): continue
            t, v = u.lefts[0], u.lefts[0].names[0]
            local = any(p.var == v and p.local for p in self.a.places)
            if local and gone == 'some': gone = 'all'
            pattern = oracle_names.pattern(t.text(), Scanner('', 'seed'))
            for n in range(self.world.extents[v]):
                if gone == 'some' and self.rng.random() < 0.5: continue
                name = oracle_names.spell(pattern, {v: n})
                self.remove(files, name)
        for copy in self.a.loose:
            if not copy.tied or self.a.places or self.with_states: continue
            x = self.rng.random()
            victim = copy if x < 0.3 else copy.tied if x < 0.6 else None
            if victim and not victim.names: self.remove(files, victim.stem if victim.quoted else victim.text())

    def remove(self, files, name):
        gone = [name] + [t.replace('{}', name) for _, t, _ in self.a.states + self.a.scalars]
        for tensors, _ in files.values():
            for n in gone: tensors.pop(n, None)

    def rules(self, explicit):
        whole = self.a.text(self.units, lambda u: u.terms()) + self.h.text(self.second, lambda u: u.terms()) + map_text('', '', self.units + self.second, False) + str(self.config)
        knowledge = Knowledge(self.rng, self.world, self.mentioned(whole), explicit, self.some('spelling'))
        self.a.config = knowledge.side
        parts = []
        if knowledge.lines: parts.append('dims {\n' + ''.join(f'  {x}\n' for x in knowledge.lines) + '}\n')
        if self.itself: parts.append(self.a.text(self.units, lambda u: u.lefts))
        else:
            sides = [self.a.text(self.units, lambda u: u.lefts)]
            if self.compose:
                sides += [self.h.text(self.units + self.second, lambda u: u.rights if u in self.units else []), self.b.text(self.second, lambda u: u.rights)]
                maps = [map_text(self.a.name, 'hub', self.units, self.flipped[0]), map_text('hub', self.b.name, self.second, self.flipped[1])]
            else:
                sides.append(self.b.text(self.units, lambda u: u.rights))
                maps = [map_text(self.a.name, self.b.name, self.units, self.flipped[0])]
            self.rng.shuffle(sides)
            parts += sides + maps
        return parts, knowledge

    # -- the command ------------------------------------------------------------------------------------------------------

    def command(self, knowledge):
        r = self.rng
        out = ['rules.aoa', '--run', '--from', f'{self.a.name}:src', '--to', f'{self.b.name}:out'] + knowledge.options
        if self.b.mesh:
            text = self.sizes_text(self.b)
            if text: out += ['--mesh-to', text]
        if self.a.counts: out += ['--mesh-from', self.sizes_text(self.a)]
        for d in self.b.dims:
            if '?=' in d and not self.itself and self.some('told'): out += ['-D', r.choice(['', 'to.']) + f'kk={r.randint(1, 6)}']
        if self.with_states: out.append('--states')
        config = {**self.config, **knowledge.config}
        if config or r.random() < 0.05: out += ['--config', 'config.json']
        return out, config

    def finish(self):
        sources = {'src': self.source()}
        explicit = self.some('explicit')
        if self.itself: self.remesh()
        for attempt in range(2):
            parts, knowledge = self.rules(explicit)
            command, config = self.command(knowledge)
            case = self.assemble(parts, command, config, sources)
            out = case.outcome()
            if out.status == 1 and 'has no value' in out.message and not explicit:
                explicit = True
                continue
            break
        if out.status == 0: case, out = self.narrow(case, out)
        return case, out

    def remesh(self):
        """A side to itself: other sizes for the target."""
        for m in self.a.mesh:
            if m == 'wp': continue
            self.a.sizes[m] = self.rng.choice([1, 2, 2, 3, 4]) if not any(p.axis == m for p in self.a.places) or self.chance(0.5) else self.a.sizes[m]
        if self.a.overlay:
            n = 1
            for m in self.a.overlay[1]: n *= self.a.sizes[m]
            self.a.sizes['wp'] = self.rng.choice([x for x in range(1, n + 1) if n % x == 0])

    def assemble(self, parts, command, config, sources):
        import json
        files = {'config.json': json.dumps(config)} if '--config' in command else {}
        text = ''.join(parts)
        if self.some('family'): text = 'family x-1\n' + text
        if self.some('default_block'):
            text = f'default {{ from {self.a.name} "src"  to {self.b.name} "out" }}\n' + text
            i = command.index('--from' if self.chance(0.5) else '--to')
            command = command[:i] + command[i + 2:]
        if self.some('import'):
            files['base.aoa'] = text
            text = 'import "base.aoa"\n'
        if self.some('noise'): text = self.noise(text)
        return Case('# ' + ' '.join(sorted(set(self.features))) + '\n' + text, command, sources, files)

    def noise(self, text):
        """Comments, tabs, line ends of Windows, a missing last line end: none of it means anything."""
        lines = text.split('\n')
        lines = [x + ('   # ' + self.rng.choice(['note', 'x -> y', '{']) if self.rng.random() < 0.1 and '"' not in x else '') for x in lines]
        lines = [x.replace('  ', '\t', 1) if self.rng.random() < 0.1 else x for x in lines]
        return ('\r\n' if self.rng.random() < 0.5 else '\n').join(lines).rstrip() if self.rng.random() < 0.7 else '\n'.join(lines)

    def narrow(self, case, out):
        """Options that only make sense once the result is known."""
        r, extra = self.rng, []
        names = sorted({n for t, _ in out.files.values() for n in t})
        if names and self.some('only'):
            n = r.choice(names)
            extra += ['--only', r.choice([n, n[:max(1, len(n) // 2)] + '*', n[:-1] + '?'])]
        if len(out.files) > 1 and self.some('ranks'):
            some = sorted(r.sample(range(len(out.files)), r.randint(1, len(out.files))))
            extra += ['--ranks', ','.join(map(str, some)) if r.random() < 0.7 else f'{some[0]}-{some[-1]}']
        if self.some('dtype') and all(u.kind == 'tame' for u in self.units): extra += ['--dtype', r.choice(['bf16', 'f16', 'f32'])]
        if self.a.mesh and r.random() < 0.2: extra.append('--check-replicas')
        if not extra: return case, out
        new = Case(case.rules, case.command + extra, case.sources, case.files)
        result = new.outcome()
        return (new, result) if result.status == 0 else (case, out)
