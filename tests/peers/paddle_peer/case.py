"""A configuration with its tensors: as Paddle gets it, and as files, rules and a command for aoac."""
import json, struct, subprocess, tempfile
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
from . import engine
from .engine import Stored, Wanted

WIDTH = {'F32': 4, 'F16': 2, 'BF16': 2, 'I32': 4, 'U8': 1}


def safetensors(tensors, metadata=None):
    head, data, at = {'__metadata__': metadata} if metadata else {}, [], 0
    for name, (dtype, bits) in tensors.items():
        raw = np.ascontiguousarray(bits).tobytes()
        head[name] = {'dtype': dtype, 'shape': list(bits.shape), 'data_offsets': [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    text = json.dumps(head).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + b''.join(data)


def read_safetensors(path):
    blob = path.read_bytes()
    size, = struct.unpack('<Q', blob[:8])
    head = json.loads(blob[8:8 + size])
    head.pop('__metadata__', None)
    out = {}
    for name, t in head.items():
        begin, end = t['data_offsets']
        out[name] = (t['dtype'], tuple(t['shape']), blob[8 + size + begin:8 + size + end])
    return out


def write_ranks(folder, tensors, ranks, axes='tp'):
    """`tensors`: {name: Stored}."""
    folder.mkdir(parents=True)
    for rank in range(ranks):
        parts = {}
        for name, t in tensors.items():
            local, offset = engine.box(t.bits.shape, t.cut, ranks, rank)
            parts[name] = (t.dtype, t.bits[tuple(slice(o, o + n) for o, n in zip(offset, local))])
        if ranks == 1: (folder / 'model.safetensors').write_bytes(safetensors(parts))
        else:
            meta = {'aoa.mesh': f'{axes}={ranks}', 'aoa.rank': str(rank)}
            (folder / f'rank_{rank:05}.safetensors').write_bytes(safetensors(parts, meta))


@dataclass
class Case:
    """`*_types`: {name: axes} of tensors that a type has to stand for; `lines`: further lines of the map."""
    statements: list
    sources: dict
    targets: dict
    source_ranks: int = 1
    ranks: int = 1
    source_types: dict = field(default_factory=dict)
    types: dict = field(default_factory=dict)
    dims: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)
    reverse: bool = False
    created: set = field(default_factory=set)  # targets of `_ -> NAME`: zeros here, untouched by Paddle
    note: str = ''

    def config(self):
        out = {'aoa_statements': list(self.statements)}
        if self.reverse: out['aoa_config_reverse'] = True
        return out

    def paddle(self, how=engine.convert):
        made, unwritten = how(self.config(), self.sources, self.source_ranks, self.targets, self.ranks)
        for rank in made:
            for name in self.created & unwritten: rank[name] = np.zeros_like(rank[name])
        return made, unwritten - self.created

    def rules(self):
        text = f'# {self.note}\n' if self.note else ''
        if self.dims: text += 'dims {\n' + ''.join(f'  {k} = {v}\n' for k, v in self.dims.items()) + '}\n'
        for side, ranks, types in (('a', self.source_ranks, self.source_types), ('b', self.ranks, self.types)):
            text += f'side {side} {{\n  format safetensors\n' + ('  mesh tp\n' if ranks > 1 else '') + ''.join(f'  {n} {t}\n' for n, t in types.items()) + '}\n'
        return text + 'map a <-> b {\n' + ''.join(f'  {s}\n' for s in self.statements + self.lines) + '}\n'

    def save(self, folder):
        """As a case folder of the conformance suite, without its judgement."""
        write_ranks(folder / 'src', self.sources, self.source_ranks)
        (folder / 'rules.aoa').write_text(self.rules())
        (folder / 'config.json').write_text(json.dumps(self.config(), indent=1) + '\n')
        command = 'rules.aoa --run --from a:src --to b:out' + (f' --mesh-to tp={self.ranks}' if self.ranks > 1 else '')
        (folder / 'cmd').write_text(command + '\n')
        return command.split()

    def run(self, aoac, folder):
        """-> (exit status, stderr, one {name: (dtype, shape, bytes)} per rank)."""
        command = self.save(folder)
        return execute(aoac, command, folder, self.ranks)

    def imported(self, aoac, folder):
        """The same by way of `import-aoa`, of whole checkpoints."""
        rules = ['import-aoa', 'config.json', '-o', 'imported.aoa', '--from-checkpoint', 'src']
        done = subprocess.run([aoac, *rules], cwd=folder, capture_output=True, text=True, timeout=60)
        if done.returncode: return done.returncode, done.stderr, []
        ends = ['target:src', 'source:got'] if self.reverse else ['source:src', 'target:got']
        return execute(aoac, ['imported.aoa', '--run', '--from', ends[0], '--to', ends[1]], folder, 1)


def execute(aoac, command, folder, ranks):
    done = subprocess.run([aoac, *command], cwd=folder, capture_output=True, text=True, timeout=60)
    out = folder / command[command.index('--to') + 1].split(':')[1]
    files = [out / 'model.safetensors'] if ranks == 1 else [out / f'rank_{r:05}.safetensors' for r in range(ranks)]
    made = [read_safetensors(f) for f in files] if done.returncode == 0 else []
    return done.returncode, done.stderr, made


def difference(case, made, got, passed=()):
    """'' if aoac's result `got` is what Paddle made, else how they differ."""
    for rank, (want, have) in enumerate(zip(made, got)):
        for name, bits in want.items():
            if name not in have: return f'rank {rank}: {name} is missing'
            dtype, shape, raw = have[name]
            if dtype != case.targets[name].dtype or shape != bits.shape:
                return f'rank {rank}: {name} is {dtype} {shape}, Paddle has {case.targets[name].dtype} {bits.shape}'
            if raw != np.ascontiguousarray(bits).tobytes(): return f'rank {rank}: {name} has other bits'
        more = set(have) - set(want) - set(passed)
        if more: return f'rank {rank}: {sorted(more)} should not be there'
    return ''


def workspace(): return Path(tempfile.mkdtemp(prefix='aoa-paddle-'))
