"""The dimensions of a random program: extents, literals, aliases, and how a run gets to know them."""
import json

NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'm', 'n', 'o', 'q', 'r', 's', 't', 'u', 'v', 'w', 'z', 'out',
         'head', 'width', 'Layer', 'kv2', 'x_y', 'exp']
WAYS = ['equation', 'equation', 'config', 'config', 'option', 'shape', 'shape', 'shape', 'arithmetic', 'default', 'else']


class World:
    def __init__(self, rng):
        self.rng, self.free = rng, NAMES[:]
        rng.shuffle(self.free)
        self.extents, self.literals, self.aliases, self.axis_aliases = {}, {}, {}, {}
        self.config, self.config_used = {}, False
        self.multiples, self.layers = {}, []

    def fresh(self): return self.free.pop()

    def dimension(self, low=1, high=5, odd=True):
        """A new dimension. Now and then its extent is 1, rarely 0."""
        v, x = self.fresh(), self.rng.random()
        self.extents[v] = 1 if x < 0.12 else self.rng.choice([2, 2, 2, 3, 3, 4, 4, 5, 6]) if odd else self.rng.randint(low, high)
        return v

    def literal(self):
        v = self.fresh()
        self.literals[v] = self.rng.choice([1, 2, 2, 3])
        return v

    def alias(self, parts):
        v = self.fresh()
        self.aliases[v] = list(parts)
        return v

    def axis_alias(self, node):
        for k, n in self.axis_aliases.items():
            if n == node: return k
        v = self.fresh()
        self.axis_aliases[v] = node
        return v

    def extent(self, v):
        if v in self.extents: return self.extents[v]
        if v in self.literals: return self.literals[v]
        out = 1
        if v in self.aliases:
            for p in self.aliases[v]: out *= self.extent(p)
            return out
        return sum(self.extent(p[1]) for p in self.axis_aliases[v][1])

    def volume(self, variables):
        out = 1
        for v in variables: out *= self.extent(v)
        return out


class Knowledge:
    """How the run learns extents: lines of `dims`, options, configuration keys; or nothing, for what shapes say."""

    def __init__(self, rng, world, used, explicit, spelling=False):
        from .unparse import axis
        self.lines, self.options, self.config, self.side, self.spelling = [], [], {}, [], spelling
        known = []
        for name, parts in world.aliases.items(): self.lines.append(f'{name} = ({" ".join(parts)})')
        for name, node in world.axis_aliases.items(): self.lines.append(f'axis {name} = {axis(node)}')
        for v in used:
            n, way = world.extents[v], rng.choice(WAYS)
            if explicit and way in ('shape', 'default'): way = rng.choice(['equation', 'config', 'option'])
            if spelling and way == 'config':
                self.put(f'n_{v}', n)
                self.side.append(f'n_{v} = {v}')
                continue
            self.tell(rng, v, n, way, known)
            if way != 'shape': known.append((v, n))
        rng.shuffle(self.lines)

    def tell(self, rng, v, n, way, known):
        key = f'{v}_size' if rng.random() < 0.7 else f'text.{v}.n'
        if way == 'equation': self.lines.append(f'{v} = {n}')
        elif way == 'option': self.options += ['-D', f'{v}={n}']
        elif way == 'default': self.lines.append(f'{v} ?= {n}')
        elif way == 'config':
            self.put(key, n)
            self.lines.append(f'{v} = config.{key}')
        elif way == 'else':
            if rng.random() < 0.5: self.put(key, n)
            elif rng.random() < 0.5: self.put(key, None)
            self.lines.append(f'{v} = config.{key} else {n}')
        elif way == 'arithmetic':
            u, m = rng.choice(known) if known else (None, None)
            forms = [f'{n + 3} - 3', f'({n} + {n}) / 2', f'{n * 6} / 6', f'{n} % {n + 5}', f'ceil({2 * n - 1 if n else 0} / 2)']
            if u is not None:
                if m and n % m == 0: forms += [f'{u} * {n // m}'] * 2
                if n and m % n == 0: forms += [f'{u} / {m // n}'] * 2
                forms += [f'max({u}, {n})'] if n >= m else [f'min({n}, {u})']
                forms += [f'{u} + {n - m}'] if n >= m else [f'{u} - {m - n}']
            self.lines.append(f'{v} = {rng.choice(forms)}')

    def put(self, key, value):
        at, parts = self.config, key.split('.')
        for p in parts[:-1]: at = at.setdefault(p, {})
        at[parts[-1]] = value

    def config_text(self): return json.dumps(self.config)
