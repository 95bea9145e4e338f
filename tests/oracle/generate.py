"""Random programs as case folders: rules.aoa, cmd, src/, and expected/ or error as the oracle judges.

    python3 -m tests.oracle.generate --seed N --count K --out DIR [--tune NAME=P,...] [--errors P] [--kind typed|paddle]

Case i of seed N is always the same. Programs are well typed by construction; what the oracle refuses is drawn again, but for a
share P of those whose refusal is certain (--errors, default 0.5), which become `error` cases. Programs about which the contract
leaves a doubt are dropped. --tune changes how often a feature is tried (names: gen/units.py, TUNE).
"""
import argparse, os, random, sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.oracle.gen import paddle  # noqa: E402
from tests.oracle.gen.program import Program  # noqa: E402
from tests.oracle.gen.typed import Reject  # noqa: E402
from tests.oracle.gen.units import TUNE  # noqa: E402

TRIES = 60


def draw(seed, index, tune=None, errors=0.5, kind=None):
    """-> (Case, Outcome) number `index` of a seed; the outcome is certain."""
    for attempt in range(TRIES):
        key = f'{seed}/{index}/{attempt}'
        rng = random.Random(key)
        chosen = kind or ('paddle' if rng.random() < 0.2 else 'typed')
        try: case, out = paddle.generate(key) if chosen == 'paddle' else Program(key, tune or {}).build()
        except Reject: continue
        if not out.certain() or (out.status and rng.random() > errors): continue
        return case, out
    raise RuntimeError(f'no program in {TRIES} tries')


def parse_tune(text):
    out = {}
    for part in (text or '').split(','):
        if not part: continue
        name, value = part.split('=')
        if name not in TUNE: sys.exit(f'--tune {name}: one of {", ".join(sorted(TUNE))}')
        out[name] = float(value)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--seed', type=int, required=True)
    p.add_argument('--count', type=int, required=True)
    p.add_argument('--out', required=True)
    p.add_argument('--tune', default='')
    p.add_argument('--errors', type=float, default=0.5)
    p.add_argument('--kind', choices=['typed', 'paddle'])
    o = p.parse_args()
    failed = 0
    for i in range(o.count):
        case, out = draw(o.seed, i, parse_tune(o.tune), o.errors, o.kind)
        case.save(os.path.join(o.out, f'gen-{o.seed}-{i:05d}'), out)
        failed += bool(out.status)
    print(f'{o.count} cases, {failed} of them errors')


if __name__ == '__main__': main()
