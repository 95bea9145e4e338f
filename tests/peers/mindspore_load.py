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
import argparse, fnmatch, json, os, subprocess, sys, tempfile
from pathlib import Path

os.environ.setdefault('GLOG_v', '3')  # errors only
import mindspore as ms  # noqa: E402


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


class Peer:
    def __init__(self, options):
        self.options = options
        self.root = options.fixtures

    def run(self, *arguments):
        done = subprocess.run([self.options.aoac, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode: raise RuntimeError(done.stderr.strip() or f'exit status {done.returncode}')

    def write(self, case, out):
        """Writes the case from the whole model, as its `write` says."""
        to = case['side'] + '+' + case['write']['variant']
        source = ('whole', out.parent / 'whole') if case['states'] else ('hf', out.parent / 'hf')
        arguments = [a.replace('{root}', str(self.root)) for a in case['args']]
        states = ['--states'] if case['states'] else []
        rules = self.options.rules / case['rules']
        self.run(rules, '--run', '--from', f'{case["side"]}:{self.root / case["path"]}', '--to', f'{source[0]}:{source[1]}',
                 *arguments, *states)
        config = arguments[arguments.index('--config'):][:2]
        written = [a.replace('{root}', str(self.root)) for a in case['write']['args']]
        mesh = ['--mesh-to', case['write']['mesh']] if case['write']['mesh'] else []
        self.run(rules, '--run', '--from', f'{source[0]}:{source[1]}', '--to', f'{to}:{out}', *config, *states, *mesh, *written)
        return next((Path(w) for w in written if not w.startswith('--')), None)

    def check(self, case, folder):
        out = folder / 'out'
        layout = self.write(case, out)
        ours, theirs = files(out), files(self.root / case['path'])
        if set(ours) != set(theirs): return f'ranks {sorted(ours)}, not {sorted(theirs)}'
        for rank, path in ours.items():
            why = difference(load(theirs[rank]), load(path))
            if why: return f'rank {rank}: {why}'
        return self.join(case, out, layout, folder) if layout else ''

    def join(self, case, out, layout, folder):
        """MindSpore's own tool puts our ranks together."""
        strategies = sorted(layout.iterdir()) if layout.is_dir() else [layout]
        strategy = strategies[0]
        if len({p.read_bytes() for p in strategies}) > 1:
            strategy = folder / 'merged.ckpt'
            ms.merge_pipeline_strategys(str(layout), str(strategy))
        whole, form = folder / 'joined', case['write']['variant']
        ms.transform_checkpoints(str(out), str(whole), 'x', str(strategy), None, output_format=form)
        back = load(files(whole)[0])
        self.run(self.options.rules / case['rules'], '--run', '--from', f'{case["side"]}:{out}', '--to',
                 f'{case["side"]}+{form}:{folder / "ours"}', '--layout-from', layout,
                 *[a.replace('{root}', str(self.root)) for a in case['args'][:2]], *(['--states'] if case['states'] else []))
        return difference(load(files(folder / 'ours')[0]), back)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--aoac', type=Path, required=True)
    p.add_argument('--rules', type=Path, required=True)
    p.add_argument('--fixtures', type=Path, required=True)
    p.add_argument('patterns', nargs='*', default=['*'])
    options = p.parse_args()
    cases = json.loads((options.fixtures / 'cases.json').read_text())
    cases = [c for c in cases if c['format'] == 'mindspore' and c.get('write') and
             any(fnmatch.fnmatch(c['name'], pattern) for pattern in options.patterns)]
    failed = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            try:
                why = Peer(options).check(case, Path(folder))
            except Exception as error:  # MindSpore raises what it likes
                why = f'{type(error).__name__}: {error}'
        failed += bool(why)
        print(f'{case["name"]}: {why or "equal"}', flush=True)
    print(f'{len(cases) - failed} equal, {failed} not')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
