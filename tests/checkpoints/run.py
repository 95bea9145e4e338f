#!/usr/bin/env python3
"""Checkpoints as training frameworks write them: read, compared bit by bit, written again in the same layout, and read again.

    run.py --aoac PATH [CASE...]         CASE: a name or a glob over names
    run.py --expect MODEL                prints expected.txt for a whole model (a file or a folder of safetensors)

A case NAME is the folder data/checkpoints/NAME: `ckpt/`, the model's `config.json`, and `expected.txt`, a line
`DIGEST DTYPE [SHAPE] TENSOR` for each tensor of the whole model under the names of side `whole` (`hf` without states).
The digest is BLAKE2b-128 of the tensor's bytes. cases.json says, for each case,

    side     of rules/llama2.aoa that the checkpoint is read as
    format   in place of a side: no family knows its names, every tensor is copied as it is
    path     of the checkpoint in the folder, if it is not `ckpt`
    args     further arguments for reading; {case} is the folder
    states   whether optimizer states are read; those of expected.txt are left out if not
    tied     {COPY: ORIGINAL}: tensors that may be written besides, equal to their originals
    drop     optional tensors that are no part of what is expected
    write    [{variant, mesh, args, diff}]: written like this and read again; `diff`: `aoac diff` must find no difference

and `read_only`, patterns of cases whose `write` waits for a writer.
"""
import argparse, concurrent.futures, fnmatch, hashlib, json, shutil, subprocess, sys, tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
DATA, RULES = TESTS / 'data' / 'checkpoints', TESTS.parent / 'rules' / 'llama2.aoa'
sys.path.insert(0, str(TESTS / 'conformance'))
from run import Bad, read_safetensors  # noqa: E402

STATES = ('.master', '.moment1', '.moment2')
NUMBERS = ('.step', '.beta1_pow', '.beta2_pow')  # what a whole model has besides


def facts_of(path):
    """{tensor: (digest, dtype, shape)} of a model: a file, or all files of a folder."""
    out = {}
    for file in [path] if path.is_file() else sorted(path.glob('*.safetensors')):
        for name, (dtype, shape, data) in read_safetensors(file)[0].items():
            if name in out: raise Bad(f'{name} stands in two files')
            out[name] = (hashlib.blake2b(data, digest_size=16).hexdigest(), dtype, f'[{",".join(map(str, shape))}]')
    return out


def expectation(path):
    lines = [line.split(' ', 3) for line in path.read_text(encoding='utf-8').splitlines()]
    return {name: (digest, dtype, shape) for digest, dtype, shape, name in lines}


def difference(want, got, tied):
    """'' if a model is what is expected, else the first lines of how it differs. A number's shape is not compared."""
    copies = {name + role: want[original + role] for name, original in tied.items()
              for role in ('', *STATES) if original + role in want}
    lines = [f'{name} is missing' for name in want if name not in got and name not in copies]
    for name, (digest, dtype, shape) in sorted(got.items()):
        expected = want.get(name, copies.get(name))
        if expected is None:
            if not name.endswith(NUMBERS): lines.append(f'{name} should not be there')
        elif dtype != expected[1] or (shape != expected[2] and not name.endswith(NUMBERS)):
            lines.append(f'{name} is {dtype} {shape}, expected {expected[1]} {expected[2]}')
        elif digest != expected[0]:
            lines.append(f'{name} has other elements')
    return '; '.join(lines[:3]) + (f'; and {len(lines) - 3} more' if len(lines) > 3 else '')


class Case:
    def __init__(self, aoac, name, facts, read_only):
        self.aoac, self.name, self.facts, self.folder = aoac, name, facts, DATA / name
        self.path = self.folder / facts.get('path', 'ckpt')
        self.states, self.args = facts.get('states', False), self.fill(facts.get('args', []))
        self.writes = [] if read_only else facts.get('write', [])
        self.passed, self.failures = 0, []

    def fill(self, arguments):
        return [x.replace('{case}', str(self.folder)) for x in arguments]

    def judge(self, what, reason):
        if reason: self.failures.append(f'{self.name}: {what}: {reason}')
        else: self.passed += 1
        return not reason

    def call(self, *arguments):
        """The reason why a command failed, or ''."""
        done = subprocess.run([self.aoac, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        return f'exit status {done.returncode}: {(done.stdout + done.stderr).strip()[:600]}' if done.returncode else ''

    def convert(self, source, target, *arguments):
        return self.call(RULES, '--run', '--from', source, '--to', target, *arguments, *(['--states'] if self.states else []))

    @property
    def whole(self):
        return 'whole' if self.states else 'hf'

    def compare(self, what, path):
        want = expectation(self.folder / 'expected.txt')
        if not self.states: want = {name: facts for name, facts in want.items() if not name.endswith(STATES + NUMBERS)}
        try: reason = difference(want, facts_of(path), self.facts.get('tied', {}))
        except Bad as e: reason = str(e)
        return self.judge(what, reason)

    def run(self):
        with tempfile.TemporaryDirectory(prefix='checkpoints-') as name:
            folder = Path(name)
            if 'format' in self.facts: return self.copy(folder)
            model = folder / 'model'
            if not self.judge('read', self.convert(f'{self.facts["side"]}:{self.path}', f'{self.whole}:{model}', *self.args)): return
            if not self.compare('model', model): return
            shutil.copyfile(self.folder / 'config.json', model / 'config.json')
            for i, write in enumerate(self.writes): self.again(model, write, folder / str(i))

    def copy(self, folder):
        """By rules made here, which name every tensor."""
        quoted = lambda name: json.dumps(name, ensure_ascii=False)  # noqa: E731
        names = [f'  {quoted(n)} -> {quoted(n)}' for n in expectation(self.folder / 'expected.txt')]
        names += [f'  {quoted(n)} optional -> _' for n in self.facts.get('drop', [])]
        rules = folder / 'copy.aoa'
        rules.write_text('\n'.join(['family copy', f'side source {{ format {self.facts["format"]} }}', 'side plain { format safetensors }',
                                    'map source <-> plain {', *names, '}', '']), encoding='utf-8')
        out = folder / 'out'
        if self.judge('copy', self.call(rules, '--run', '--from', f'source:{self.path}', '--to', f'plain:{out}')): self.compare('tensors', out)

    def again(self, model, write, folder):
        """Writes the whole model as the case was, and reads it."""
        made, back, side = folder / 'made', folder / 'back', self.facts['side']
        folder.mkdir()
        mesh = ['--mesh-to', write['mesh']] if 'mesh' in write else []
        arguments = ['--config', self.folder / 'config.json', *mesh, *self.fill(write.get('args', []))]
        what = f'{write["variant"]} {write.get("mesh", "")}'.strip()
        if not self.judge(f'write {what}', self.convert(f'{self.whole}:{model}', f'{side}+{write["variant"]}:{made}', *arguments)): return
        if not self.judge(f'read {what} again', self.convert(f'{side}:{made}', f'{self.whole}:{back}', *self.args)): return
        self.compare(f'model from {what}', back)
        if write.get('diff'): self.judge(f'diff {what}', self.call('diff', self.path, made))


def judged(case):
    try: case.run()
    except Exception as e: case.failures.append(f'{case.name}: {type(e).__name__}: {e}')  # the others go on
    return case


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac')
    p.add_argument('--expect', type=Path, metavar='MODEL', help='print what is to be expected, and run nothing')
    p.add_argument('-j', '--jobs', type=int, default=2, help='cases at once')
    p.add_argument('case', nargs='*', help='all, if none is given')
    o = p.parse_args()
    if o.expect:
        for name, facts in sorted(facts_of(o.expect).items()): print(*facts, name)
        return 0
    if not o.aoac: p.error('--aoac is missing')
    said = json.loads((DATA / 'cases.json').read_text(encoding='utf-8'))
    chosen = [n for n in said['cases'] if not o.case or any(fnmatch.fnmatchcase(n, pattern) for pattern in o.case)]
    if not chosen: p.error('no such case')
    aoac = str(Path(o.aoac).resolve())
    cases = [Case(aoac, n, said['cases'][n], any(fnmatch.fnmatchcase(n, pattern) for pattern in said['read_only'])) for n in chosen]
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool: cases = list(pool.map(judged, cases))  # the work is in other processes
    passed, failures = sum(c.passed for c in cases), [line for c in cases for line in c.failures]
    for line in failures: print('FAIL', line)
    print(f'{passed} passed, {len(failures)} failed')
    return 1 if failures else 0


if __name__ == '__main__': sys.exit(main())
