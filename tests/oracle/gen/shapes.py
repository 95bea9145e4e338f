"""Random types, made so that their pieces are a given list of sets of variables.

`axes_for(pieces)` gives the axes of one tensor whose pieces are these sets in this order; the statement that joins two groupings
of one list of pieces is then well typed by construction. Cuts, padding and stored shapes are put on afterwards.
"""


class Shaper:
    """rng: random.Random; world: extents, literals and aliases of the variables."""

    def __init__(self, rng, world): self.rng, self.world = rng, world

    def leaf(self, v):
        return ('lit', v, self.world.literals[v]) if v in self.world.literals else ('name', v)

    def factors(self, variables):
        """The variables as leaves in random order; an alias may take the place of those it stands for."""
        left, out = set(variables), []
        for name, parts in self.world.aliases.items():
            if set(parts) <= left and self.rng.random() < 0.6:
                left -= set(parts)
                out.append(('name', name))
        out += [self.leaf(v) for v in sorted(left)]
        self.rng.shuffle(out)
        return out

    def product(self, nodes):
        """One node of several factors, nested now and then."""
        if not nodes: return ('slot',)
        if len(nodes) == 1: return nodes[0]
        if len(nodes) > 2 and self.rng.random() < 0.2:
            i = self.rng.randrange(len(nodes) - 1)
            nodes = nodes[:i] + [('prod', tuple(nodes[i:i + 2]))] + nodes[i + 2:]
        return ('prod', tuple(nodes))

    def split(self, items, least=1):
        """A random partition into consecutive groups, at least `least` of them."""
        if not items: return []
        cuts = sorted(self.rng.sample(range(1, len(items)), self.rng.randint(min(least, len(items)) - 1, len(items) - 1)))
        return [items[a:b] for a, b in zip([0] + cuts, cuts + [len(items)])]

    def summed(self, pieces):
        """A node whose pieces are two or more sets."""
        common = sorted(frozenset.intersection(*pieces))
        take = {v for v in common if self.rng.random() < 0.4}
        inner = [p - take for p in pieces]
        parts = tuple(self.node(g) for g in self.split(inner, 2))
        nodes = self.factors(take)
        nodes.insert(self.rng.randint(0, len(nodes)), self.alias_sum(('sum', parts)))
        return self.product(nodes)

    def alias_sum(self, node):
        """`axis w = (a + b)` now and then."""
        if all(p[0] == 'name' for p in node[1]) and self.rng.random() < 0.15:
            return ('name', self.world.axis_alias(node))
        return node

    def node(self, pieces):
        if len(pieces) > 1: return self.summed(pieces)
        nodes = self.factors(pieces[0])
        if nodes and self.rng.random() < 0.05: nodes.insert(self.rng.randint(0, len(nodes)), ('slot',))
        return self.product(nodes)

    def arrange(self, nodes):
        """Nodes as axes: each alone or in a product with neighbours; slots in between now and then."""
        axes = [self.product(list(g)) for g in self.split(nodes)] if nodes else []
        if self.rng.random() < 0.1: axes.insert(self.rng.randint(0, len(axes)), ('slot',))
        return axes

    def axes_for(self, pieces, grid=None):
        """The axes of a tensor with these pieces. grid: (rows, columns) if the pieces are their outer product."""
        if grid and self.rng.random() < 0.8: return self.grid_axes(pieces, *grid)
        common = set(frozenset.intersection(*pieces))
        if len(pieces) == 1: return self.arrange(self.factors(common))
        outside = {v for v in sorted(common) if self.rng.random() < 0.7}
        nodes = self.factors(outside)
        nodes.insert(self.rng.randint(0, len(nodes)), self.summed([p - outside for p in pieces]))
        return self.arrange(nodes)

    def grid_axes(self, pieces, rows, columns):
        common = frozenset.intersection(*pieces)
        nodes = [('sum', tuple(self.node([r - common]) for r in rows)), ('sum', tuple(self.node([c - common]) for c in columns))]
        for f in self.factors(common): nodes.insert(self.rng.randint(0, len(nodes)), f)
        return self.arrange(nodes)

    # -- decoration -----------------------------------------------------------------------------------------------------

    def extent(self, n):
        if n[0] == 'name': return self.world.extent(n[1])
        if n[0] == 'lit': return n[2]
        if n[0] == 'slot': return 1
        if n[0] == 'any': return n[1]
        if n[0] == 'sum': return sum(self.extent(k) for k in n[1])
        if n[0] == 'prod':
            out = 1
            for k in n[1]: out *= self.extent(k)
            return out
        return self.extent(n[1])

    def divides(self, n, size): return n % size == 0 or (0 < n < size and size % n == 0 and self.rng.random() < 0.5)

    def cut(self, n, cuts, sizes):
        """Cuts a node somewhere, every piece at most once; None if no place was found."""
        rng, total = self.rng, 1
        for m in cuts: total *= sizes[m]
        whole = self.extent(n)
        if n[0] in ('name', 'lit') or (n[0] in ('prod', 'sum', 'pad') and rng.random() < 0.35):
            if n[0] == 'pad': return ('cut', n, tuple((m, 'even') for m in cuts))
            if self.divides(whole, total): return ('cut', n, tuple((m, 'even') for m in cuts))
            if len(cuts) == 1 and rng.random() < 0.5 and whole: return ('cut', n, ((cuts[0], rng.choice(['ceil', 'front'])),))
            return None
        if n[0] == 'prod':
            order = list(range(len(n[1])))
            rng.shuffle(order)
            for i in order:
                new = self.cut(n[1][i], cuts, sizes)
                if new: return ('prod', n[1][:i] + (new,) + n[1][i + 1:])
        if n[0] == 'sum':
            parts = [self.cut(k, cuts, sizes) if rng.random() < 0.92 else None for k in n[1]]
            if any(parts) and (all(parts) or rng.random() < 0.4): return ('sum', tuple(p or k for p, k in zip(parts, n[1])))
        if n[0] == 'pad':
            new = self.cut(n[1], cuts, sizes)
            if new: return ('pad', new, n[2])
        return None

    def cut_tensor(self, axes, cuts, sizes):
        """One axis of a tensor cut by some mesh axes."""
        order = list(range(len(axes)))
        self.rng.shuffle(order)
        for i in order:
            new = self.cut(axes[i], cuts, sizes)
            if new: return axes[:i] + [new] + axes[i + 1:]
        return axes

    def pad(self, n, multiple):
        """Padding around a node somewhere."""
        if n[0] in ('prod', 'sum') and self.rng.random() < 0.6:
            i = self.rng.randrange(len(n[1]))
            return (n[0], n[1][:i] + (self.pad(n[1][i], multiple),) + n[1][i + 1:])
        return n if n[0] == 'slot' else ('pad', n, multiple)

    def stored(self, axes):
        """Another shape for the same elements: the axes in any order and grouping, without cuts."""
        from .unparse import uncut
        nodes = [uncut(a) for a in axes]
        self.rng.shuffle(nodes)
        return [self.product(list(g)) for g in self.split(nodes)]
