#!/usr/bin/env python3
"""Loads checkpoints that aoac wrote with MindSpore itself, and compares every tensor. Not part of the test run.

    python3 -m venv VENV && VENV/bin/pip install mindspore==2.10.0 'numpy<2' safetensors==0.4.5
    VENV/bin/python tests/peers/mindspore_load.py --aoac build/release/bin/aoac --rules rules --fixtures FIXTURES [PATTERN]

FIXTURES is a folder of checkpoints with a cases.json (of each case: rules, side, path, args, write). For every case of
MindSpore that can be written, aoac writes it from the whole model, and

  - `load_checkpoint` reads each file, and holds what it holds for the original files, bit by bit;
  - what is cut by a strategy goes through `transform_checkpoints` to whole tensors, or is read by
    `load_distributed_checkpoint`, and gives the whole model.
"""
import os, sys
from pathlib import Path

os.environ.setdefault('GLOG_v', '3')  # errors only
import mindspore as ms  # noqa: E402

import written  # noqa: E402
from written import Differs  # noqa: E402


def bits(parameter):
    array = parameter.asnumpy()
    return str(parameter.dtype), tuple(parameter.shape), array.tobytes()


def load(path):
    form = 'safetensors' if str(path).endswith('.safetensors') else 'ckpt'
    return {name: bits(p) for name, p in ms.load_checkpoint(str(path), format=form).items() if hasattr(p, 'asnumpy')}


def files(path):
    """{rank: file}: of a folder of ranks, or of one file, or of the parts of a unified folder."""
    if path.is_file(): return {0: path}
    ranks = {int(p.name[5:]): sorted(p.glob('*.ckpt')) + sorted(p.glob('*.safetensors')) for p in path.glob('rank_[0-9]*')}
    if ranks: return {rank: found[-1] for rank, found in ranks.items()}
    parts = [p for p in path.iterdir() if p.suffix in ('.ckpt', '.safetensors') and p.name != 'hyper_param.safetensors']
    return dict(enumerate(sorted(parts)))


def difference(want, got):
    """'' if `got` holds the model's tensors of `want` and nothing else, else how they differ."""
    want = {name: t for name, t in want.items() if len(t[1]) > 1 or t[1] not in ((), (1,))}
    got = {name: t for name, t in got.items() if len(t[1]) > 1 or t[1] not in ((), (1,))}
    if set(want) != set(got): return f'names: {sorted(set(want) ^ set(got))[:3]}'
    wrong = [name for name in want if want[name] != got[name]]
    return f'{len(wrong)} tensors differ, {wrong[0]}' if wrong else ''


def check(case):
    out, arguments = case.write()
    ours, theirs = files(out), files(case.path)
    if set(ours) != set(theirs): raise Differs(f'ranks {sorted(ours)}, not {sorted(theirs)}')
    for rank, path in ours.items():
        why = difference(load(theirs[rank]), load(path))
        if why: raise Differs(f'rank {rank}: {why}')
    layout = next((Path(a) for a in arguments if not a.startswith('--')), None)
    if layout: join(case, out, layout)


def join(case, out, layout):
    """MindSpore's own tool puts our ranks together."""
    strategies = sorted(layout.iterdir()) if layout.is_dir() else [layout]
    strategy = strategies[0]
    if len({p.read_bytes() for p in strategies}) > 1:
        strategy = case.folder / 'merged.ckpt'
        ms.merge_pipeline_strategys(str(layout), str(strategy))
    whole, form = case.folder / 'joined', case.facts['write']['variant']
    ms.transform_checkpoints(str(out), str(whole), 'x', str(strategy), None, output_format=form)
    side = case.facts['side']
    case.run(case.rules, '--run', '--from', f'{side}:{out}', '--to', f'{side}+{form}:{case.folder / "ours"}', '--layout-from', layout,
             *case.words(case.facts['args'][:2]), *case.states)
    why = difference(load(files(case.folder / 'ours')[0]), load(files(whole)[0]))
    if why: raise Differs(why)


if __name__ == '__main__':
    sys.exit(written.main('mindspore', check))
