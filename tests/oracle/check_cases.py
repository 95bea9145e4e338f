"""Runs the oracle as if it were aoac over a folder of conformance cases and says which it passes.

    python3 -m tests.oracle.check_cases CASES_DIR [-v] [CASE...]

Only cases whose commands are runs or checks of a rule file are tried; the others (fmt, diff, --plan, ...) are skipped. For an `error` case it is
enough that the oracle refuses with one of the allowed statuses: it does not imitate the wording. A case in which the oracle
is right but notes a doubt is listed under `doubtful` with -v. Exit status 1 if a tried case fails.
"""
import fnmatch, os, shutil, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.oracle import judge  # noqa: E402
from tests.oracle.aoa_oracle import engine, tensorfile  # noqa: E402


OTHER = ('fmt', 'inspect', 'diff', 'digest', 'import-aoa', 'formats')


def perform(arguments, work):
    """One command in a work folder: runs the oracle and writes the target."""
    out = engine.run(arguments, work)
    if out.status == 0 and '--run' in arguments:
        goal = os.path.join(work, out.target)
        if os.path.isdir(goal) and '--force' in arguments: shutil.rmtree(goal)
        os.makedirs(goal, exist_ok=True)
        for path, (tensors, meta) in out.files.items(): tensorfile.write(os.path.join(goal, path), tensors, meta)
    return out


def try_case(case):
    """-> ('pass' | 'fail' | 'skip', lines, doubts)."""
    kind, cmds = judge.kind(case), judge.commands(case)
    if kind not in ('expected', 'error', 'output') or any(c[0] in OTHER or '--plan' in c for c in cmds): return 'skip', [], []
    work = tempfile.mkdtemp(prefix='oracle-')
    try:
        judge.work_copy(case, work)
        for c in cmds:
            out = perform(c, work)
            if c is not cmds[-1] and out.status != 0: return 'fail', [f'status {out.status}: {out.message}'], out.doubts
        if kind != 'expected':
            ok = out.status in judge.statuses(case, kind)
            return ('pass' if ok else 'fail'), [f'status {out.status}: {out.message}'], out.doubts
        if out.status != 0: return 'fail', [f'status {out.status}: {out.message}'], out.doubts
        lines = judge.differences(case, os.path.join(work, judge.target(cmds[-1])))
        return ('fail' if lines else 'pass'), lines, out.doubts
    finally: shutil.rmtree(work, ignore_errors=True)


def main(argv):
    verbose = '-v' in argv
    rest = [a for a in argv if a != '-v']
    names = sorted(n for n in os.listdir(rest[0]) if os.path.exists(os.path.join(rest[0], n, 'cmd')))
    if rest[1:]: names = [n for n in names if any(fnmatch.fnmatch(n, g) for g in rest[1:])]
    count = {'pass': 0, 'fail': 0, 'skip': 0}
    kinds = {}
    for n in names:
        result, lines, doubts = try_case(os.path.join(rest[0], n))
        count[result] += 1
        kinds.setdefault((judge.kind(os.path.join(rest[0], n)), result), []).append(n)
        if result == 'fail': print(f'FAIL {n}', *lines, sep='\n    ')
        elif verbose and result == 'pass': print(f'ok   {n}', *(lines if judge.kind(os.path.join(rest[0], n)) == 'error' else []), sep='  ')
        if verbose and doubts and result != 'skip': print(f'doubtful {n}', *doubts, sep='\n    ')
    for (k, r), v in sorted(kinds.items(), key=str): print(f'{k}: {len(v)} {r}')
    print(f'{count["pass"]} passed, {count["fail"]} failed, {count["skip"]} skipped')
    return 1 if count['fail'] else 0


if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
