"""Random programs of typed statements: what is stacked, fused, split, transposed, cut, placed, padded, cast, composed.

A program is built from lists of pieces. Every statement has two groupings of one list, so it is well typed; extents are drawn
first, and the source checkpoint is made by the oracle itself from whole random tensors (side `seed`).
"""
import random
from . import shapes
from .sides import GTerm, Unit
from .world import World

LIMIT = 20000
FLOATS = ['f32', 'f32', 'bf16', 'bf16', 'f16']
ALL = ['f32', 'bf16', 'f16', 'f64', 'i64', 'i32', 'i16', 'i8', 'u8', 'bool', 'f8_e4m3', 'f8_e5m2']
STEMS = ['w', 'x1', 'layers', 'model.blk', 'a-b', 'enc/dec', 'h', '0', 'q_proj', 'mlp.up']
ODD = ['odd name', 'a[b]', '50%', 'x->y', 'θ', '#1', '$v {b} *']


class Reject(Exception):
    """The draw did not work out; draw again."""


class Builder:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.world = World(self.rng)
        self.shaper = shapes.Shaper(self.rng, self.world)
        self.names, self.counter, self.dead = set(), 0, 0

    def chance(self, p): return self.rng.random() < p

    # -- pieces -------------------------------------------------------------------------------------------------------

    def pool(self):
        """Variables of this program."""
        n = self.rng.randint(3, 7)
        self.vars = [self.world.dimension() for _ in range(n)]
        if self.chance(0.25): self.vars.append(self.world.literal())
        if self.chance(0.04):
            zero = self.world.dimension()
            self.world.extents[zero] = 0
            self.vars.append(zero)
        dims = [v for v in self.vars if v in self.world.extents]
        if self.chance(0.4) and len(dims) > 2: self.world.alias(self.rng.sample(dims, 2))

    def draw(self, candidates, low, high):
        candidates = sorted(candidates)
        return frozenset(self.rng.sample(candidates, min(len(candidates), self.rng.randint(low, high))))

    def pieces(self):
        """A list of sets of variables, and (rows, columns) if it is an outer product."""
        rng = self.rng
        common = self.draw(self.vars, 0 if self.chance(0.1) else 1, 3)
        rest = [v for v in self.vars if v not in common]
        if len(rest) >= 3 and self.chance(0.12):
            left, right = rest[:len(rest) // 2], rest[len(rest) // 2:]
            rows = [self.draw(left, 0, 1) for _ in range(2)]
            columns = [self.draw(right, 0, 1) for _ in range(rng.randint(2, 3))]
            return self.small([common | r | c for r in rows for c in columns]), (rows, columns)
        n = rng.choice([1, 1, 1, 2, 2, 3, 3, 4, 5])
        same = self.draw(rest, 0, 1)
        out = []
        for _ in range(n):
            x = rng.random()
            out.append(common | (same if x < 0.55 else self.draw(rest, 0, 2)))
        return self.small(out), None

    def small(self, pieces):
        if sum(self.world.volume(p) for p in pieces) > 700: raise Reject('too many elements')
        return pieces

    # -- terms --------------------------------------------------------------------------------------------------------

    def stem(self):
        while True:
            self.counter += 1
            out = f'{self.rng.choice(STEMS)}{self.rng.choice(["", ".", "-", "_"])}{self.counter}'
            if out not in self.names:
                self.names.add(out)
                return out

    def term(self, pieces, grid=None, keep=()):
        """A tensor with these pieces; some variables that all of them have go into its name."""
        common = frozenset.intersection(*pieces)
        nameable = [v for v in sorted(common) if 0 < self.world.extents.get(v, 0) <= 6]
        names = [v for v in nameable if v in keep or self.chance(0.3)]
        self.rng.shuffle(names)
        inside = [p - set(names) for p in pieces]
        if grid and set(names) & set().union(*grid[0], *grid[1]): grid = None
        t = GTerm(self.stem(), names, self.shaper.axes_for(inside, grid), pieces)
        for v in names:
            x = self.rng.random()
            if x < 0.1: t.spelling[v] = '${%s+%d}' % (v, self.rng.randint(1, 3))
            elif x < 0.18: t.spelling[v] = '${%s:0%d}' % (v, self.rng.randint(2, 3))
            elif x < 0.22: t.spelling[v] = '${%s+1:02}' % v
            elif x < 0.26: t.spelling[v] = '${%s}' % v
        if not names and self.chance(0.06): t.stem, t.quoted = f'{self.rng.choice(ODD)} {self.counter}', True
        return t

    def grouping(self, pieces, grid=None):
        """Terms that hold a list of pieces."""
        if self.chance(0.45): return [self.term(pieces, grid)]
        return [self.term(g, grid if len(g) == len(pieces) else None) for g in self.shaper.split(pieces)]

    def unit(self):
        pieces, grid = self.pieces()
        return Unit(self.grouping(pieces, grid), self.grouping(pieces, grid))

    def regroup(self, terms):
        """Units from given terms to new ones."""
        terms, out = terms[:], []
        self.rng.shuffle(terms)
        while terms:
            n = self.rng.choice([1, 1, 2, 3])
            mine, terms = terms[:n], terms[n:]
            pieces = [p for t in mine for p in t.pieces]
            out.append(Unit(mine, self.grouping(pieces)))
        return out
