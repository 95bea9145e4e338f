#!/usr/bin/env python3
"""Loads what aoac writes in torch's formats with torch itself. Not part of the test run.

    python3 -m venv VENV && VENV/bin/pip install torch numpy safetensors
    VENV/bin/python tests/peers/torch_load.py --aoac build/release/bin/aoac --rules rules --fixtures FIXTURES [PATTERN ...]

FIXTURES is a folder of checkpoints with a cases.json (of each case: rules, side, path, format, variant, mesh, args, config, write).
Every case of a format of torch is written again, from itself (what stands around the tensors is kept) and from the whole model
(it is made), with states where it has them. Each file of `torch.save` is loaded with `weights_only=True`. Beyond what torch allows it
may need argparse.Namespace and numpy's arrays, where a format has them, and what the source has, which is kept. Distributed checkpoints are read by torch.distributed.checkpoint and held against
what it reads in the original, bit by bit.
"""
import argparse, fnmatch, json, subprocess, sys, tempfile, zipfile
from pathlib import Path

import torch
from torch.distributed.checkpoint.state_dict_loader import _load_state_dict
from torch.distributed.checkpoint.default_planner import _EmptyStateDictLoadPlanner
from torch.distributed.checkpoint import FileSystemReader

FORMATS = ('hf', 'torch', 'megatron', 'deepspeed', 'internevo', 'dcp')
# What files of their own hold that are made: Megatron's arguments, and the state of numpy's generator in InternEvo's sampler.
KNOWN = {'argparse.Namespace', 'numpy.ndarray', 'numpy.dtype', 'numpy.core.multiarray._reconstruct'}


def convert(options, *arguments):
    done = subprocess.run([options.aoac, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode: raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[0])


def saved_files(folder):
    """Files of torch.save, by their first bytes."""
    for path in sorted(p for p in ([folder] if folder.is_file() else folder.rglob('*')) if p.is_file()):
        with open(path, 'rb') as f: start = f.read(14)
        if path.suffix != '.distcp' and (zipfile.is_zipfile(path) or start[:2] == b'\x80\x02' and path.name != '.metadata'): yield path


class Inert(dict):
    """Stands for a class of a framework that is kept from the source."""
    def __init__(self, *a, **k): super().__init__()
    def __setstate__(self, state): self.update(state if isinstance(state, dict) else {'state': state})


def classes_in(path):
    """What a file needs beyond what torch allows. Files in the form before zip archives cannot be asked."""
    return set(torch.serialization.get_unsafe_globals_in_checkpoint(path)) if zipfile.is_zipfile(path) else set()


def classes(folder):
    return {name for path in saved_files(folder) for name in classes_in(path)}


def load(path, allowed):
    """How many tensors a file holds, and the classes it needs, which must be among those allowed."""
    def tensors(value):
        if isinstance(value, torch.Tensor): return 1 if value.sum() is not None else 0
        if isinstance(value, argparse.Namespace): value = vars(value)
        if isinstance(value, dict): return sum(map(tensors, value.values()))
        if isinstance(value, (list, tuple)): return sum(map(tensors, value))
        return 0
    needed = classes_in(path)
    if needed - allowed: raise RuntimeError(f'it needs {sorted(needed - allowed)}')
    with torch.serialization.safe_globals([(argparse.Namespace if 'argparse' in n else Inert, n) for n in needed]):
        return tensors(torch.load(path, weights_only=True)), needed


def distributed(folder):
    """All that torch.distributed.checkpoint reads of a folder, flat."""
    out = {}
    _load_state_dict(out, storage_reader=FileSystemReader(folder), planner=_EmptyStateDictLoadPlanner(), no_dist=True)
    flat = {}
    def walk(value, name):
        if isinstance(value, dict):
            for k, v in value.items(): walk(v, f'{name}.{k}' if name else str(k))
        elif isinstance(value, (list, tuple)):
            for k, v in enumerate(value): walk(v, f'{name}.{k}')
        else: flat[name] = value
    walk(out, '')
    return flat


def difference(want, got):
    tensors = lambda x: {k: v for k, v in x.items() if isinstance(v, torch.Tensor)}
    want, got = tensors(want), tensors(got)
    if set(want) != set(got): return f'names differ: {sorted(set(want) ^ set(got))[:3]}'
    for name, a in want.items():
        b = got[name]
        if a.dtype != b.dtype or a.shape != b.shape or not torch.equal(a.contiguous().flatten().view(torch.uint8), b.contiguous().flatten().view(torch.uint8)):
            return f'{name} differs: {a.dtype} {tuple(a.shape)}, {b.dtype} {tuple(b.shape)}'
    return ''


def check(options, case, kept, folder):
    original = (options.fixtures / case['path']).resolve()
    rules, whole, written = options.rules / case['rules'], folder / 'whole', folder / 'written'
    states = ['--states'] if case.get('states') else []
    arguments = [a.replace('{root}', str(options.fixtures)) for a in case['args']]
    target = f'{case["side"]}+{case["write"]["variant"]}' if case['write'].get('variant') else case['side']
    mesh = ['--mesh-to', case['write']['mesh']] if case['write'].get('mesh') else []
    rest = [*mesh, *states, *case['write']['args']]
    source = ['--from', f'{case["side"]}:{original}', *arguments]
    if kept:
        try: convert(options, rules, '--run', *source, '--to', f'{target}:{written}', *rest)
        except RuntimeError as error:
            if 'read by no statement' in str(error): return f'refused: {error}'  # it has a tensor that its side does not know
            raise
    else:
        hub = 'whole' if states else 'hf'
        convert(options, rules, '--run', *source, '--to', f'{hub}:{whole}', *states)
        convert(options, rules, '--run', '--from', f'{hub}:{whole}', '--to', f'{target}:{written}', '--config', options.fixtures / case['config'], *rest)
    files, tensors, named, allowed = 0, 0, set(), KNOWN | (classes(original) if kept else set())
    for path in saved_files(written):
        try: count, needed = load(path, allowed)
        except Exception as error: raise RuntimeError(f'{path.relative_to(written)}: {str(error)[:300]}')
        files, tensors, named = files + 1, tensors + count, named | needed
    if case['format'] == 'dcp' and kept and (written / '.metadata').exists() and (original / '.metadata').exists():
        why = difference(distributed(original), distributed(written))
        if why: raise RuntimeError(why)
        return 'torch.distributed.checkpoint reads the same'
    return f'{files} files, {tensors} tensors' + (f', with {", ".join(sorted(named))}' if named else '')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--aoac', required=True)
    p.add_argument('--rules', type=Path, required=True)
    p.add_argument('--fixtures', type=Path, required=True)
    p.add_argument('pattern', nargs='*')
    options = p.parse_args()
    cases = [c for c in json.loads((options.fixtures / 'cases.json').read_text()) if c['format'] in FORMATS and c.get('write')]
    failed = 0
    for case in cases:
        if options.pattern and not any(fnmatch.fnmatchcase(case['name'], x) for x in options.pattern): continue
        for kept in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                try: said = check(options, case, kept, Path(folder))
                except (RuntimeError, OSError) as error: said, failed = f'FAILED: {error}', failed + 1
            print(f'{case["name"]}{"" if kept else ", made"}: {said}', flush=True)
    print(f'{failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
