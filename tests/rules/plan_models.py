#!/usr/bin/env python3
"""Plans conversions of the models that people train, from headers alone: no tensor has a byte on the disk.

    plan_models.py --aoac PATH [FAMILY...]

tables/FAMILY.py says what each model holds and which layouts it is planned to. Its table is compared with the published
numbers of tensors and elements, and each plan with the table: nothing left out, and done in time.
"""
import argparse, json, math, re, struct, subprocess, sys, tempfile, time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import tables  # noqa: E402

BYTES = {'F32': 4, 'F16': 2, 'BF16': 2, 'F8_E4M3': 1}


def write_header(path, tensors):
    """A safetensors file of the right length with nothing in it but its header."""
    header, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + math.prod(shape) * BYTES[dtype]
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [begin, end]}
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text)
        f.truncate(8 + len(text) + end)


def check_table(model, tensors):
    """What is wrong with a table, or ''."""
    elements = sum(math.prod(shape) for _, shape in tensors.values())
    for what, found in (('tensors', len(tensors)), ('elements', elements)):
        if model.get(what, found) != found: return f'the table has {found} {what}, published are {model[what]}'
    return ''


def plan(aoac, rules, home, folder, layout, seconds):
    """What is wrong with a plan, or ''."""
    side, *mesh = layout.split()
    command = [aoac, rules, '--plan', '--from', f'{home}:{folder}', '--to', side, *(['--mesh-to', mesh[0]] if mesh else [])]
    begin = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    took = time.monotonic() - begin
    if done.returncode: return f'exit status {done.returncode}: {done.stderr.strip()[:600]}'
    return f'took {took:.1f} s, {seconds} are allowed' if took > seconds else ''


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac', required=True)
    p.add_argument('family', nargs='*', help='all, if none is given')
    o = p.parse_args()
    passed, failures = 0, []
    for family in o.family or tables.families():
        rules = HERE.parent.parent / 'rules' / f'{family}.aoa'
        home = re.search(r'^side (\w+)', rules.read_text(), re.M)[1] if 'side hf' not in rules.read_text() else 'hf'
        table = tables.table(family)
        for name, model in table.MODELS.items():
            tensors = table.tensors(model['config'], **model.get('options', {}))
            results = [('table', check_table(model, tensors))]
            with tempfile.TemporaryDirectory(prefix='plan-') as folder:
                write_header(Path(folder) / 'model.safetensors', tensors)
                (Path(folder) / 'config.json').write_text(json.dumps(model['config']))
                for layout in model['layouts']:
                    results.append((layout, plan(o.aoac, rules, home, folder, layout, model.get('seconds', 60))))
            failures += [f'{family}: {name}: {what}: {reason}' for what, reason in results if reason]
            passed += sum(not reason for _, reason in results)
    for line in failures: print('FAIL', line)
    print(f'{passed} passed, {len(failures)} failed')
    return 1 if failures else 0


if __name__ == '__main__': sys.exit(main())
