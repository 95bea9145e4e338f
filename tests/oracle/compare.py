"""Compares a compiler with the oracle on random programs and mutants.

    python3 -m tests.oracle.compare --aoac PATH --seed N --count K [--mutants] [--cases DIR ...] [--keep DIR] [-j N]

Draws K programs (with --mutants: mutants, of generated programs and of the conformance cases under each --cases), runs the
compiler on each, and judges it as the conformance runner does. A case that fails is made smaller by leaving out lines of its
rules and tensors of its source while compiler and oracle still disagree in the same way. What fails is printed with the folder
where it lies (below --keep, default oracle-failures in the folder for temporary files). Everything is decided by the seed. Exit status 1 on any disagreement.

--aoac oracle: the oracle itself, to test this program.
"""
import argparse, concurrent.futures, os, shlex, shutil, subprocess, sys, tempfile, zlib

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.oracle import generate, judge, mutate  # noqa: E402
from tests.oracle.gen import shrink  # noqa: E402

ORACLE = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'run.py')]


class Compiler:
    def __init__(self, words, timeout): self.words, self.timeout = words, timeout

    def judge(self, case, outcome):
        """What is wrong with the compiler's answer: a list of lines, empty if it agrees with the oracle."""
        work = tempfile.mkdtemp(prefix='compare-')
        try:
            case.put(work)
            before = snapshot(work)
            for more in neutral(case, outcome):
                try:
                    p = subprocess.run(self.words + case.command + more, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, timeout=self.timeout)
                except subprocess.TimeoutExpired: return [f'no end after {self.timeout} s']
                if p.returncode: break
            said = p.stderr.decode('utf-8', 'replace').strip()[:1500]
            lines = self.verdict(case, outcome, p.returncode, said, work, before)
            return lines + [f'with {" ".join(more)}'] if lines and more else lines
        finally: shutil.rmtree(work, ignore_errors=True)

    def verdict(self, case, outcome, status, said, work, before):
        goal = os.path.normpath(judge.target(case.command))
        after = snapshot(work)
        inside = lambda p: p == goal or p.startswith(goal + os.sep)
        lines = [f'{p} was changed or removed' for p, b in before.items() if after.get(p) != b]
        if outcome.status:
            allowed = {1, outcome.status, *outcome.also}
            if status not in allowed: lines.append(f'exit status {status}, expected {sorted(allowed)}: {outcome.message}')
            elif not said: lines.append('it says nothing')
            lines += [f'{p} exists now' for p in after if p not in before and (inside(p) or p.endswith('.safetensors'))]
        elif status: lines.append(f'exit status {status}, expected 0')
        else:
            try: got = judge.load(os.path.join(work, goal))
            except Exception as e: return lines + [f'the target cannot be read: {e}']
            lines += judge.compare_files(outcome.files, got)
        return lines + ([f'it said: {said}'] if lines and said else [])


def neutral(case, outcome):
    """Options that must not change a byte, chosen by the case: a list of runs, one after the other."""
    number = zlib.crc32(case.rules.encode())
    if '--part' in case.command: return [[]]
    if number % 8 == 0 and not outcome.status:
        parts = 2 + number // 8 % 3
        order = [i % parts + 1 for i in range(number // 64, number // 64 + parts)]
        return [['--part', f'{i}/{parts}'] for i in order]
    if any(o in case.command for o in ('--backend', '--threads', '--memory', '--verify', '--resume', '--sync')): return [[]]
    return [[['--backend', 'reference'], ['--threads', '3'], ['--memory', '64M', '--threads', '1'], ['--verify'], ['--resume'], ['--sync'], []][number % 8 - 1 if number % 8 else 6]]


def snapshot(folder):
    out = {}
    for f, path in judge.below(folder).items():
        with open(path, 'rb') as h: out[f] = h.read()
    return out


def kind_of(lines):
    """What shrinking must preserve: the sort of disagreement."""
    return lines[0].split(',')[0].split(':')[0][:14] if lines else None


def report(name, case, outcome, lines, compiler, options, what=''):
    if not options.no_shrink:
        fails = lambda c, o: kind_of(compiler.judge(c, o)) == kind_of(lines)
        case, outcome = shrink.shrink(case, outcome, fails, options.budget)
        lines = compiler.judge(case, outcome) or lines
    folder = os.path.join(options.keep, name)
    case.save(folder, outcome)
    with open(os.path.join(folder, 'note'), 'w', encoding='utf-8') as f: f.write('\n'.join([what] + lines) + '\n')
    print(f'FAIL {name}: {folder}' + (f'\n    {what}' if what else ''))
    print(f'    aoac {shlex.join(case.command)}')
    for x in lines[:8]: print('    ' + x.replace('\n', '\n    '))
    sys.stdout.flush()


def work_list(options):
    """Yields (name, Case, Outcome, what)."""
    if not options.mutants:
        for i in range(options.first, options.first + options.count):
            case, out = generate.draw(options.seed, i, generate.parse_tune(options.tune), options.errors, options.kind)
            yield f'gen-{options.seed}-{i:05d}', case, out, ''
        return
    base = tempfile.mkdtemp(prefix='compare-base-')
    try:
        for i in range(max(20, min(options.count // 4, 400))):
            case, out = generate.draw(options.seed, i, generate.parse_tune(options.tune), 0.0, options.kind)
            if not out.status: case.save(os.path.join(base, f'gen-{options.seed}-{i:05d}'), out)
        pool = mutate.candidates([base] + options.cases)
        for i in range(options.first, options.first + options.count):
            mutant, out, verdict, what, origin = mutate.draw(options.seed, i, pool)
            yield f'mut-{options.seed}-{i:05d}', mutant, out, f'{os.path.basename(origin)}: {what} ({verdict})'
    finally: shutil.rmtree(base, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac', required=True, help='the binary, a quoted command line, or `oracle`')
    p.add_argument('--seed', type=int, required=True)
    p.add_argument('--count', type=int, required=True)
    p.add_argument('--first', type=int, default=0, help='number of the first case')
    p.add_argument('--mutants', action='store_true')
    p.add_argument('--cases', action='append', default=[], help='folders of cases to mutate, besides generated ones')
    p.add_argument('--keep', default=os.path.join(tempfile.gettempdir(), 'oracle-failures'))
    p.add_argument('--tune', default='')
    p.add_argument('--errors', type=float, default=0.5)
    p.add_argument('--kind', choices=['typed', 'paddle'])
    p.add_argument('--no-shrink', action='store_true')
    p.add_argument('--budget', type=int, default=150, help='runs of the compiler per case that shrinking may take')
    p.add_argument('--stop', type=int, default=20, help='stop after so many failures')
    p.add_argument('--timeout', type=float, default=60)
    p.add_argument('-j', type=int, default=2)
    o = p.parse_args()
    words = ORACLE if o.aoac == 'oracle' else [os.path.abspath(o.aoac)] if os.path.exists(o.aoac) else shlex.split(o.aoac)
    compiler, failed, done = Compiler(words, o.timeout), 0, 0
    with concurrent.futures.ThreadPoolExecutor(o.j) as pool:
        waiting = []
        for item in work_list(o):
            waiting.append((item, pool.submit(compiler.judge, item[1], item[2])))
            if len(waiting) < 4 * o.j: continue
            done, failed = settle(waiting.pop(0), compiler, o, done, failed)
            if failed >= o.stop: break
        for w in waiting:
            if failed < o.stop: done, failed = settle(w, compiler, o, done, failed)
    print(f'{done - failed} agree, {failed} disagree')
    sys.exit(1 if failed else 0)


def settle(waiting, compiler, options, done, failed):
    (name, case, outcome, what), future = waiting
    lines = future.result()
    if lines: report(name, case, outcome, lines, compiler, options, what)
    return done + 1, failed + bool(lines)


if __name__ == '__main__': main()
