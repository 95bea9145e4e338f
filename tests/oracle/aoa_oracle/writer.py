"""The target: which rank holds what, local blocks, padding, optimizer states and their partition, block scales."""
from . import axes as ax, dtypes, exprs, names
from .checkpoint import count
from .errors import Unsure, Wrong
from .supply import block_of
from .tensorfile import Tensor


class Writer:
    def __init__(self, view, finals, options):
        self.view, self.end, self.finals, self.options, self.doubts = view, view.end, finals, options, options.doubts
        self.files = [{} for _ in self.end.ranks]

    def put(self, rank, name, tensor):
        if name in self.files[rank]: raise Wrong(f'{name} is written twice on rank {rank}')
        self.files[rank][name] = tensor

    def holders(self, member):
        on = member.decl.on if member.decl else ()
        for r, c in enumerate(self.end.ranks):
            if self.end.holds(member.values, on, c):
                yield r, c, names.spell(member.pattern, self.end.local(member.values, c), self.end.extent)

    # -- weights ------------------------------------------------------------------------------------------------------

    def weight(self, result):
        g, typed = result.value('weight'), result.typed
        dtype, vals = self.final_dtype(result, g)
        for r, c, name in self.holders(result.member):
            self.put(r, name, self.local(g, typed, c, dtype, vals, g.fill, result.where))
        self.check_whole(result, g, typed)

    def check_whole(self, result, g, typed):
        """Elements that no rank holds are lost; the contract forbids it for one piece cut twice, and is silent otherwise."""
        if typed.axes is None: return
        anys = {a[1]: n for a, n in zip(typed.axes, g.shape) if a[0] == 'any'}
        kept = {k for _, c, _ in self.holders(result.member) for k in ax.elements(typed.axes, typed.query(c, anys))}
        if len(kept - {ax.FILL}) == len(g.vals): return
        if result.member.decl and any(axis for _, axis in result.member.decl.on): raise Wrong(f'{result.name}: elements that no rank holds')
        self.doubts.note(f'{result.name}: elements that no rank holds')

    def final_dtype(self, result, g):
        """--dtype casts floating-point tensors whose type declares none."""
        want = self.options.dtype
        if want is None or result.typed.dtype or not dtypes.is_float(g.dtype): return g.dtype, g.vals
        if result.lowered.attrs.keys() & {'scale', 'offset', 'normalize', 'dtype', 'dst_dtype', 'cast', 'fill'}: self.doubts.note('--dtype beside another conversion')
        return want, [dtypes.cast(v, g.dtype, want, 'error', result.name) for v in g.vals]

    def local(self, g, typed, coords, dtype, vals, fill, where):
        """What one rank's file holds of a tensor."""
        if typed.axes is None: return Tensor(dtype, g.shape, vals)
        anys = {a[1]: n for a, n in zip(typed.axes, g.shape) if a[0] == 'any'}
        q = typed.query(coords, anys)
        where_is = ax.index(typed.axes, q)
        keys = ax.elements(typed.axes, q)
        out = [vals[where_is[k]] if k is not ax.FILL else None for k in keys]
        if None in out: out = self.filled(out, g, typed, q, dtype, vals, fill, where)
        shape = ax.shape(typed.file_axes(), q)
        if count(shape) != len(out): raise Wrong(f'{where}: stored has {count(shape)} elements, the type {len(out)}')
        return Tensor(dtype, shape, out)

    def filled(self, out, g, typed, q, dtype, vals, fill, where):
        if fill != 'last':
            bits = dtypes.constant(fill or 0, dtype, where) if fill is not None else 0
            return [bits if v is None else v for v in out]
        first = typed.axes[0]
        while first[0] == 'cut': first = first[1]
        if first[0] != 'pad' or any(True for a in typed.axes[1:] for _ in ax.find(a, ('pad',))) or any(True for _ in ax.find(first[1], ('pad',))):
            raise Unsure(f'{where}: fill=last of padding that is no first axis')
        if not g.vals: raise Unsure(f'{where}: fill=last of nothing')
        last, where_is = ax.labels(first, q.logical())[-1], ax.index(typed.axes, q)
        import itertools
        keys = itertools.product(*[ax.labels(a, q) for a in typed.axes])
        return [v if v is not None else vals[where_is[ax.key(ax.join((last,) + k[1:]))]] for v, k in zip(out, keys)]

    # -- optimizer states -----------------------------------------------------------------------------------------------

    def state(self, result, role, template, dtype):
        if result.member.decl and result.member.decl.tied or self.is_tied(result.name): self.doubts.note('states of a tied tensor')
        g, typed = result.value(role), result.typed
        if self.options.dtype and not dtype: self.doubts.note('--dtype and a state without a dtype')
        if dtype and g.dtype != dtype: raise Unsure(f'{role}: {g.dtype} to {dtype}')
        for r, c, name in self.holders(result.member):
            t = self.local(g, typed, c, g.dtype, g.vals, 0, result.where)
            t = self.partition(t, result, r, c)
            if t is not None: self.put(r, template.replace('{}', name), t)

    def is_tied(self, name): return name in self.options.tied_targets

    def partition(self, t, result, rank, coords):
        """The share of a rank of a state under `zero`."""
        if not self.end.side.zero: return t
        axis, how = self.end.side.zero
        if axis not in self.end.side.mesh: raise Unsure('zero by an overlay axis')
        if result.typed.axes is not None and self.end.cut_by(result.typed.axes, axis): raise Unsure('the axis of zero cuts the weight')
        k, c = self.end.sizes[axis], coords[axis]
        if how == 'flat':
            each = -(-len(t.vals) // k)
            for i in range(k):
                if i * each < len(t.vals): self.refuse_lost(result.member, coords | {axis: i})
            vals = t.vals + [0] * (each * k - len(t.vals))
            return Tensor(t.dtype, (each,), vals[c * each:(c + 1) * each])
        if how != 'whole': raise Unsure(f'zero by {how}')
        owner = self.order(coords).index(result.name) % k
        self.refuse_lost(result.member, coords | {axis: owner})
        return t if owner == c else None

    def refuse_lost(self, member, coords):
        """A part of a state whose rank does not hold the weight."""
        if not self.end.holds(member.values, member.decl.on if member.decl else (), coords): raise Wrong(f'{member.name}: a part of a state is on no rank')

    def order(self, coords):
        """The tensors that ranks like this one hold, as declared and expanded."""
        out = []
        for d, fors in self.view.decls:
            for m in self.view.members(d, fors):
                if d.tied or d.optional: self.doubts.note('zero by whole beside tied or optional tensors')
                if d.tied or d.blocks or m.name not in self.finals: continue
                if self.end.holds(m.values, d.on, coords): out.append(m.name)
        if any(r.member.decl is None for r in self.finals.values()): raise Unsure('zero by whole of undeclared tensors')
        return out

    def scalar(self, result, role, template, expr, checkpoint, members):
        """A number of the weight: the same in all its sources, or computed from others."""
        deps = sorted(result.value('weight').deps)
        if not deps: raise Unsure(f'{role} of a created tensor')
        if self.is_tied(result.name): self.doubts.note('states of a tied tensor')
        roles = {r for r, _, _ in checkpoint.side.scalars}
        if role in roles: found = {checkpoint.scalar(d, role, members) for d in deps}
        else:
            found = set()
            for d in deps:
                def lookup(name):
                    if name not in roles: raise Wrong(f'{role}: the source has no scalar {name}')
                    dtype, shape, vals = checkpoint.scalar(d, name, members)
                    if count(shape) != 1: raise Unsure(f'{name} is no single number')
                    if dtypes.is_float(dtype): return dtypes.to_float(vals[0], dtype)
                    return float(vals[0] - (1 << 8 * dtypes.WIDTH[dtype]) if dtype in dtypes.SIGNED and vals[0] >> (8 * dtypes.WIDTH[dtype] - 1) else vals[0])
                value = exprs.real(expr, lookup, checkpoint.view.end.dims.config, role)
                found.add(('F32', (), (dtypes.from_float(value, 'F32', 'error', role),)))
        if len(found) > 1: raise Wrong(f'{role} of {result.name}: its pieces disagree')
        dtype, shape, vals = next(iter(found))
        for r, _, name in self.holders(result.member): self.put(r, template.replace('{}', name), Tensor(dtype, shape, list(vals)))

    # -- block scales -----------------------------------------------------------------------------------------------------

    def scales(self, member, result):
        """`blocks of`: each block takes the scale of the source block that its elements come from."""
        g, typed, sizes = result.value('#blocks'), result.typed, member.decl.blocks[1]
        on = {r: (c, n) for r, c, n in self.holders(result.member)}
        for r, c, name in self.holders(member):
            if r not in on: raise Unsure(f'{name}: scales where the weight is not')
            t = self.local(g, typed, on[r][0], g.dtype, g.vals, None, result.where) if typed.axes is not None else Tensor(g.dtype, g.shape, g.vals)
            if len(sizes) != len(t.shape): raise Wrong(f'{member.decl.where}: {len(sizes)} block sizes for {len(t.shape)} axes')
            grid = tuple(-(-n // b) for n, b in zip(t.shape, sizes))
            ids = [set() for _ in range(count(grid))]
            for i, v in enumerate(t.vals):
                if v: ids[block_of(i, t.shape, sizes)].add(v)
            if any(len(s) > 1 for s in ids): raise Wrong(f'{member.decl.where}: a block of {result.name} holds parts of several blocks')
            if not all(ids): raise Unsure(f'{name}: a block of filler')
            if t.shape != g.shape and any(n % b for n, b in zip(t.shape, sizes)): self.doubts.note('a cut off the edge of a block')
            found = [next(iter(s)) for s in ids]
            if len({f[4] for f in found}) > 1: raise Wrong(f'{name}: scales of several dtypes')
            self.put(r, name, Tensor(found[0][4] if found else 'F32', grid, [f[3] for f in found]))
