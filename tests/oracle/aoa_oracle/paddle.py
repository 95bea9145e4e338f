"""Paddle's statements as geometry: which element each target of a statement takes, from the shapes of its sources.

Cut tensors are seen through their types, so everything here is about whole tensors. A fused tensor that a type holds part by
part is [gate | up] or [q | k | v] as a whole, which is what fused_ffn and fused_qkv_old mean on one rank.
"""
from . import axes as ax, ops
from .errors import Unsure, Wrong


def geometries(low, in_types, out_types):
    """One function from source shapes to (shape, [(input, index)]) per target."""
    attrs, n, m, where = low.attrs, len(low.ins), len(low.outs), low.where
    flags = [k for k in attrs if k.startswith('fused')]
    if n > 1 and m > 1 and not (flags == ['fused_qkv_old'] or flags == ['fused_qkv']): raise Wrong(f'{where}: {n} tensors to {m}')
    check_parts(low, in_types, out_types, flags)
    if flags: main = fused(low, flags[0], n, m, in_types, out_types)
    elif n == m == 1: main = single(low, out_types[0])
    else:
        if 'axis' not in attrs: raise Wrong(f'{where}: several tensors need axis=')
        extra = set(attrs) - {'axis', 'fill'}
        if extra & {'dtype', 'src_dtype', 'dst_dtype', 'permute', 'reshape'}: raise Unsure(f'{where}: {extra} beside axis')
        if n > 1: main = [lambda shapes: ops.concat(shapes, attrs['axis'], where)]
        else: main = [lambda shapes, k=k: ops.equal_split(shapes[0], attrs['axis'], m, where)[k] for k in range(m)]
    return [with_transposes(low, f) for f in main]


def with_transposes(low, f):
    """^T of sources comes first; in a two-way statement run backwards it comes last, on the target."""
    def out(shapes):
        turned = [ops.permute(s, range(len(s))[::-1]) if t.transposed else ops.identity(s) for s, t in zip(shapes, low.ins)]
        shape, parts = f([s for s, _ in turned])
        parts = [(k, turned[k][1][i][1]) for k, i in parts]
        if low.outs[0].transposed:
            shape, order = ops.permute(shape, range(len(shape))[::-1])
            parts = [parts[i] for _, i in order]
        return shape, parts
    return out


def single(low, out_type):
    """One tensor to one: ^T alone, permute or reshape."""
    attrs, where = low.attrs, low.where
    used = [k for k in ('permute', 'reshape') if k in attrs]
    if len(used) > 1 or (used and attrs.keys() & {'dtype', 'src_dtype'}) or (used and any(t.transposed for t in low.ins)):
        raise Unsure(f'{where}: several operations')
    if used and low.flipped and low.st.arrow == '<->' and used == ['permute']:
        return [lambda shapes: ops.permute(shapes[0], inverse(ops.permutation(attrs['permute'], len(shapes[0]), where)))]
    if used == ['permute']:
        return [lambda shapes: ops.permute(shapes[0], ops.permutation(attrs['permute'], len(shapes[0]), where))]
    if used == ['reshape']:
        wanted = None if out_type.axes is None else ax.shape(out_type.axes, out_type.query())
        return [lambda shapes: ops.reshape(shapes[0], attrs['reshape'], wanted, where)]
    return [lambda shapes: ops.identity(shapes[0])]


def inverse(perm): return [perm.index(i) for i in range(len(perm))]


def fused(low, flag, n, m, in_types, out_types):
    attrs, where, axis = low.attrs, low.where, low.attrs.get('axis', 1)
    if flag == 'fused_ffn':
        if attrs.keys() & {'num_heads', 'num_kv_heads', 'num_key_value_groups'}: raise Unsure(f'{where}: heads beside fused_ffn')
        if (n, m) == (2, 1): return [lambda shapes: equal_halves(shapes, axis, where)]
        if (n, m) == (1, 2): return [lambda shapes, k=k: ops.equal_split(shapes[0], axis, 2, where)[k] for k in range(2)]
        if (n, m) == (1, 1): return [lambda shapes: even(shapes[0], axis, where)]
        raise Wrong(f'{where}: fused_ffn of {n} tensors to {m}')
    heads, groups = ops.head_counts(attrs, where)
    interleaved = flag == 'fused_qkv'
    if (n, m) == (3, 1): return [lambda shapes: ops.fuse_heads(shapes, axis, heads, groups, interleaved, where)]
    if (n, m) == (1, 3): return [lambda shapes, k=k: ops.split_heads(shapes[0], axis, heads, groups, interleaved, where)[k] for k in range(3)]
    if (n, m) == (1, 1) and not interleaved: return [lambda shapes: same_heads(shapes[0], axis, heads, groups, where)]
    raise Wrong(f'{where}: {flag} of {n} tensors to {m}')


def equal_halves(shapes, axis, where):
    out = ops.concat(shapes, axis, where)
    if shapes[0] != shapes[1]: raise Wrong(f'{where}: gate and up differ: {shapes}')
    return out


def even(shape, axis, where):
    ops.equal_split(shape, axis, 2, where)
    return ops.identity(shape)


def same_heads(shape, axis, heads, groups, where):
    ops.split_heads(shape, axis, heads, groups, False, where)
    return ops.identity(shape)


# -- what the types say ---------------------------------------------------------------------------------------------


def part_by_part(typed):
    """A sum whose parts are cut."""
    return typed.axes is not None and any(any(True for k in s[1] for _ in ax.find(k, ('cut',))) for a in typed.axes for s in ax.find(a, ('sum',)))


def is_cut(typed): return typed.axes is not None and any(True for a in typed.axes for _ in ax.find(a, ('cut',)))


def check_parts(low, in_types, out_types, flags):
    """axis= into a tensor that is held part by part is wrong; the shard-dependent macros need parts where there are cuts."""
    where = low.where
    if 'axis' in low.attrs and not flags and len(low.ins) > 1 and part_by_part(out_types[0]):
        raise Wrong(f'{where}: the target is held part by part: fused_ffn')
    if 'axis' in low.attrs and not flags and len(low.outs) > 1 and part_by_part(in_types[0]):
        raise Unsure(f'{where}: the source is held part by part')
    if flags and flags[0] in ('fused_ffn', 'fused_qkv_old'):
        whole = ([in_types[0]] if len(low.ins) == 1 else []) + ([out_types[0]] if len(low.outs) == 1 else [])
        for t in whole:
            if is_cut(t) and not part_by_part(t): raise Unsure(f'{where}: a fused tensor that is cut as a whole')
    if flags and flags[0] == 'fused_qkv':
        for t in in_types + out_types:
            if part_by_part(t): raise Unsure(f'{where}: fused_qkv of a tensor held part by part')
