"""Seeds of rules_fuzz: programs of the oracle's generator, with the headers of their sources in comments.

    python3 -m tests.fuzz.make_seeds --seed N --count K --out tests/data/fuzz/rules
"""
import argparse, json, os
from tests.oracle import generate
from tests.oracle.aoa_oracle.dtypes import SPELLING

RULE_NAMES = {v: k for k, v in SPELLING.items()}


def options(command, name): return [command[i + 1] for i, x in enumerate(command[:-1]) if x == name]


def seed_text(case):
    """The case as one text; None if it has no place for something."""
    if any('base.aoa' in f for f in case.files) or len(case.sources) != 1: return None
    sides = [options(case.command, o) for o in ('--from', '--to')]
    if not all(sides): return None
    lines = ['#run ' + ' '.join(s[0].split(':')[0] for s in sides)]
    lines += ['#to ' + x for x in options(case.command, '--mesh-to') if '[' not in x]
    lines += ['#define ' + x for x in options(case.command, '-D') if '.' not in x]
    if '--states' in case.command: lines.append('#states')
    if 'config.json' in case.files: lines.append('#config ' + json.dumps(json.loads(case.files['config.json'])))
    for number, (file, content) in enumerate(sorted(next(iter(case.sources.values())).items())):
        tensors, metadata = content
        if number == 0 and 'aoa.mesh' in metadata: lines.append('#mesh ' + metadata['aoa.mesh'])
        for name, t in tensors.items():
            if ' ' in name: return None
            lines.append(f'#tensor {number} {name} {RULE_NAMES[t.dtype]} ' + ' '.join(map(str, t.shape)))
    return '\n'.join(lines) + '\n' + case.rules


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--seed', type=int, required=True)
    p.add_argument('--count', type=int, required=True)
    p.add_argument('--out', required=True)
    o = p.parse_args()
    os.makedirs(o.out, exist_ok=True)
    made, i = 0, 0
    while made < o.count:
        case, outcome = generate.draw(o.seed, i, {}, 0.0)
        i += 1
        text = None if outcome.status else seed_text(case)
        if text is None or len(text) > 4000: continue
        with open(os.path.join(o.out, f'{made:03}.aoa'), 'w', encoding='utf-8', newline='') as f: f.write(text)
        made += 1


if __name__ == '__main__': main()
