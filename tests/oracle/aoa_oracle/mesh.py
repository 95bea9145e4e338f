"""Meshes of the two ends of a run: sizes, rank coordinates, overlays, and how places deal a variable to stages."""
import itertools, re
from . import axes as ax, exprs
from .errors import Unsure, Wrong


def parse_sizes(text, option):
    """'tp=2,pp=[1,4,2]' -> ({axis: size}, {axis: counts})."""
    sizes, counts = {}, {}
    for part in re.findall(r'[^,\[\]]*=\[[^\]]*\]|[^,]+', text):
        m = re.fullmatch(r'\s*(\w+)\s*=\s*(?:(\d+)|\[\s*(\d+(?:\s*,\s*\d+)*)\s*\])\s*', part)
        if not m: raise Wrong(f'{option}: {part!r} is no mesh size', 2)
        if m.group(1) in sizes: raise Wrong(f'{option}: {m.group(1)} is given twice', 2)
        if m.group(3): counts[m.group(1)] = [int(x) for x in m.group(3).split(',')]
        sizes[m.group(1)] = int(m.group(2)) if m.group(2) else len(counts[m.group(1)])
        if sizes[m.group(1)] < 1: raise Wrong(f'{option}: {m.group(1)} is 0', 2)
    return sizes, counts


def axes_of(side): return side.mesh + [x for new, _ in side.overlays for x in new]


def complete(side, given, option):
    """Sizes of all axes: omitted ones are 1, the first of an overlay follows."""
    for m in given:
        if m not in axes_of(side): raise Wrong(f'{option}: side {side.name} has no mesh axis {m}', 2)
    sizes = {m: given.get(m, 1) for m in side.mesh}
    for new, old in side.overlays:
        ranks = 1
        for m in old: ranks *= sizes[m]
        rest = 1
        for m in new[1:]:
            sizes[m] = given.get(m, 1)
            rest *= sizes[m]
        if ranks % rest: raise Wrong(f'overlay {", ".join(new)}: {rest} does not divide {ranks} ranks', also=(2,))
        sizes[new[0]] = ranks // rest
        if given.get(new[0], sizes[new[0]]) != sizes[new[0]]: raise Wrong(f'overlay {", ".join(new)}: not {ranks} ranks', also=(2,))
    return sizes


def coordinates(side, sizes):
    """Coordinates of every rank, overlay axes included, in rank order."""
    out = []
    for values in itertools.product(*[range(sizes[m]) for m in side.mesh]):
        c = dict(zip(side.mesh, values))
        for new, old in side.overlays:
            at = 0
            for m in side.mesh:
                if m in old: at = at * sizes[m] + c[m]
            for m in reversed(new):
                c[m] = at % sizes[m]
                at //= sizes[m]
        out.append(c)
    return out


class Placement:
    """`place VAR on AXIS ...` at one end."""

    def __init__(self, place, end):
        self.place, self.end, self.axis, self.var = place, end, place.axis, place.var

    def indices(self, n, q=None, stage=None):
        """The indices of a stage in ascending order."""
        stages = self.end.sizes[self.axis]
        stage = q.coords[self.axis] if stage is None else stage
        return self.deal(n, stages, q.value if q else self.end.value)[stage]

    def deal(self, n, stages, value):
        p, counts = self.place, self.end.counts.get(self.axis)
        if counts is not None and p.rule not in ('by', 'even'): raise Unsure(f'counts on the command line against {p.rule}')
        if counts is None and p.rule == 'by': counts = p.arg
        if counts is not None: return by_counts(n, stages, counts, p.where)
        if p.rule in ('first', 'last'):
            each, more = divmod(n, stages)
            extra = [(i < more) if p.rule == 'first' else (i >= stages - more) for i in range(stages)]
            return by_counts(n, stages, [each + x for x in extra], p.where)
        rounds = self.end.extent(p.arg, value) if p.rule == 'interleave' else 1
        if rounds < 1 or n % (stages * rounds): raise Wrong(f'{p.where}: {n} of {p.var} on {stages} stages in {rounds} rounds')
        size = n // (stages * rounds)
        return [[(r * stages + s) * size + i for r in range(rounds) for i in range(size)] for s in range(stages)]


def by_counts(n, stages, counts, where):
    if len(counts) != stages: raise Wrong(f'{where}: {len(counts)} counts for {stages} stages')
    if sum(counts) != n: raise Wrong(f'{where}: the counts deal {sum(counts)} of {n}')
    starts = [sum(counts[:i]) for i in range(stages)]
    return [list(range(a, a + c)) for a, c in zip(starts, counts)]


class End:
    """A side where it stands: as source, as target, or as the hub between (no mesh there).

    `label` is the scope of its local dimensions; several ends may be one side.
    """

    def __init__(self, side, label, sizes, counts, dims):
        self.side, self.label, self.sizes, self.counts, self.dims = side, label, sizes, counts, dims
        self.ranks = coordinates(side, sizes) if side.mesh else [{}]
        self.placements = {p.var: Placement(p, self) for p in side.places}
        self.by_name = set()                  # placed variables that some tensor of the side has in its name

    def key(self, name): return self.dims.key(self.label, name)

    def value(self, key): return self.dims.value(key)

    def lookup(self, name, value):
        """A name in an expression of this end: a mesh size or a dimension."""
        if name in self.sizes:
            if self.dims.mentioned(self.label, name): self.dims.doubts.note(f'{name} is a mesh axis and a dimension')
            return self.sizes[name]
        return value(self.key(name))

    def extent(self, e, value=None):
        return exprs.extent(e, lambda n: self.lookup(n, value or self.value), self.dims.config, self.side.name)

    def condition(self, e):
        return exprs.condition(e, lambda n: self.lookup(n, self.value), self.dims.config, self.side.name)

    def resolve(self, node, scope=None):
        """Names of an axis become variables of this end's scope, aliases what they stand for."""
        kind = node[0]
        if kind == 'name':
            alias = self.dims.alias(scope or self.label, node[1])
            if alias: return self.resolve(alias[1], alias[0])
            var = ('var', node[1], self.dims.key(scope or self.label, node[1]))
            if node[1] in self.placements and node[1] not in self.by_name: return ('dealt', var, self.placements[node[1]])
            return var
        if kind in ('prod', 'sum'): return (kind, tuple(self.resolve(k, scope) for k in node[1]))
        if kind == 'pad': return (kind, self.resolve(node[1], scope), node[2])
        if kind == 'cut':
            for m, _ in node[2]:
                if m not in axes_of(self.side): raise Wrong(f'side {self.side.name} has no mesh axis {m}')
            return (kind, self.resolve(node[1], scope), node[2])
        if kind == 'any': return ('any', -1)
        return node

    def physical(self, axis):
        """The mesh axes over which an axis counts: itself, or those that its overlay covers."""
        return next((set(old) for new, old in self.side.overlays if axis in new), {axis})

    def cut_by(self, axes, mesh_axis):
        """Whether a type is cut by a mesh axis, directly or through an overlay."""
        return any(mesh_axis in self.physical(m.replace('dealt ', '')) for _, _, cuts in ax.product_pieces(axes) for m in cuts)

    def first_last(self, ends, axis, coords):
        if axis is None:
            if not self.side.places: raise Wrong(f'side {self.side.name}: on first or last without a place')
            axis = self.side.places[0].axis
        return ('first' in ends and coords[axis] == 0) or ('last' in ends and coords[axis] == self.sizes[axis] - 1)

    def holds(self, values, on, coords):
        """Whether a rank holds a tensor whose name variables have these values."""
        if any(axis is None for _, axis in on) and any(v in self.placements for v in values): self.dims.doubts.note('on beside a placed variable')
        for v, n in values.items():
            p = self.placements.get(v)
            if p and n not in p.indices(self.value(self.key(v)), stage=coords[p.axis]): return False
        return all(self.first_last(ends, axis, coords) for ends, axis in on)

    def local(self, values, coords):
        """The numbers that a file of this rank uses."""
        out = dict(values)
        for v, n in values.items():
            p = self.placements.get(v)
            if p and p.place.local: out[v] = p.indices(self.value(self.key(v)), stage=coords[p.axis]).index(n)
        return out
