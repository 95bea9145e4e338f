"""Axis types as lists of labels.

A label says which element of the whole model an array element is: the summands chosen on the way (a path, outermost first)
and the value of every index variable. The elements of an axis, in order, are a list of labels or FILL:

    h        {h:0} {h:1} ...                     (a b)      every label of a with every label of b, a slowest
    1        one empty label                     (a + b)    the labels of a, marked 0, then those of b, marked 1
    pad(x,k) the labels of x, then FILL          x@m        the block of the list of x that this rank has

A tensor is the product of its axes. That is the whole semantics; everything else looks labels up. The `logical` tensor is
the type without cuts, padding and dealing.

Resolved axes: ('var', name, key) ('lit', name, k) ('slot',) ('any', id) ('prod', kids) ('sum', kids) ('pad', kid, expr)
('cut', kid, ((mesh axis, mode), ...)) ('dealt', var, placement).
"""
import itertools
from .errors import Unsure, Wrong

FILL = None


class Query:
    """What evaluating a type needs: extents of variables, the end it stands at, rank coordinates (None: logical)."""

    def __init__(self, value, end, coords=None, anys=None):
        self.value, self.end, self.coords, self.anys = value, end, coords, anys or {}

    def at(self, coords): return Query(self.value, self.end, coords, self.anys)

    def logical(self): return self.at(None)


def block(n, m, c, mode):
    """Begin and end of block c of m over n indices."""
    if mode == 'ceil':
        b = -(-n // m)
        return min(c * b, n), min((c + 1) * b, n)
    if mode == 'front':
        b, more = divmod(n, m)
        return c * b + min(c, more), (c + 1) * b + min(c + 1, more)
    if n % m == 0: return c * n // m, (c + 1) * n // m
    if n < m and m % n == 0:
        at = c // (m // n)
        return at, at + 1
    raise Wrong(f'{n} on {m} ranks does not divide')


def extent(node, q):
    kind = node[0]
    if kind == 'var': return q.value(node[2])
    if kind == 'lit': return node[2]
    if kind == 'slot': return 1
    if kind == 'any': return q.anys[node[1]]
    if kind == 'sum': return sum(extent(k, q) for k in node[1])
    if kind == 'prod':
        out = 1
        for k in node[1]: out *= extent(k, q)
        return out
    if kind == 'dealt':
        n = extent(node[1], q)
        return n if q.coords is None else len(node[2].indices(n, q))
    n = extent(node[1], q)
    if q.coords is None: return n
    if kind == 'pad': return -(-n // multiple(node, q)) * multiple(node, q)
    for m, mode in node[2]:
        low, high = block(n, q.end.sizes[m], q.coords[m], mode)
        n = high - low
    return n


def multiple(node, q):
    k = q.end.extent(node[2], q.value)
    if k < 1: raise Wrong(f'padding to a multiple of {k}')
    return k


def labels(node, q):
    kind = node[0]
    if kind in ('var', 'lit', 'any'):
        name = '_%d' % node[1] if kind == 'any' else node[1]
        return [((), ((name, i),)) for i in range(extent(node, q))]
    if kind == 'slot': return [((), ())]
    if kind == 'sum': return [x and ((i,) + x[0], x[1]) for i, k in enumerate(node[1]) for x in labels(k, q)]
    if kind == 'prod': return [join(c) for c in itertools.product(*[labels(k, q) for k in node[1]])]
    if kind == 'dealt':
        if q.coords is None: return labels(node[1], q)
        return [((), ((node[1][1], i),)) for i in node[2].indices(extent(node[1], q), q)]
    out = labels(node[1], q)
    if q.coords is None: return out
    if kind == 'pad':
        k = multiple(node, q)
        return out + [FILL] * (-len(out) % k)
    for m, mode in node[2]:
        low, high = block(len(out), q.end.sizes[m], q.coords[m], mode)
        out = out[low:high]
    return out


def join(parts):
    """One label of several, FILL if any of them is."""
    if FILL in parts: return FILL
    return sum((p[0] for p in parts), ()), sum((p[1] for p in parts), ())


def key(label):
    """Labels compare whatever the order of their variables."""
    return label and (label[0], tuple(sorted(label[1])))


def elements(axes, q):
    """The keys of a tensor's elements in row-major order."""
    return [key(join(c)) for c in itertools.product(*[labels(a, q) for a in axes])]


def shape(axes, q): return tuple(extent(a, q) for a in axes)


def index(axes, q):
    """{key: position} of the logical tensor."""
    return {k: i for i, k in enumerate(elements(axes, q.logical()))}


# -- pieces ---------------------------------------------------------------------------------------------------------


def pieces(node):
    """[(path, [variable nodes], [mesh axes])] of one axis."""
    kind = node[0]
    if kind in ('var', 'lit', 'any'): return [((), [node], [])]
    if kind == 'slot': return [((), [], [])]
    if kind == 'sum': return [((i,) + p, v, m) for i, k in enumerate(node[1]) for p, v, m in pieces(k)]
    if kind == 'prod': return product_pieces(node[1])
    if kind == 'dealt': return [(p, v, m + ['dealt ' + node[2].axis]) for p, v, m in pieces(node[1])]
    if kind == 'pad': return pieces(node[1])
    return [(p, v, m + [a for a, _ in node[2]]) for p, v, m in pieces(node[1])]


def product_pieces(kids):
    out = []
    for combo in itertools.product(*[pieces(k) for k in kids]):
        out.append((sum((c[0] for c in combo), ()), [x for c in combo for x in c[1]], [x for c in combo for x in c[2]]))
    return out


def name_of(node): return '_%d' % node[1] if node[0] == 'any' else node[1]


def check(axes, name_vars, where, doubts):
    """The rules about one piece: no variable twice, no mesh axis twice."""
    for _, variables, mesh in product_pieces(axes):
        names = [name_of(v) for v in variables if v[0] != 'any'] + list(name_vars)
        for n in names:
            if names.count(n) > 1: raise Wrong(f'{where}: {n} stands twice in one piece')
        for m in mesh:
            if 'dealt ' + m in mesh: raise Unsure(f'{where}: {m} deals and cuts one piece')
            if mesh.count(m) > 1: raise Wrong(f'{where}: mesh axis {m} cuts one piece twice')


def find(node, kinds):
    """Every node of some kinds below (and at) a node."""
    if node[0] in kinds: yield node
    kids = node[1] if node[0] in ('prod', 'sum') else (node[1],) if node[0] in ('pad', 'cut', 'dealt') else ()
    for k in kids: yield from find(k, kinds)


def numbered(axes, start=0):
    """The same axes with their `_` numbered from `start` on, left to right."""
    count = [start]

    def walk(node):
        if node[0] == 'any':
            count[0] += 1
            return ('any', count[0] - 1)
        if node[0] in ('prod', 'sum'): return (node[0], tuple(walk(k) for k in node[1]))
        if node[0] in ('pad', 'cut', 'dealt'): return (node[0], walk(node[1])) + node[2:]
        return node
    return tuple(walk(a) for a in axes)


def strip(node):
    """Without cuts, padding and dealing."""
    if node[0] in ('pad', 'cut', 'dealt'): return strip(node[1])
    if node[0] in ('prod', 'sum'): return (node[0], tuple(strip(k) for k in node[1]))
    return node


def uncut(node):
    """Without cuts only, for comparing a factor of a stored shape with the factor that the type cuts."""
    if node[0] == 'cut': return uncut(node[1])
    if node[0] in ('prod', 'sum'): return (node[0], tuple(uncut(k) for k in node[1]))
    if node[0] in ('pad', 'dealt'): return (node[0], uncut(node[1])) + node[2:]
    return node


def stored_axes(stored, axes):
    """The stored shape with the cuts of the type put where its factors stand."""
    cuts = {}
    for a in axes:
        for c in find(a, ('cut',)): cuts.setdefault(uncut(c), set()).add(c)
    if any(len(v) > 1 for v in cuts.values()): raise Unsure('a factor is cut in two ways under stored')
    whole = {k: next(iter(v)) for k, v in cuts.items()}
    seen = [uncut(x) for a in axes for x in find(a, ('var', 'lit', 'prod', 'sum', 'pad', 'dealt'))]
    for k in whole:
        cut_count = sum(1 for a in axes for c in find(a, ('cut',)) if uncut(c) == k)
        if seen.count(k) > cut_count: raise Unsure('a factor is cut in one place and not in another under stored')

    def put(node):
        if uncut(node) in whole: return whole[uncut(node)]
        if node[0] in ('prod', 'sum'): return (node[0], tuple(put(k) for k in node[1]))
        if node[0] in ('pad', 'dealt'): return (node[0], put(node[1])) + node[2:]
        return node
    return tuple(put(a) for a in stored)
