"""Random configurations: chains of statements over small tensors, with whitespace, macros, shadowed names and cut ends."""
import random
import numpy as np
from .case import Case
from .engine import Stored, Wanted, TYPES

SPELLED = {'F32': 'float32', 'BF16': 'bfloat16', 'F16': 'float16'}


class Var:
    """A tensor on the way: shape, the source's dtype, what it is cast to so far; `fused`: axes that hold parts rank by rank."""

    def __init__(self, shape, dtype, now=None, fused=None):
        self.shape, self.dtype, self.now, self.fused = tuple(shape), dtype, now or dtype, fused

    def like(self, shape, order=None):
        """The same elements in another shape; `order` says which old axis each axis is, if all of them are kept whole."""
        fused = (self.fused[0], order.index(self.fused[1]), *self.fused[2:]) if self.fused and order is not None else None
        return Var(shape, self.dtype, self.now, fused)


class Chain:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.bits = np.random.default_rng(seed)
        self.sources, self.shapes = {}, {}     # the source: Stored, and who is still to be read
        self.live = {}                         # results that nobody has read: Var
        self.statements, self.fused_sources, self.made = [], {}, set()
        self.count = 0

    # -- tensors --------------------------------------------------------------------------------------------------------

    def stem(self):
        self.count += 1
        return self.rng.choice(['', 'm.', 'layers.0.', 'blk_', '_x.', 'a.b.', 'L2']) + self.rng.choice(['w', 'q', 'emb', 'T', 'axis_', 'x.2.']) + str(self.count)

    def name(self): return self.stem() + self.rng.choice(['', '', '.weight', '.bias', '.w'])

    def elements(self, dtype, shape):
        count = int(np.prod(shape))
        if dtype == 'BF16': bits = self.bits.normal(size=count).astype('<f4').view('<u4') >> 16
        elif dtype in ('I32', 'U8'): bits = self.bits.integers(0, 200, count)
        else: return self.bits.normal(size=count).astype(TYPES[dtype][1]).reshape(shape)
        return bits.astype(TYPES[dtype][1]).reshape(shape)

    def fresh(self, shape, dtype=None, name=None):
        dtype, name = dtype or self.dtype, name or self.name()
        self.sources[name] = Stored(dtype, self.elements(dtype, shape))
        return name

    def take(self, rank=None, dtype=None, fused=False):
        """A tensor to read: a result or a new one. Results of fused layouts, whose parts depend on who reads them, on demand."""
        found = [n for n, v in self.live.items()
                 if (rank is None or len(v.shape) == rank) and v.dtype == (dtype or v.dtype) and (fused or not v.fused)]
        if found and self.rng.random() < 0.6:
            n = self.rng.choice(found)
            return n, self.live.pop(n)
        shape = self.shape(rank or self.rng.choice([1, 2, 2, 2, 2, 3, 3, 4]))
        dtype = dtype or self.dtype
        return self.fresh(shape, dtype), Var(shape, dtype)

    def shape(self, rank): return tuple(self.rng.choice([1, 2, 2, 3, 4, 4, 6, 8]) for _ in range(rank))

    def result(self, var, olds=()):
        """A name for a result: a new one, that of a tensor which the statement reads, or that of a source."""
        x, olds = self.rng.random(), [o for o in olds if o not in self.live and o not in self.declared]
        if olds and x < 0.25: n = self.rng.choice(olds)
        else: n = self.name()
        self.live[n] = var
        self.made.add(n)
        return n

    def make(self, name, var):
        self.live[name] = var
        self.made.add(name)

    def emit(self, lefts, rights, *attrs):
        blank = lambda: self.rng.choice(['', '', ' ', ' ', '  ', '\t']) if self.loose else ''
        comma = lambda: blank() + ',' + (blank() if self.loose else ' ')
        join = lambda items: items[0] + ''.join(comma() + i for i in items[1:])
        arrow = (blank() + '->' + blank()) if self.loose else ' -> '
        attrs = [a.replace('=', blank() + '=' + blank(), 1) for a in attrs]
        self.statements.append(join(list(lefts)) + arrow + join(list(rights) + attrs))

    # -- statements -----------------------------------------------------------------------------------------------------

    def rename(self):
        n, v = self.take(fused=True)
        self.emit([n], [self.result(v)], *(['axis=0'] if self.rng.random() < 0.1 else []))

    def transpose(self):
        n, v = self.take(fused=True)
        self.emit([n + '^T'], [self.result(self.turned(v), [n])])

    @staticmethod
    def turned(v): return v.like(v.shape[::-1], list(range(len(v.shape)))[::-1])

    def permute(self):
        n, v = self.take(fused=True)
        perm = list(range(len(v.shape)))
        self.rng.shuffle(perm)
        quote = self.rng.choice('\'"')
        if self.rng.random() < 0.2: return self.emit([n], [self.result(self.turned(v), [n])], f'permute={quote}[]{quote}')
        text = str(perm) if self.rng.random() < 0.5 else str(perm).replace(' ', '')
        self.emit([n], [self.result(v.like([v.shape[p] for p in perm], perm), [n])], f'permute={quote}{text}{quote}')

    def split(self):
        n, v = self.take()
        s, axis = v.shape, self.rng.randrange(len(v.shape))
        k = self.rng.choice([x for x in (2, 3, 4, s[axis]) if x > 1 and s[axis] % x == 0] or [0])
        if not k:
            self.live[n] = v
            return
        part = s[:axis] + (s[axis] // k,) + s[axis + 1:]
        turned = self.rng.random() < 0.2 and n in self.sources and not any(n in t for t in self.statements)
        if turned:
            del self.sources[n]
            n, v = self.fresh(s[::-1], v.dtype), Var(s, v.dtype)
        if self.rng.random() < 0.25:
            base, low = self.stem(), self.rng.choice([0, 0, 1, 5])
            for i in range(low, low + k): self.make(f'{base}_{i}', v.like(part))
            rights = [f'{base}[{low}:{low + k}]']
        else: rights = [self.result(v.like(part)) for _ in range(k)]
        self.emit([n + ('^T' if turned else '')], rights, f'axis={axis}')

    def concat(self):
        n, v = self.take(self.rng.choice([1, 2, 2, 3]))
        s, axis, k = v.shape, self.rng.randrange(len(v.shape)), self.rng.randint(1, 3)
        lefts, total = [n], s[axis]
        for _ in range(k):
            extent = self.rng.randint(1, 4)
            part = s[:axis] + (extent,) + s[axis + 1:]
            fit = [m for m, w in self.live.items() if not w.fused and w.shape == part and w.dtype == v.dtype and w.now == v.now]
            if fit and self.rng.random() < 0.5:
                lefts.append(self.rng.choice(fit))
                self.live.pop(lefts[-1])
            elif v.now != v.dtype: return self.live.__setitem__(n, v)
            elif self.rng.random() < 0.3: lefts.append(self.fresh(part[::-1], v.dtype) + '^T')
            else: lefts.append(self.fresh(part, v.dtype))
            total += extent
        self.rng.shuffle(lefts)
        self.emit(lefts, [self.result(v.like(s[:axis] + (total,) + s[axis + 1:]), [l for l in lefts if '^T' not in l])], f'axis={axis}')

    def star(self):
        numbers, base, s = self.rng.sample(range(13), self.rng.randint(1, 4)), self.stem(), self.shape(2)
        tail = self.rng.choice(['', '.w', '_x', '.a.b'])
        for i in numbers: self.fresh(s, name=f'{base}.{i}{tail}')
        axis = self.rng.randrange(2)
        turned = self.rng.random() < 0.0
        self.emit([f'{base}.*{tail}' + ('^T' if turned else '')], [self.result(Var(s[:axis] + (s[axis] * len(numbers),) + s[axis + 1:], self.dtype))], f'axis={axis}')

    def star_right(self):
        numbers, base, s = sorted(self.rng.sample(range(13), self.rng.randint(2, 4))), self.stem(), self.shape(2)
        axis = self.rng.randrange(2)
        n = self.fresh(s[:axis] + (s[axis] * len(numbers),) + s[axis + 1:])
        for i in numbers:
            self.make(f'{base}.{i}.w', Var(s, self.dtype))
            self.declared.add(f'{base}.{i}.w')
        self.emit([n], [f'{base}.*.w'], f'axis={axis}')

    def array(self):
        base, k, s = self.stem(), self.rng.randint(1, 4), self.shape(2)
        low = self.rng.choice([0, 0, 1, 9])
        for i in range(low, low + k): self.fresh(s, name=f'{base}_{i}')
        axis = self.rng.randrange(2)
        self.emit([f'{base}[{low}:{low + k}]'], [self.result(Var(s[:axis] + (s[axis] * k,) + s[axis + 1:], self.dtype))], f'axis={axis}')

    def heads(self):
        groups = self.rng.choice([1, 2, 2, 4])
        return groups * self.rng.choice([1, 2, 3]), groups, self.rng.choice([1, 2])

    def attention(self):
        h, g, d = self.heads()
        flag = self.rng.choice(['fused_qkv', 'fused_qkv', 'fused_qkv_old'])
        before, after = self.rng.choice([((3,), ()), ((2,), ()), ((), ()), ((), (3,)), ((2,), (2,))])
        axis = len(before)
        shape = lambda n: before + (n * d,) + after
        attrs = [flag, f'num_heads={h}', f'num_key_value_groups={g}']
        if axis != 1 or self.rng.random() < 0.2: attrs.insert(self.rng.choice([1, 3]), f'axis={axis}')
        held = ('qkv', axis, h, g, d) if flag == 'fused_qkv_old' else None
        x = self.rng.random()
        if x < 0.5:
            lefts = []
            for n in (h, g, g):
                turned = len(shape(n)) > 1 and self.rng.random() < 0.4
                lefts.append(self.fresh(shape(n)[::-1]) + '^T' if turned else self.fresh(shape(n)))
            self.emit(lefts, [self.result(Var(shape(h + 2 * g), self.dtype, fused=held))], *attrs)
        elif flag == 'fused_qkv_old' and x < 0.7:
            n = self.fresh(shape(h + 2 * g))
            self.fused_sources[n] = held
            self.emit([n], [self.result(Var(shape(h + 2 * g), self.dtype, fused=held), [n])], *attrs)
        else:
            n = self.fresh(shape(h + 2 * g))
            if held: self.fused_sources[n] = held
            self.emit([n], [self.result(Var(shape(c), self.dtype)) for c in (h, g, g)], *attrs)

    def feed_forward(self):
        f = self.rng.choice([2, 4, 4, 8])
        before, after = self.rng.choice([((3,), ()), ((2,), ()), ((), ()), ((), (3,)), ((2,), (2,))])
        axis = len(before)
        attrs = ['fused_ffn']
        if axis != 1 or self.rng.random() < 0.2: attrs.append(f'axis={axis}')
        part, whole, x = before + (f,) + after, before + (2 * f,) + after, self.rng.random()
        held = ('ffn', axis, f)
        if x < 0.5:
            lefts = [self.fresh(part[::-1]) + '^T' if len(part) > 1 and self.rng.random() < 0.4 else self.fresh(part) for _ in range(2)]
            return self.emit(lefts, [self.result(Var(whole, self.dtype, fused=held))], *attrs)
        n = self.fresh(whole)
        self.fused_sources[n] = held
        if x < 0.8: return self.emit([n], [self.result(Var(part, self.dtype)) for _ in range(2)], *attrs)
        self.emit([n], [self.result(Var(whole, self.dtype, fused=held), [n])], *attrs)

    def cast(self):
        src, dst = self.rng.sample(['F32', 'BF16', 'F16'], 2)
        if src == 'F32' and dst == 'F16' or src == 'BF16' and dst == 'F16': dst = 'BF16' if src == 'F32' else 'F32'
        n, v = self.take(dtype=src)
        if v.now != src: return self.live.__setitem__(n, v)
        turned = self.rng.random() < 0.3
        q = self.rng.choice('\'"')
        attrs = [f'dtype={q}{SPELLED[dst]}{q}'] if self.rng.random() < 0.5 else [f'src_dtype={q}{SPELLED[src]}{q}', f'dst_dtype={q}{SPELLED[dst]}{q}']
        self.emit([n + ('^T' if turned else '')], [self.result(Var(v.shape[::-1] if turned else v.shape, src, dst))], *attrs)

    def family(self):
        """One statement for every layer or expert, with the numbers that are there."""
        r = self.rng
        ids, eids, base, to = sorted(r.sample(range(12), r.randint(1, 3))), sorted(r.sample(range(4), 2)), self.stem(), self.stem()
        s, kind = self.shape(2), r.choice(['transpose', 'concat', 'split', 'rename', 'offset', 'expert', 'both', 'both', 'chain', 'qkv', 'cast'])
        if kind == 'offset': ids = [i + 1 for i in ids]
        tag = {'offset': '$LAYER_ID_OFFSET', 'expert': '$EXPERT_ID'}.get(kind, '$LAYER_ID')
        mid = r.choice(['.', '_', '.y.'])
        numbers = [(f'{i}', f'{i - 1}' if kind == 'offset' else f'{i}') for i in ids]
        if kind == 'both':
            tag = '$LAYER_ID.e.$EXPERT_ID'
            numbers = [(f'{i}.e.{e}',) * 2 for i in ids for e in eids]
        at = lambda n, leaf: f'{base}.{n}{mid}{leaf}'
        out = lambda n, leaf: f'{to}.{n}{mid}{leaf}'
        dtype = self.dtype if kind != 'cast' else 'F32'
        leaves = {'concat': 'xy', 'qkv': 'xyz', 'both': 'xy'}.get(kind, 'x')
        for a, _ in numbers:
            for leaf in leaves: self.fresh(s, dtype, name=at(a, leaf))
        make = lambda leaf, v: [self.make(out(b, leaf), v) for _, b in numbers]
        if kind in ('concat', 'both'):
            turned = r.random() < 0.5
            t = s[::-1] if turned else s
            make('z', Var((t[0], 2 * t[1]), dtype))
            mark = '^T' if turned else ''
            return self.emit([at(tag, 'x') + mark, at(tag, 'y') + mark], [out(tag, 'z')], 'axis=1')
        if kind == 'qkv':
            make('z', Var((s[0], 3 * s[1]), dtype))
            return self.emit([at(tag, l) for l in 'xyz'], [out(tag, 'z')], 'fused_qkv', f'num_heads={s[1]}', f'num_key_value_groups={s[1]}')
        if kind == 'split' and s[0] % 2 == 0:
            for leaf in 'pq': make(leaf, Var((s[0] // 2, s[1]), dtype))
            return self.emit([at(tag, 'x')], [out(tag, 'p'), out(tag, 'q')], 'axis=0')
        if kind == 'cast':
            make('z', Var(s, 'F32', 'BF16'))
            return self.emit([at(tag, 'x')], [out(tag, 'z')], "dtype='bfloat16'")
        if kind == 'chain':
            make('z', Var(s[::-1], dtype))
            self.emit([at(tag, 'x')], [at(tag, 'x')])
            return self.emit([at(tag, 'x') + '^T'], [out(tag, 'z')])
        turned = kind in ('transpose', 'expert')
        make('z', Var(s[::-1] if turned else s, dtype))
        self.emit([at(tag, 'x') + ('^T' if turned else '')], [out(tag, 'z')])

    def swap(self):
        """Names of the source on the right: what is read later is the source, or the result."""
        s, t = self.shape(2), self.name()
        a, b = self.fresh(s), self.fresh(s)
        if self.rng.random() < 0.5:
            self.emit([a], [t])
            self.emit([b], [a])
            self.emit([t], [b])
            self.make(a, Var(s, self.dtype))
            self.make(b, Var(s, self.dtype))
        else:
            self.emit([a + '^T'], [a])
            self.emit([a + '^T', b], [t], 'axis=1')
            self.made.add(a)
            self.make(t, Var((s[0], 2 * s[1]), self.dtype))

    def kept(self):
        """An intermediate result that the destination has too."""
        n, v = self.take(2)
        mid = self.name()
        self.emit([n], [mid])
        self.emit([mid + '^T'], [self.result(self.turned(v))])
        self.kept_names[mid] = v

    def drop(self):
        n = self.fresh(self.shape(2))
        self.emit([n], ['_'])

    def create(self):
        n = self.name()
        self.created[n] = self.shape(self.rng.choice([1, 2]))
        self.emit(['_'], [n])

    def passing(self):
        n = self.fresh(self.shape(2))
        self.passed.append(n)

    # -- the case -------------------------------------------------------------------------------------------------------

    def held(self, axes, fused, ranks, base):
        """The type of a tensor that ranks hold part by part."""
        kind, axis, *counts = fused
        if kind == 'ffn':
            if counts[0] % ranks: return None
            self.dims[f'{base}_f'] = counts[0]
            axes[axis] = f'({base}_f@tp + {base}_f@tp)'
        else:
            h, g, d = counts
            if h % ranks or g % ranks: return None
            self.dims |= {f'{base}_q': h, f'{base}_k': g, f'{base}_d': d}
            axes[axis] = f'({base}_q@tp {base}_d + {base}_k@tp {base}_d + {base}_k@tp {base}_d)'
        return axis

    @staticmethod
    def axes(shape):
        """Names of axes that every tensor of this shape has: a renaming between two declared tensors matches them."""
        return [f'n{n}_{shape[:i].count(n)}' for i, n in enumerate(shape)]

    def cut(self, shape, fused, ranks):
        """(axis that ranks cut, type) of a tensor."""
        self.count += 1
        base = f'd{self.count}'
        axes = self.axes(shape)
        if fused:
            if self.rng.random() < 0.8:
                axis = self.held(axes, fused, ranks, base)
                if axis is not None:
                    self.dims |= {a: n for a, n in zip(axes, shape) if '@' not in a}
                    return axis, axes
            return None, None
        able = [i for i, n in enumerate(shape) if n % ranks == 0]
        if not able or self.rng.random() < 0.3: return None, None
        axis = self.rng.choice(able)
        self.dims |= dict(zip(axes, shape))
        axes[axis] += '@tp'
        return axis, axes

    def build(self):
        r = self.rng
        self.dtype = r.choice(['F32', 'F32', 'BF16', 'F16', 'I32', 'U8'])
        self.loose = r.random() < 0.2
        self.declared, self.kept_names, self.created, self.passed, self.dims = set(), {}, {}, [], {}
        steps = [self.rename, self.transpose, self.transpose, self.permute, self.split, self.split, self.concat, self.concat, self.star,
                 self.star_right, self.array, self.attention, self.attention, self.attention, self.feed_forward, self.feed_forward, self.cast,
                 self.cast, self.family, self.family, self.family, self.swap, self.kept, self.drop, self.create, self.passing]
        for _ in range(r.randint(1, 6)): r.choice(steps)()
        if not self.statements: self.rename()
        targets, types, lines = {}, {}, []
        source_ranks, ranks = r.choice([1, 1, 1, 2, 4]), r.choice([1, 1, 1, 2, 4])
        source_types = {}
        for name, t in self.sources.items():
            if source_ranks == 1 or name in self.made: continue  # a type would mean the source, not the result of that name
            t.cut, axes = self.cut(t.bits.shape, self.fused_sources.get(name), source_ranks)
            if axes: source_types[name] = f'[{" ".join(axes)}]'
        made = set(self.kept_names) | self.made
        self.passed += [n for n in self.live if n not in made]
        for name, v in {**self.live, **self.kept_names}.items():
            if name in self.live and name in self.kept_names or name not in made: continue
            targets[name] = Wanted(v.now, v.shape)
            axes = None
            if ranks > 1: targets[name].cut, axes = self.cut(v.shape, v.fused, ranks)
            if axes is None and (name in self.declared or name in self.kept_names):
                axes = self.axes(v.shape)
                self.dims |= dict(zip(axes, v.shape))
            if axes: types[self.quoted(name)] = f'[{" ".join(axes)}]'
        for name in self.passed:
            targets[name] = Wanted(self.sources[name].dtype, self.sources[name].bits.shape)
            lines.append(f'{self.quoted(name)} -> {self.quoted(name)}')
        for name, shape in self.created.items():
            targets[name] = Wanted('F32', shape)
            axes = self.axes(shape)
            self.dims |= dict(zip(axes, shape))
            types[self.quoted(name)] = f'[{" ".join(axes)}] : f32'
        source_types = {self.quoted(n): t for n, t in source_types.items()}
        return Case(self.statements, self.sources, targets, source_ranks, ranks, source_types, types, self.dims, lines, created=set(self.created))

    @staticmethod
    def quoted(name): return f'"{name}"' if any(c in name for c in '^$*') else name


def generate(seed): return Chain(seed).build()
