#!/usr/bin/env python3
"""Plans conversions of the models that people train, from headers alone: no tensor has a byte on the disk.

    plan_models.py --aoac PATH [--all] [FAMILY...]

tables/FAMILY.py says what each model holds, which layouts it is planned to, and which are refused in which words. Its table is compared with the published
numbers of tensors and elements. Without --all every table is compared, but only the largest layout of each side is planned, of
the first model of a family.
"""
import argparse, json, math, subprocess, sys, tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'support')]
import checkpoint  # noqa: E402
import tables  # noqa: E402



def check_table(model, tensors):
    """What is wrong with a table, or ''."""
    elements = sum(math.prod(shape) for _, shape in tensors.values())
    for what, found in (('tensors', len(tensors)), ('elements', elements)):
        if model.get(what, found) != found: return f'the table has {found} {what}, published are {model[what]}'
    return ''


def plan(aoac, rules, home, folder, layout, refusal=None):
    """What is wrong with a plan, or ''. `refusal`: what the message must say with which the layout is refused."""
    side, *mesh = layout.split()
    command = [aoac, rules, '--plan', '--from', f'{home}:{folder}', '--to', side, *(['--mesh-to', mesh[0]] if mesh else [])]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if refusal is None: return f'exit status {done.returncode}: {done.stderr.strip()[:600]}' if done.returncode else ''
    refused = done.returncode == 1 and refusal in ' '.join(done.stderr.split())
    return '' if refused else f'exit status {done.returncode}, not refused with `{refusal}`: {done.stderr.strip()[:600]}'


def largest(layouts):
    """The last layout of each side: the one with the most ranks."""
    return list({layout.split()[0]: layout for layout in layouts}.values())


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac', required=True)
    p.add_argument('family', nargs='*', help='all, if none is given')
    p.add_argument('--all', action='store_true', help='every layout of every model')
    o = p.parse_args()
    passed, failures = 0, []
    for family in o.family or tables.families():
        rules = HERE.parent.parent / 'rules' / f'{family}.aoa'
        home = tables.sides(rules)[0]
        table = tables.table(family)
        for i, (name, model) in enumerate(table.MODELS.items()):
            tensors = table.tensors(model['config'], **model.get('options', {}))
            results = [('table', check_table(model, tensors))]
            with tempfile.TemporaryDirectory(prefix='plan-') as folder:
                checkpoint.write(Path(folder) / 'model.safetensors', tensors, holes=True)
                (Path(folder) / 'config.json').write_text(json.dumps(model['config']))
                for layout in model['layouts'] if o.all else [] if i else largest(model['layouts']):
                    results.append((layout, plan(o.aoac, rules, home, folder, layout)))
                for layout, refusal in model.get('refused', {}).items() if o.all or not i else ():
                    results.append((layout, plan(o.aoac, rules, home, folder, layout, refusal)))
            failures += [f'{family}: {name}: {what}: {reason}' for what, reason in results if reason]
            passed += sum(not reason for _, reason in results)
    for line in failures: print('FAIL', line)
    print(f'{passed} passed, {len(failures)} failed')
    return 1 if failures else 0


if __name__ == '__main__': sys.exit(main())
