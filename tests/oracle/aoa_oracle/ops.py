"""The operations of Paddle's statements as geometry: which input element each output element is.

Every function takes shapes and gives [(shape, [(input number, flat index)])], one entry per output. Data follow elsewhere,
so weights, optimizer states and block scales all move alike.
"""
import itertools, json
from .errors import Unsure, Wrong


def size(shape):
    n = 1
    for x in shape: n *= x
    return n


def strides(shape):
    out, step = [], 1
    for n in reversed(shape):
        out.append(step)
        step *= n
    return out[::-1]


def identity(shape): return shape, [(0, i) for i in range(size(shape))]


def permute(shape, perm):
    """numpy's transpose: output axis i is input axis perm[i]."""
    st = strides(shape)
    out = tuple(shape[p] for p in perm)
    return out, [(0, sum(i * st[p] for i, p in zip(ix, perm))) for ix in itertools.product(*[range(n) for n in out])]


def concat(shapes, axis, where):
    first = shapes[0]
    if any(len(s) != len(first) for s in shapes): raise Wrong(f'{where}: tensors of different rank {shapes}')
    if axis >= len(first): raise Wrong(f'{where}: axis {axis} of {len(first)} axes')
    rest = {s[:axis] + s[axis + 1:] for s in shapes}
    if len(rest) > 1: raise Wrong(f'{where}: the other extents differ: {shapes}')
    total = sum(s[axis] for s in shapes)
    out, parts = first[:axis] + (total,) + first[axis + 1:], []
    owner = [(k, i) for k, s in enumerate(shapes) for i in range(s[axis])]
    st = [strides(s) for s in shapes]
    for ix in itertools.product(*[range(n) for n in out]):
        k, i = owner[ix[axis]]
        local = ix[:axis] + (i,) + ix[axis + 1:]
        parts.append((k, sum(a * b for a, b in zip(local, st[k]))))
    return out, parts


def split(shape, axis, sizes, where):
    if axis >= len(shape): raise Wrong(f'{where}: axis {axis} of {len(shape)} axes')
    if sum(sizes) != shape[axis]: raise Wrong(f'{where}: {shape[axis]} in parts {sizes}')
    st, out, start = strides(shape), [], 0
    for n in sizes:
        part = shape[:axis] + (n,) + shape[axis + 1:]
        offset = start * st[axis]
        out.append((part, [(0, offset + sum(a * b for a, b in zip(ix, st))) for ix in itertools.product(*[range(x) for x in part])]))
        start += n
    return out


def equal_split(shape, axis, count, where):
    if axis >= len(shape): raise Wrong(f'{where}: axis {axis} of {len(shape)} axes')
    if shape[axis] % count: raise Wrong(f'{where}: {shape[axis]} in {count} equal parts')
    return split(shape, axis, [shape[axis] // count] * count, where)


def chain(first, second):
    """Geometry of `second` whose inputs are the outputs of `first` (each of one input): [(shape, parts)] per input."""
    shape, parts = second
    return shape, [(k, first[k][1][i][1]) for k, i in parts]


def permutation(text, rank, where):
    try: perm = json.loads(text)
    except ValueError: raise Wrong(f'{where}: {text!r} is no permutation')
    if not isinstance(perm, list) or any(isinstance(p, bool) or not isinstance(p, int) for p in perm): raise Wrong(f'{where}: {text!r} is no permutation')
    if not perm: return list(range(rank))[::-1]
    if sorted(perm) != list(range(len(perm))): raise Wrong(f'{where}: {perm} is no permutation')
    if len(perm) != rank: raise Wrong(f'{where}: a permutation of {len(perm)} for {rank} axes')
    return perm


def reshape(shape, text, wanted, where):
    """Between the shape with all axes, which the attribute names, and the flat one [d0*d1, rest]."""
    try: full = tuple(json.loads(text))
    except (ValueError, TypeError): raise Wrong(f'{where}: {text!r} is no shape')
    if len(full) < 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in full): raise Wrong(f'{where}: {text!r} is no shape of three axes or more')
    flat = (full[0] * full[1], size(full[2:]))
    if wanted == shape and shape in (full, flat): raise Unsure(f'{where}: reshape to the same shape')
    other = flat if shape == full else full if shape == flat else None
    if other is None: raise Wrong(f'{where}: {shape} is neither {full} nor {flat}')
    return other, identity(shape)[1]


# -- heads ----------------------------------------------------------------------------------------------------------


def head_counts(attrs, where):
    heads = attrs.get('num_heads')
    names = [k for k in ('num_key_value_groups', 'num_kv_heads') if k in attrs]
    if heads is None or not names: raise Wrong(f'{where}: fused_qkv needs num_heads and num_key_value_groups')
    if len(names) > 1: raise Unsure(f'{where}: both names of one attribute')
    groups = attrs[names[0]]
    if heads < 1 or groups < 1 or heads % groups: raise Wrong(f'{where}: {heads} heads in {groups} groups')
    return heads, groups


def head_order(heads, groups):
    """Heads of the interleaved layout in terms of [q heads | k heads | v heads]."""
    r, out = heads // groups, []
    for g in range(groups):
        out += [g * r + i for i in range(r)] + [heads + g, heads + groups + g]
    return out


def regroup(shape, axis, order, where):
    """Blocks of an axis put in another order: block i of the output is block order[i] of the input."""
    if axis >= len(shape): raise Wrong(f'{where}: axis {axis} of {len(shape)} axes')
    if shape[axis] % len(order): raise Wrong(f'{where}: {len(order)} heads do not divide {shape[axis]}')
    width, st = shape[axis] // len(order), strides(shape)
    out = []
    for ix in itertools.product(*[range(n) for n in shape]):
        b, i = divmod(ix[axis], width)
        local = ix[:axis] + (order[b] * width + i,) + ix[axis + 1:]
        out.append((0, sum(a * b for a, b in zip(local, st))))
    return shape, out


def fuse_heads(shapes, axis, heads, groups, interleaved, where):
    """q, k, v -> one tensor."""
    joined = concat(shapes, axis, where)
    check_widths(shapes, axis, heads, groups, where)
    if not interleaved: return joined
    total = regroup(joined[0], axis, head_order(heads, groups), where)
    return joined[0], [joined[1][i] for _, i in total[1]]


def check_widths(shapes, axis, heads, groups, where):
    q, k, v = [s[axis] for s in shapes]
    if q % heads or k % groups or v % groups: raise Wrong(f'{where}: {heads} and {groups} heads do not divide {q}, {k}, {v}')
    if not q // heads == k // groups == v // groups: raise Wrong(f'{where}: heads of different widths')


def split_heads(shape, axis, heads, groups, interleaved, where):
    """One tensor -> q, k, v."""
    if axis >= len(shape): raise Wrong(f'{where}: axis {axis} of {len(shape)} axes')
    count = heads + 2 * groups
    if shape[axis] % count: raise Wrong(f'{where}: {count} heads do not divide {shape[axis]}')
    width = shape[axis] // count
    parts = identity(shape)
    if interleaved:
        order = head_order(heads, groups)
        parts = regroup(shape, axis, [order.index(i) for i in range(count)], where)
    cut = split(shape, axis, [heads * width, groups * width, groups * width], where)
    return [(s, [parts[1][i] for _, i in p]) for s, p in cut]
