"""What statements make: results that are computed when they are asked for, once per role.

A role is 'weight', a state's role, or '#blocks' (identities of scale blocks in place of values).
"""
import itertools
from . import axes as ax, dtypes
from .checkpoint import Global
from .errors import Unsure, Wrong


class Result:
    """One target tensor of one statement instance."""

    def __init__(self, lowered, member, typed, refs, options):
        self.lowered, self.member, self.typed, self.refs, self.options = lowered, member, typed, refs, options
        self.name, self.where, self.read, self.memo = member.name, lowered.where, False, {}

    def exists(self):
        """False if all that it needs is optional and absent; half present is wrong."""
        if 'exists' not in self.memo: self.memo['exists'] = self._exists()
        return self.memo['exists']

    def _exists(self):
        there = [r.present() for r in self.refs]
        absent = [r for r, p in zip(self.refs, there) if not p]
        for r in absent:
            if not r.optional() and (not r.result or r.result.exists()): raise Wrong(f'{self.where}: {r.name} is missing')
        if absent and any(there): raise Wrong(f'{self.where}: {absent[0].name} is missing, {self.refs[there.index(True)].name} is there')
        return not absent

    def value(self, role):
        if role not in self.memo:
            if not self.exists(): raise Wrong(f'{self.where}: {self.name} cannot be made')
            self.memo[role] = self.compute(role)
        return self.memo[role]

    # -- shared by the kinds of results ---------------------------------------------------------------------------------

    def target_dtype(self, sources, role):
        """The dtype of the result, and a check that what is read may become it."""
        sources = list(sources)
        found = {g.dtype for g in sources}
        if role != 'weight':
            if len(found) > 1: raise Wrong(f'{self.where}: {role} of {self.name} has several dtypes')
            return next(iter(found)) if found else None
        want = self.typed.dtype
        attr = self.attribute_dtype()
        if 'cast' in self.lowered.attrs and ((want or attr) is None or found <= {want or attr}) and not self.lowered.attrs.keys() & {'scale', 'offset', 'normalize'}:
            self.options.doubts.note(f'{self.where}: cast= without effect')
        if attr and want and attr != want: raise Wrong(f'{self.where}: {attr} against the declared {want}')
        if want and not attr and self.lowered.st.arrow == '<->' and any(d != want for d in found):
            self.options.doubts.note(f'{self.name}: <-> casts what declares no dtype')
        want = want or attr
        if want and any(g.mean and g.dtype != want for g in sources): self.options.doubts.note(f'{self.name}: a mean is cast')
        if want is None:
            if len(found) > 1: raise Wrong(f'{self.where}: {self.name} of several dtypes {sorted(found)}')
            return next(iter(found)) if found else None
        for d in found:
            if d != want and not (dtypes.is_float(d) and dtypes.is_float(want)):
                if dtypes.is_float(d) == dtypes.is_float(want): raise Unsure(f'{self.where}: {d} to {want}')
                raise Wrong(f'{self.where}: {d} does not become {want}')
        return want

    def attribute_dtype(self):
        """dtype= or src_dtype=, dst_dtype= of Paddle."""
        attrs = self.lowered.attrs
        if 'dtype' not in attrs and 'dst_dtype' not in attrs: return None
        if self.lowered.st.arrow == '<->' or self.lowered.flipped: raise Unsure(f'{self.where}: dtype= and two directions')
        return paddle_dtype(attrs.get('dtype', attrs.get('dst_dtype')), self.where)

    def convert(self, bits, src, dst, role):
        """One element from the dtype that is read to that of the result, with scale and offset."""
        attrs, mode = self.lowered.attrs, self.lowered.attrs.get('cast', 'error')
        if not ('scale' in attrs or 'offset' in attrs) or role not in ('weight', 'master'):
            return dtypes.cast(bits, src, dst, mode, self.name) if src != dst else bits
        if not (dtypes.is_float(src) and dtypes.is_float(dst)): raise Unsure(f'{self.where}: arithmetic on {src}')
        if src == 'F64': self.options.doubts.note('float32 arithmetic on float64')
        x = dtypes.f32(dtypes.to_float(bits, src))
        if x != x or x in (float('inf'), float('-inf')): self.options.doubts.note('arithmetic on NaN or infinity')
        k, o = dtypes.f32(attrs.get('scale', 1)), dtypes.f32(attrs.get('offset', 0))
        if (self.lowered.st.arrow == '<-') == self.lowered.flipped:
            if 'scale' in attrs: x = dtypes.f32(x * k)
            if 'offset' in attrs: x = dtypes.f32(x + o)
        else:
            if 'offset' in attrs: x = dtypes.f32(x - o)
            if 'scale' in attrs:
                if k == 0: raise Unsure(f'{self.where}: scale=0 backwards')
                x = dtypes.f32(x / k)
        return dtypes.from_float(x, dst, mode, self.name)

    def fill(self): return self.lowered.attrs.get('fill', 0)


def paddle_dtype(text, where):
    if text in dtypes.PADDLE: return dtypes.PADDLE[text]
    if text in ('bf16', 'f16', 'f32', 'f64', 'float64', 'float8_e4m3fn', 'float8_e5m2', 'int32', 'int64', 'int8', 'uint8', 'bool', 'int16'):
        raise Unsure(f'{where}: dtype={text}')
    raise Wrong(f'{where}: unknown dtype {text}')


class TypedResult(Result):
    """Element (i, j, ...) of the right pieces is element (i, j, ...) of the left pieces."""

    def __init__(self, lowered, member, typed, refs, options, term, values, plan):
        super().__init__(lowered, member, typed, refs, options)
        self.term, self.values, self.plan = term, values, plan

    def compute(self, role):
        plan, sources = self.plan, {}
        for r in self.refs: sources[r.key] = r.fetch(plan.in_types[r.term], role)
        anys = self.any_extents(sources)
        dtype = self.target_dtype(sources.values(), role)
        if dtype is None: raise Unsure(f'{self.where}: {self.name} of nothing')
        q = self.typed.query(None, anys)
        indices, pieces, vals, blocks = {}, plan.pieces_of(self.term), [], []
        bare = role == 'weight' and not self.lowered.attrs.keys() & {'scale', 'offset'}
        for k in ax.elements(self.typed.axes, q):
            piece = pieces[k[0]]
            if piece is None:
                vals.append(dtypes.constant(self.number_fill(), dtype, self.where) if role == 'weight' else 0)
                continue
            source_term, path = piece
            g, at = self.locate(source_term, path, k[1], sources, indices)
            bits = g.vals[at]
            vals.append(bits if role.startswith('#') or (bare and g.dtype == dtype) or role not in ('weight', 'master')
                        else self.convert(bits, g.dtype, dtype, role))
        if 'normalize' in self.lowered.attrs and role == 'weight':
            vals = self.normalised(q, pieces, sources, indices, dtype)
        deps = frozenset().union(*[g.deps for g in sources.values()]) if sources else frozenset()
        return Global(dtype, ax.shape(self.typed.axes, q.logical()), vals, deps, self.fill())

    def number_fill(self):
        if self.fill() == 'last': raise Unsure(f'{self.where}: fill=last of a piece')
        return self.fill()

    def locate(self, term, path, values, sources, indices):
        """The element of the source with the same variables: (Global, flat index)."""
        plan = self.plan
        known = dict(values)
        known.update(self.values)
        member = tuple(known[v] for v in plan.in_vars[term])
        g = sources[(term, member)]
        if (term, member) not in indices:
            typed = plan.in_types[term]
            anys = {a[1]: n for a, n in zip(typed.axes, g.shape) if a[0] == 'any'}
            whole = typed.query(None, anys)
            if ax.shape(typed.axes, whole) != g.shape:
                raise Wrong(f'{self.where}: {plan.lowered.ins[term].pattern.text} has shape {g.shape}, its type says {ax.shape(typed.axes, whole)}')
            indices[(term, member)] = ax.index(typed.axes, whole)
        wanted = tuple(sorted((v, known[v]) for v in plan.in_piece_vars[(term, path)]))
        return g, indices[(term, member)][(path, wanted)]

    def any_extents(self, sources):
        out = {}
        for (term, _), g in sources.items():
            typed = self.plan.in_types[term]
            for a, n in zip(typed.axes, g.shape):
                if a[0] == 'any' and out.setdefault(a[1], n) != n: raise Wrong(f'{self.where}: _ is {out[a[1]]} and {n}')
            if any(a[0] != 'any' and any(True for _ in ax.find(a, ('any',))) for a in typed.axes): raise Unsure('_ inside an axis')
        return out

    def normalised(self, q, pieces, sources, indices, dtype):
        """Quotients by the L2 norm along one variable, in float64."""
        axis, attrs = self.lowered.attrs['normalize'], self.lowered.attrs
        if attrs.keys() & {'scale', 'offset'}: raise Unsure(f'{self.where}: normalize beside scale')
        keys, values, sums = ax.elements(self.typed.axes, q), [], {}
        for k in keys:
            if pieces[k[0]] is None: raise Unsure(f'{self.where}: normalize beside _')
            if axis not in dict(k[1]): raise Wrong(f'{self.where}: no axis {axis}')
            g, at = self.locate(*pieces[k[0]], k[1], sources, indices)
            if not dtypes.is_float(g.dtype): raise Unsure(f'{self.where}: arithmetic on {g.dtype}')
            values.append(dtypes.to_float(g.vals[at], g.dtype))
            group = (k[0], tuple(x for x in k[1] if x[0] != axis))
            sums[group] = sums.get(group, 0.0) + values[-1] * values[-1]
        out = []
        for k, x in zip(keys, values):
            total = sums[(k[0], tuple(v for v in k[1] if v[0] != axis))]
            if total != total or total == float('inf'): self.options.doubts.note('arithmetic on NaN or infinity')
            out.append(dtypes.from_float(x / total ** 0.5 if total else x, dtype, attrs.get('cast', 'error'), self.name))
        return out


class MovedResult(Result):
    """An output of an operation that moves elements by position: identity of untyped tensors, and Paddle's statements.

    geometry(shapes) -> (shape, [(input, flat index)]) for this output.
    """

    def __init__(self, lowered, member, typed, refs, options, geometry, in_types):
        super().__init__(lowered, member, typed, refs, options)
        self.geometry, self.in_types = geometry, in_types

    def compute(self, role):
        sources = [r.fetch(t, role) for r, t in zip(self.refs, self.in_types)]
        dtype = self.target_dtype(sources, role)
        shape, parts = self.geometry([g.shape for g in sources])
        if self.typed.axes is not None:
            anys = {a[1]: n for a, n in zip(self.typed.axes, shape) if a[0] == 'any'}
            want = ax.shape(self.typed.axes, self.typed.query(None, anys)) if len(shape) == len(self.typed.axes) else None
            if want != shape: raise Wrong(f'{self.where}: {self.name} gets shape {shape}, its type says {want}')
            self.check_variables(sources, parts, anys)
        keep = role.startswith('#') or role not in ('weight', 'master')
        vals = [sources[k].vals[i] if keep else self.convert(sources[k].vals[i], sources[k].dtype, dtype, role) for k, i in parts]
        return Global(dtype, shape, vals, frozenset().union(*[g.deps for g in sources]), self.fill())


    def check_variables(self, sources, parts, anys):
        """Positions decide here; where types of both sides give one variable two values, the contract does not say who is right."""
        if any(t.axes is None for t in self.in_types): return
        labels = []
        for g, t in zip(sources, self.in_types):
            labels.append(ax.elements(t.axes, t.query(None, {a[1]: n for a, n in zip(t.axes, g.shape) if a[0] == 'any'})))
        for k, (source, i) in zip(ax.elements(self.typed.axes, self.typed.query(None, anys)), parts):
            mine = dict(k[1])
            if any(mine.get(v, n) != n for v, n in labels[source][i][1]):
                return self.options.doubts.note(f'{self.where}: positions and variables disagree')


class CreatedResult(Result):
    """`_ -> b`."""

    def compute(self, role):
        if self.typed.axes is None or self.typed.dtype is None: raise Wrong(f'{self.where}: {self.name} is created and needs a type and a dtype')
        if role != 'weight': raise Unsure(f'{self.where}: states of a created tensor')
        if self.fill() == 'last': raise Unsure(f'{self.where}: fill=last of a created tensor')
        q = self.typed.query()
        if any(True for a in self.typed.axes for _ in ax.find(a, ('any',))): raise Wrong(f'{self.where}: _ of a created tensor')
        shape = ax.shape(self.typed.axes, q)
        bits = dtypes.constant(self.fill(), self.typed.dtype, self.where)
        n = len(list(itertools.product(*[range(x) for x in shape])))
        return Global(self.typed.dtype, shape, [bits] * n, (), self.fill())
