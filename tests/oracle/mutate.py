"""Single mutations of correct cases, judged by the oracle.

    python3 -m tests.oracle.mutate --seed N --count K --cases DIR [--cases DIR ...] --out DIR [--of KIND]

Takes case folders with one run and `expected/`, changes one thing, and keeps the mutant if the contract is clear about it: then
its `expected/` is what must come out now (the same or something else), or it gets `error`. `note` says what was changed.
--of same|other|error keeps mutants of one verdict only.
"""
import argparse, os, random, sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.oracle import judge  # noqa: E402
from tests.oracle.aoa_oracle import tensorfile  # noqa: E402
from tests.oracle.aoa_oracle.errors import Wrong  # noqa: E402
from tests.oracle.gen import mutations  # noqa: E402
from tests.oracle.gen.case import Case  # noqa: E402

TRIES = 300


def load(folder):
    """A Case from a folder, or None if it is of another kind."""
    if judge.kind(folder) != 'expected' or os.path.exists(os.path.join(folder, 'compare')): return None
    commands = judge.commands(folder)
    if len(commands) != 1 or '--run' not in commands[0] or not os.path.exists(os.path.join(folder, 'rules.aoa')): return None
    sources, files = {}, {}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name in judge.JUDGING: continue
        if os.path.isdir(path): sources[name] = {f: read(p) for f, p in judge.below(path).items()}
        else: files[name] = open(path, encoding='utf-8', newline='').read()
    return Case(files.pop('rules.aoa'), commands[0], sources, files)


def read(path):
    if path.endswith('.safetensors'):
        try: return tensorfile.read(path)
        except Wrong: pass
    with open(path, 'rb') as f: return f.read()


def understood(folder):
    """Whether the oracle knows all that a case uses: it must expect what the case does."""
    case = load(folder)
    out = case.outcome() if case else None
    return bool(out) and out.certain() and not out.status and not judge.compare_files(judge.load(os.path.join(folder, 'expected')), out.files)


def candidates(folders):
    """Folders of cases that can be mutated, in a fixed order."""
    return [os.path.join(d, n) for d in folders for n in sorted(os.listdir(d)) if os.path.exists(os.path.join(d, n, 'cmd')) and understood(os.path.join(d, n))]


def draw(seed, index, pool, verdicts=('same', 'other', 'error')):
    """-> (Case, Outcome, verdict, what, origin) of mutant `index`."""
    for attempt in range(TRIES):
        rng = random.Random(f'{seed}/{index}/{attempt}/mutant')
        origin = rng.choice(pool)
        case = load(origin)
        mutated = rng.choice(mutations.ALL)(rng, case)
        if not mutated: continue
        mutant, what = mutated
        out = mutant.outcome()
        if not out.certain(): continue
        if out.status: verdict = 'error'
        else: verdict = 'other' if judge.compare_files(judge.load(os.path.join(origin, 'expected')), out.files) else 'same'
        if verdict not in verdicts or (verdict == 'same' and rng.random() < 0.5): continue
        return mutant, out, verdict, what, origin
    raise RuntimeError(f'no mutant in {TRIES} tries')


def save(folder, mutant, out, verdict, what, origin):
    mutant.save(folder, out)
    with open(os.path.join(folder, 'note'), 'w', encoding='utf-8') as f:
        f.write(f'{os.path.basename(origin)}: {what}\nverdict: {verdict}{": " + out.message if out.status else ""}\n')


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--seed', type=int, required=True)
    p.add_argument('--count', type=int, required=True)
    p.add_argument('--cases', action='append', required=True)
    p.add_argument('--out', required=True)
    p.add_argument('--of', choices=['same', 'other', 'error'])
    o = p.parse_args()
    pool, found = candidates(o.cases), {}
    for i in range(o.count):
        mutant = draw(o.seed, i, pool, (o.of,) if o.of else ('same', 'other', 'error'))
        save(os.path.join(o.out, f'mut-{o.seed}-{i:05d}'), *mutant)
        found[mutant[2]] = found.get(mutant[2], 0) + 1
    print(f'{o.count} mutants: ' + ', '.join(f'{v} {k}' for k, v in sorted(found.items())))


if __name__ == '__main__': main()
