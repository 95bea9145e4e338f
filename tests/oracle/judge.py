"""Judging of case folders, as the conformance suite defines them (its README, section *A case*).

A case: `cmd`, inputs, and `expected/` or `error`. `work_copy` makes the folder in which the commands run; `differences`
compares a target with `expected/`.
"""
import json, os, shlex, shutil
from .aoa_oracle import tensorfile
from .aoa_oracle.errors import Wrong

JUDGING = {'cmd', 'expected', 'error', 'output', 'stdout', 'stderr', 'compare', 'relation', 'variants', 'made-by-paddle', 'note'}


def commands(case):
    with open(os.path.join(case, 'cmd'), encoding='utf-8') as f: return [shlex.split(x) for x in f if x.strip()]


def kind(case):
    found = [k for k in ('expected', 'error', 'output', 'relation') if os.path.exists(os.path.join(case, k))]
    return found[0] if len(found) == 1 else None


def statuses(case, kind='error'):
    with open(os.path.join(case, kind), encoding='utf-8') as f: return [int(x) for x in f.readline().split()]


def work_copy(case, folder):
    """Copies everything but the judging files."""
    for x in os.listdir(case):
        if x in JUDGING: continue
        a, b = os.path.join(case, x), os.path.join(folder, x)
        shutil.copytree(a, b) if os.path.isdir(a) else shutil.copy(a, b)


def target(arguments):
    """The path of --to SIDE:PATH, else `out`."""
    for i, a in enumerate(arguments):
        text = arguments[i + 1] if a == '--to' and i + 1 < len(arguments) else a[5:] if a.startswith('--to=') else ''
        if ':' in text: return text.split(':', 1)[1]
    return 'out'


def below(folder):
    return {os.path.relpath(os.path.join(d, f), folder): os.path.join(d, f) for d, _, fs in os.walk(folder) for f in fs}


def load(folder):
    """{file: (tensors, metadata)} of the safetensors files of a folder."""
    return {n: tensorfile.read(p) for n, p in below(folder).items() if n.endswith('.safetensors')}


def compare_tensors(where, want, got):
    out = [f'{where}: {n} is missing' for n in sorted(set(want) - set(got))]
    out += [f'{where}: {n} should not be there' for n in sorted(set(got) - set(want))]
    for n in sorted(set(want) & set(got)):
        a, b = want[n], got[n]
        if a.dtype != b.dtype: out.append(f'{where}: {n} is {b.dtype}, not {a.dtype}')
        elif a.shape != b.shape: out.append(f'{where}: {n} has shape {b.shape}, not {a.shape}')
        elif a.vals != b.vals:
            i = next(i for i, (x, y) in enumerate(zip(a.vals, b.vals)) if x != y)
            out.append(f'{where}: {n}: {sum(x != y for x, y in zip(a.vals, b.vals))} of {len(a.vals)} elements differ, the first at {i}: '
                       f'{b.vals[i]:#x}, not {a.vals[i]:#x}')
    return out


def compare_files(want, got, union=False):
    """Both {file: (tensors, metadata)}. Lines that say how they differ."""
    if union:
        a = {n: t for ts, _ in want.values() for n, t in ts.items()}
        b = {n: t for ts, _ in got.values() for n, t in ts.items()}
        return compare_tensors('all files', a, b)
    out = [f'{f} is missing' for f in sorted(set(want) - set(got))] + [f'{f} should not be there' for f in sorted(set(got) - set(want))]
    for f in sorted(set(want) & set(got)):
        (a, am), (b, bm) = want[f], got[f]
        out += compare_tensors(f, a, b)
        keys = {'aoa.mesh', 'aoa.rank'} | {k for k in am if k.startswith('aoa.')}
        out += [f'{f}: metadata {k} is {bm.get(k)!r}, not {am.get(k)!r}' for k in sorted(keys) if am.get(k) != bm.get(k)]
    return out


def differences(case, folder):
    """How a written target differs from `expected/` of a case."""
    modes = []
    if os.path.exists(os.path.join(case, 'compare')): modes = open(os.path.join(case, 'compare')).read().split()
    try: out = compare_files(load(os.path.join(case, 'expected')), load(folder), 'union' in modes)
    except Wrong as e: return [str(e)]
    for f, path in below(os.path.join(case, 'expected')).items():
        if f.endswith('.safetensors'): continue
        other = os.path.join(folder, f)
        if not os.path.exists(other): out.append(f'{f} is missing')
        elif f.endswith('.json'):
            a, b = json.load(open(path)), json.load(open(other))
            out += [f'{f}: {k} is {b.get(k)!r}, not {v!r}' for k, v in a.items() if b.get(k) != v]
        elif open(path, 'rb').read() != open(other, 'rb').read(): out.append(f'{f}: content differs')
    return out
