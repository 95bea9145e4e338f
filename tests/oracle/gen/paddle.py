"""Random chains of Paddle's statements over untyped tensors, with cut tensors declared at either end."""
import random
from . import data
from .case import Case
from .typed import Reject
from ..aoa_oracle.tensorfile import Tensor


class Chain:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.sources, self.statements, self.live, self.families = {}, [], {}, {}
        self.count, self.dims, self.types, self.ffn = 0, [], [], set()
        self.casts = set()

    # -- tensors --------------------------------------------------------------------------------------------------------

    def name(self, prefix='t'):
        self.count += 1
        return f'{self.rng.choice(["", "m.", "blk."])}{prefix}{self.count}{self.rng.choice(["", ".w", ".weight"])}'

    def fresh(self, shape, dtype=None, name=None):
        """A tensor of the source, used once and at once."""
        name = name or self.name('s')
        dtype = dtype or self.dtype
        count = 1
        for n in shape: count *= n
        self.sources[name] = Tensor(dtype, shape, data.elements(self.rng, dtype, count, self.kind))
        return name

    def take(self, rank=None):
        """A tensor to read, with its shape: a result that nobody has read, or a new one."""
        found = [n for n, s in self.live.items() if rank is None or len(s) == rank]
        if found and self.rng.random() < 0.5:
            n = self.rng.choice(found)
            return n, self.live.pop(n)
        shape = self.shape(rank or self.rng.choice([1, 2, 2, 2, 3]))
        return self.fresh(shape), shape

    def shape(self, rank): return tuple(self.rng.choice([1, 2, 2, 3, 4, 4, 6]) for _ in range(rank))

    def emit(self, lefts, rights, *attrs): self.statements.append(', '.join(lefts) + ' -> ' + ', '.join(list(rights) + list(attrs)))

    def result(self, shape, old=()):
        """A name for a result: a new one, or that of a tensor which this statement reads."""
        old = [n for n in old if n not in self.sources]
        n = self.rng.choice(old) if old and self.rng.random() < 0.4 else self.name()
        self.live[n] = tuple(shape)
        return n

    # -- statements -----------------------------------------------------------------------------------------------------

    def rename(self):
        n, s = self.take()
        self.emit([n], [self.result(s)])

    def transpose(self):
        n, s = self.take()
        self.emit([n + '^T'], [self.result(s[::-1], [n])])

    def permute(self):
        n, s = self.take()
        perm = list(range(len(s)))
        self.rng.shuffle(perm)
        if self.rng.random() < 0.2: return self.emit([n], [self.result(s[::-1])], "permute='[]'")
        self.emit([n], [self.result([s[p] for p in perm], [n])], f"permute='{perm}'")

    def split(self):
        n, s = self.take()
        axis = self.rng.randrange(len(s))
        k = self.rng.choice([x for x in (2, 3, 4, s[axis]) if x > 1 and s[axis] % x == 0] or [0])
        if not k: return self.emit([n], [self.result(s)], f'axis={axis}')
        part = s[:axis] + (s[axis] // k,) + s[axis + 1:]
        if self.rng.random() < 0.2:
            base = self.name('p').replace('.', '_')
            for i in range(k): self.live[f'{base}_{i}'] = part
            return self.emit([n], [f'{base}[0:{k}]'], f'axis={axis}')
        self.emit([n], [self.result(part) for _ in range(k)], f'axis={axis}')

    def concat(self):
        n, s = self.take(self.rng.choice([1, 2, 2, 3]))
        axis, k = self.rng.randrange(len(s)), self.rng.randint(1, 3)
        lefts, total = [n], s[axis]
        for _ in range(k):
            extent = self.rng.randint(1, 4)
            part = s[:axis] + (extent,) + s[axis + 1:]
            if self.rng.random() < 0.3: lefts.append(self.fresh(part[::-1]) + '^T')
            else: lefts.append(self.fresh(part))
            total += extent
        self.rng.shuffle(lefts)
        self.emit(lefts, [self.result(s[:axis] + (total,) + s[axis + 1:])], f'axis={axis}')

    def star(self):
        numbers, base = self.rng.sample(range(12), self.rng.randint(2, 4)), self.name('e').replace('.', '_')
        s = self.shape(2)
        for i in numbers: self.fresh(s, name=f'{base}.{i}.w')
        axis = self.rng.randrange(2)
        self.emit([f'{base}.*.w'], [self.result(s[:axis] + (s[axis] * len(numbers),) + s[axis + 1:])], f'axis={axis}')

    def array(self):
        base, k, s = self.name('q').replace('.', '_'), self.rng.randint(2, 4), self.shape(2)
        low = self.rng.randint(0, 2)
        for i in range(low, low + k): self.fresh(s, name=f'{base}_{i}')
        axis = self.rng.randrange(2)
        self.emit([f'{base}[{low}:{low + k}]'], [self.result(s[:axis] + (s[axis] * k,) + s[axis + 1:])], f'axis={axis}')

    def heads(self):
        groups = self.rng.choice([1, 2, 2, 3])
        return groups * self.rng.choice([1, 2, 3]), groups, self.rng.choice([1, 2])

    def attention(self):
        """fused_qkv and fused_qkv_old, both directions, matrices and biases."""
        h, g, d = self.heads()
        flag = self.rng.choice(['fused_qkv', 'fused_qkv', 'fused_qkv_old'])
        axis, width = self.rng.choice([(1, (3,)), (1, (2,)), (0, ())])
        shape = lambda n: width + (n * d,)
        attrs = [flag, f'num_heads={h}', f'{self.rng.choice(["num_key_value_groups", "num_kv_heads"])}={g}'] + ([f'axis={axis}'] if axis == 0 else [])
        if self.rng.random() < 0.5:
            lefts = []
            for n in (h, g, g):
                turned = width and self.rng.random() < 0.4
                lefts.append(self.fresh(shape(n)[::-1]) + '^T' if turned else self.fresh(shape(n)))
            self.emit(lefts, [self.result(shape(h + 2 * g))], *attrs)
        elif flag == 'fused_qkv_old' and self.rng.random() < 0.3: self.emit([self.fresh(shape(h + 2 * g))], [self.result(shape(h + 2 * g))], *attrs)
        else: self.emit([self.fresh(shape(h + 2 * g))], [self.result(shape(n)) for n in (h, g, g)], *attrs)

    def feed_forward(self):
        f, axis, width = self.rng.choice([2, 4, 4, 8]), *self.rng.choice([(1, (3,)), (1, (2,)), (0, ())])
        attrs = ['fused_ffn'] + ([f'axis={axis}'] if axis == 0 else [])
        x = self.rng.random()
        if x < 0.5:
            lefts = [self.fresh((width + (f,))[::-1]) + '^T' if width and self.rng.random() < 0.4 else self.fresh(width + (f,)) for _ in range(2)]
            out = self.result(width + (2 * f,))
            self.emit(lefts, [out], *attrs)
        elif x < 0.8:
            self.emit([self.fresh(width + (2 * f,))], [self.result(width + (f,)) for _ in range(2)], *attrs)
            return
        else:
            out = self.result(width + (2 * f,))
            self.emit([self.fresh(width + (2 * f,))], [out], *attrs)
        self.ffn.add(out)

    def reshape(self):
        full = tuple(self.rng.choice([1, 2, 3]) for _ in range(self.rng.choice([3, 3, 4])))
        rest = 1
        for n in full[2:]: rest *= n
        flat = (full[0] * full[1], rest)
        if flat == full: return
        a, b = (full, flat) if self.rng.random() < 0.5 else (flat, full)
        self.emit([self.fresh(a)], [self.result(b)], f"reshape='{list(full)}'")

    def cast(self):
        src, dst = self.rng.sample(['F32', 'BF16', 'F16'], 2)
        spell = {'F32': 'float32', 'BF16': 'bfloat16', 'F16': 'float16'}
        if self.kind != 'tame': return
        s = self.shape(2)
        n, turned = self.fresh(s, src), self.rng.random() < 0.3
        attrs = [f"dtype='{spell[dst]}'"] if self.rng.random() < 0.5 else [f"src_dtype='{spell[src]}'", f"dst_dtype='{spell[dst]}'"]
        out = self.name('c')
        self.casts.add(out)
        self.finals_only = getattr(self, 'finals_only', {})
        self.finals_only[out] = s[::-1] if turned else s
        self.emit([n + ('^T' if turned else '')], [out], *attrs)

    def family(self):
        """The same statement for every layer, with the numbers that are there."""
        ids, base = sorted(self.rng.sample(range(8), self.rng.randint(1, 3))), self.name('f').replace('.', '_')
        s, kind = self.shape(2), self.rng.choice(['transpose', 'concat', 'rename', 'drop', 'offset', 'expert', 'plain'])
        if kind == 'offset': ids = [i + 1 for i in ids]
        tag = {'offset': 'LAYER_ID_OFFSET', 'expert': 'EXPERT_ID'}.get(kind, 'LAYER_ID')
        if kind == 'plain': ids, tag = list(range(len(ids))), f'v{self.count}'
        for i in ids:
            for leaf in ('x', 'y')[:2 if kind == 'concat' else 1]: self.fresh(s, name=f'{base}.{i}.{leaf}')
        to = self.name('g').replace('.', '_')
        if kind == 'drop': return self.emit([f'{base}.${tag}.x'], ['_'])
        if kind == 'concat': return self.emit([f'{base}.${tag}.x', f'{base}.${tag}.y'], [f'{to}.${tag}.z'], 'axis=1')
        if kind in ('transpose', 'expert', 'plain'): return self.emit([f'{base}.${tag}.x^T'], [f'{to}.${tag}.z'])
        self.emit([f'{base}.${tag}.x'], [f'{to}.${tag}.z'])

    def two_readers(self):
        n, s = self.fresh((2, 3)), (2, 3)
        self.emit([n], [self.result(s)])
        self.emit([n + '^T'], [self.result(s[::-1])])

    def drop(self): self.emit([self.fresh(self.shape(2))], ['_'])

    # -- the case -------------------------------------------------------------------------------------------------------

    def declare(self, name, shape, tp, right):
        """A type for a tensor that is cut over tp ranks."""
        self.count += 1
        dims = [f'p{self.count}_{i}' for i in range(len(shape))]
        axes = dims[:]
        if name in self.ffn and right:
            last = shape[-1] // 2
            if last % tp: return None
            self.dims += [f'{d} = {n}' for d, n in zip(dims, shape[:-1] + (last,))]
            axes[-1] = f'({dims[-1]}@tp + {dims[-1]}@tp)'
        else:
            able = [i for i, n in enumerate(shape) if n and n % tp == 0]
            if able and self.rng.random() < 0.8:
                i = self.rng.choice(able)
                axes[i] = dims[i] + '@tp'
            if right: self.dims += [f'{d} = {n}' for d, n in zip(dims, shape)]
        return f'{name} [{" ".join(axes)}]'

    def backward(self):
        """Two-way renames, ^T and permutations, run against the arrow's writing order."""
        r, lines = self.rng, []
        for _ in range(r.randint(1, 4)):
            s, out = self.shape(r.choice([1, 2, 2, 3])), self.name()
            n, x = self.fresh(s), r.random()
            perm = r.sample(range(len(s)), len(s))
            lines.append(f'{out}^T <-> {n}' if x < 0.5 else f"{out} <-> {n}, permute='{perm}'" if x < 0.8 else f'{out} <-> {n}')
        text = '# paddle backwards\nside a { format safetensors }\nside b { format safetensors }\nmap b <-> a {\n' + ''.join(f'  {x}\n' for x in lines) + '}\n'
        case = Case(text, ['rules.aoa', '--run', '--from', 'a:src', '--to', 'b:out'], {'src': {'model.safetensors': (self.sources, {})}})
        return case, case.outcome()

    def build(self):
        r = self.rng
        self.kind = r.choice(['any', 'tame'])
        self.dtype = r.choice(['F32', 'BF16', 'F16', 'I32', 'U8', 'F8_E4M3']) if self.kind == 'any' else 'F32'
        if r.random() < 0.08: return self.backward()
        steps = [self.rename, self.transpose, self.transpose, self.permute, self.split, self.split, self.concat, self.concat, self.star, self.array,
                 self.attention, self.attention, self.feed_forward, self.feed_forward, self.reshape, self.cast, self.family, self.family,
                 self.two_readers, self.drop]
        for _ in range(r.randint(1, 6)): r.choice(steps)()
        if not self.statements: raise Reject('no statements')
        tp = r.choice([1, 1, 2, 2, 4])
        right_mesh = r.random() < 0.5
        b_types = []
        if right_mesh:
            for n, s in list(self.live.items()):
                if r.random() < 0.6 and len(s): b_types.append(self.declare(n, s, tp, True))
        b_types = [t for t in b_types if t]
        command = ['rules.aoa', '--run', '--from', 'a:src', '--to', 'b:out'] + (['--mesh-to', f'tp={tp}'] if right_mesh else [])
        source, a_types, a_mesh = {'model.safetensors': (self.sources, {})}, [], ''
        if r.random() < 0.3: source, a_types, a_mesh = self.cut_source(source)
        text = ''
        if self.dims: text += 'dims {\n' + ''.join(f'  {d}\n' for d in self.dims) + '}\n'
        text += 'side a {\n  format safetensors\n' + a_mesh + ''.join(f'  {t}\n' for t in a_types) + '}\n'
        text += 'side b {\n  format safetensors\n' + ('  mesh tp\n' if right_mesh else '') + ''.join(f'  {t}\n' for t in b_types) + '}\n'
        text += 'map a <-> b {\n' + ''.join(f'  {s}\n' for s in self.statements) + '}\n'
        case = Case('# paddle\n' + text, command, {'src': source})
        return case, case.outcome()

    def cut_source(self, source):
        """The source over two ranks; some of its tensors are cut and declared."""
        names = [n for n, t in self.sources.items() if len(t.shape) and '.' not in n[-3:]]
        seen = set(' '.join(self.statements).replace(',', ' ').replace('^T', '').split())
        names = [n for n in names if n in seen and n not in self.ffn and not any(f'{n}' in s and 'fused_ffn' in s or n in s and 'fused_qkv_old' in s for s in self.statements)]
        types = [t for t in (self.declare(n, self.sources[n].shape, 2, False) for n in names if self.rng.random() < 0.6) if t]
        text = 'dims {\n' + ''.join(f'  {t.split(" [")[1][:-1].replace("@tp", "").split()[i]} = {n}\n' for t in types
                                     for i, n in enumerate(self.sources[t.split(' [')[0]].shape)) + '}\n'
        text += 'side seed { format safetensors }\nside a {\n  format safetensors\n  mesh tp\n' + ''.join(f'  {t}\n' for t in types) + '}\n'
        text += 'map seed <-> a {\n' + ''.join(f'  {n} -> {n}\n' for n in self.sources) + '}\n'
        out = Case(text, ['rules.aoa', '--run', '--from', 'seed:seed', '--to', 'a:src', '--mesh-to', 'tp=2'], {'seed': source}).outcome()
        if out.status != 0: raise Reject(f'seed: {out.message}')
        return out.files, types, '  mesh tp\n'


def generate(seed): return Chain(seed).build()
