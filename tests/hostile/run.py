#!/usr/bin/env python3
"""Files that lie: each is refused, or read, as data/hostile/cases.json says; soon, in little memory, and nothing is left.

    run.py --aoac PATH [--lax] [FILE...]        FILE: below data/hostile, or a glob

cases.json gives, for each file or folder below data/hostile, the words that a refusal must say, one text or several; or
an object {tensor: elements} for what must be read, elements as a list of numbers or null where any will do. Each is
converted by rules that copy its tensors, and looked at with `aoac inspect`. A refusal exits with 1, names the file, and leaves
no target. Nothing may take more than SECONDS of processor time or BYTES of memory, and no file that is no case may lie there.

--lax: without the bounds, for builds with sanitizers.
"""
import argparse, fnmatch, json, os, shutil, struct, subprocess, sys, tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
DATA = TESTS / 'data' / 'hostile'
sys.path.insert(0, str(TESTS / 'conformance'))
from run import read_safetensors  # noqa: E402

SECONDS, BYTES = 0.1, 100 << 20
TRAP = 'aoac-hostile-was-executed'  # what files with code in them would make in the temporary folder
FORMATS = {'safetensors': 'safetensors', 'index': 'hf', 'dcp': 'dcp'}
CODES = {'F32': 'f', 'F64': 'd', 'I64': 'q', 'I32': 'i', 'F16': 'e', 'U8': 'B', 'I8': 'b'}


def values(dtype, data):
    width = struct.calcsize(CODES[dtype])
    return [struct.unpack('<' + CODES[dtype], data[i:i + width])[0] for i in range(0, len(data), width)]


class Checker:
    def __init__(self, aoac, lax):
        self.aoac, self.lax, self.passed, self.failures = aoac, lax, 0, []
        self.slowest = self.largest = 0

    def judge(self, what, reason):
        if reason: self.failures.append(f'{what}: {reason}')
        else: self.passed += 1
        return not reason

    def start(self, folder, *arguments):
        """(exit status, output, seconds, bytes) of a command whose temporary folder is `folder`."""
        with tempfile.TemporaryFile() as output:
            child = subprocess.Popen([self.aoac, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                     env={**os.environ, 'TMPDIR': str(folder)})
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            said = output.read().decode('utf-8', 'replace')
        return child.returncode, said, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10

    def call(self, what, folder, *arguments):
        """(exit status, output); judges what it took."""
        status, said, seconds, memory = self.start(folder, *arguments)
        for _ in range(3 if status else 0):  # a busy machine may have been slow; what failed can be done again
            if self.lax or seconds <= SECONDS: break
            seconds = min(seconds, self.start(folder, *arguments)[2])
        self.slowest, self.largest = max(self.slowest, seconds), max(self.largest, memory)
        if not self.lax:
            self.judge(what + ': time', f'{seconds * 1000:.0f} ms' if seconds > SECONDS else '')
            self.judge(what + ': memory', f'{memory >> 20} MiB' if memory > BYTES else '')
        for trap in (folder / TRAP, Path(tempfile.gettempdir()) / TRAP):
            self.judge(what + ': runs no code', f'{trap} is there' if trap.exists() else '')
        return status, said

    def check(self, name, expected):
        with tempfile.TemporaryDirectory(prefix='hostile-') as text:
            folder = Path(text)
            path, out = self.placed(DATA / name, folder), folder / 'out'
            rules = folder / 'copy.aoa'
            good = isinstance(expected, dict)
            quoted = [json.dumps(n, ensure_ascii=False) for n in expected] if good else ['w']
            rules.write_text('\n'.join([f'side a {{ format {FORMATS.get(name.split("/")[0], "torch")} }}', 'side b { format safetensors }',
                                        'map a <-> b {', *(f'  {n} -> {n}' for n in quoted), '}', '']), encoding='utf-8')
            status, said = self.call(f'{name}: run', folder, rules, '--run', '--from', f'a:{path}', '--to', f'b:{out}')
            if good: self.judge(f'{name}: run', self.read(status, said, out, expected))
            else: self.judge(f'{name}: run', self.refused(status, said, path.name, expected) or ('a target is left' if out.exists() else ''))
            status, said = self.call(f'{name}: inspect', folder, 'inspect', path)
            # What only shows when the tensors are read is no matter of headers.
            self.judge(f'{name}: inspect', '' if status in (0, 1) and (status == 0 or not good) else f'exit status {status}: {said[:400]}')
            self.judge(f'{name}: prints', '' if '\x1b' not in said and '\0' not in said else 'control characters reach the terminal')

    def placed(self, path, folder):
        """Where a case is read from: an index stands in a folder, under the name that is looked for."""
        if path.parent.name != 'index': return path
        (folder / 'model').mkdir()
        shutil.copyfile(path, folder / 'model' / 'model.safetensors.index.json')
        return folder / 'model'

    @staticmethod
    def refused(status, said, name, words):
        if status != 1: return f'exit status {status}, not refused: {said.strip()[:400]}'
        named = [name] if 'AOA08' in said else []  # the file is to blame, and not the rules that look for `w`
        missing = [w for w in [*named, *([words] if isinstance(words, str) else words)] if w not in ' '.join(said.split())]
        return f'does not say {missing}: {said.strip()[:600]}' if missing else ''

    @staticmethod
    def read(status, said, out, expected):
        if status: return f'exit status {status}: {said.strip()[:400]}'
        tensors = {}
        for file in [out] if out.is_file() else sorted(out.glob('*.safetensors')): tensors.update(read_safetensors(file)[0])
        for name, elements in expected.items():
            if name not in tensors: return f'{name!r} is missing'
            dtype, _, data = tensors[name]
            if elements is not None and values(dtype, data) != elements: return f'{name!r} is {values(dtype, data)[:8]}'
        return ''


def cases_there():
    """All files below data/hostile, a folder of dcp/ being one."""
    for path in sorted(DATA.rglob('*')):
        name = path.relative_to(DATA).as_posix()
        if path.is_file() and '/' in name and not name.startswith('dcp/') or path == DATA / 'ok.pt': yield name
        if path.is_dir() and name.startswith('dcp/'): yield name


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac', required=True)
    p.add_argument('--lax', action='store_true', help='without bounds of time and memory')
    p.add_argument('file', nargs='*', help='all, if none is given')
    o = p.parse_args()
    cases = json.loads((DATA / 'cases.json').read_text(encoding='utf-8'))
    checker = Checker(str(Path(o.aoac).resolve()), o.lax)
    there = set(cases_there())
    checker.judge('cases.json', ' '.join(sorted(there ^ cases.keys())))
    for name, expected in cases.items():
        if name in there and (not o.file or any(fnmatch.fnmatchcase(name, pattern) for pattern in o.file)): checker.check(name, expected)
    for line in checker.failures: print('FAIL', line)
    print(f'{checker.passed} passed, {len(checker.failures)} failed; at most {checker.slowest * 1000:.0f} ms and {checker.largest >> 20} MiB each')
    return 1 if checker.failures else 0


if __name__ == '__main__': sys.exit(main())
