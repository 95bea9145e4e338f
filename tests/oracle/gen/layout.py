"""How the two ends of a random program hold their tensors: meshes, places, cuts, padding, stored shapes, tied copies, states."""
from .sides import PIECE, GPlace, GTerm
from .typed import FLOATS
from .units import Units
from .unparse import bare


class Layout(Units):
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
        if kind == 'rounds':
            rounds = r.choice([x for x in range(1, n // size + 1) if n % (size * x) == 0])
            if r.random() < 0.4 and not any(d.startswith('vpp') for d in side.dims): side.dims.append(f'vpp = {rounds}')
            rule = ' interleave vpp' if f'vpp = {rounds}' in side.dims else f' interleave {rounds}'
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
        for m in () if side.overlay else side.mesh:
            if m not in side.place_axes and f'{m!r}' not in repr(t.axes) and self.chance(0.08): t.on_of.append((r.choice([('first',), ('last',), ('first', 'last')]), m))
        if self.some('stored') and t.axes: t.stored = self.shaper.stored(t.axes)
        if self.some('inline') and not (t.on or t.on_of or t.optional or t.tied) and not self.itself: t.inline = True
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
            t.axes = self.shaper.cut_tensor(t.axes, r.choice([('wp',), ('wp',), ('wdp',), ('wdp', 'wp')]), side.sizes)
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
            side.states = [(r, self.rng.choice(templates[r]), None if self.chance(0.15) else 'f32') for r in roles]
            if step: side.scalars = [('step', self.rng.choice(['{}.step', 't/{}']), None)]
            if side.mesh and 'dp' in side.mesh and 'dp' not in side.place_axes and self.some('zero'):
                side.zero = ('dp', self.rng.choice(['flat', 'whole']))
        if not self.itself:
            if self.chance(0.2): self.b.states = self.b.states[1:]
            elif self.chance(0.1): self.a.states = self.a.states[1:]
            if step and self.chance(0.15): self.b.scalars = [('power', '{}.b1', 'pow(config.beta else 0.5, step + 1)')]
        self.step = (self.rng.choice(['F32', 'I64']), self.rng.choice([(), (), (1,)]), self.rng.randint(1, 30))
