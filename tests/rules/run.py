#!/usr/bin/env python3
"""Round trips of every shipped rule file over small models: every side to every side, over several meshes.

    run.py --aoac PATH [FAMILY...]

A family FAMILY is rules/FAMILY.aoa with data/rules/FAMILY/: a cases.json and a folder for each model in the layout of the
family's first side (`hf`). cases.json says, for each model,

    made       {config, options}: there is no folder, tables/FAMILY.py makes the model from them
    expected   {LAYOUT: file or folder}: what a conversion must make of the model, from a source other than aoac
    lost       [PATTERN...]: tensors (buffers) that the way back from what is expected need not restore
    layouts    [LAYOUT...]: converted to and from each other, in every direction; of more than five each to and from the first,
               and to itself and the four behind it
    only_home  [LAYOUT...]: converted from the model and back, no more
    read_only  [SIDE...]: sides that are only read here, since their files alone do not say all sizes
    refused    {LAYOUT: text}: a conversion to it exits with 1 and says the text

A LAYOUT is "SIDE[+VARIANT] [MESH|- [NAME=VALUE...]]": a side, a variant of its format to write, mesh sizes, and dimensions of the side (-D). Every way to make a layout
must give the same bytes, and every layout the same digest. A rule file without cases, a side in no layout, and a
rule file that `aoac fmt` would change are failures.
"""
import argparse, concurrent.futures, filecmp, fnmatch, json, subprocess, sys, tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / 'conformance'), str(TESTS / 'rules'), str(TESTS / 'support')]
from run import Bad, compare_tensors, read_safetensors  # noqa: E402
import checkpoint  # noqa: E402
import tables  # noqa: E402



class Layout:
    def __init__(self, text):
        self.text = text
        self.target, *rest = text.split()
        self.side = self.target.partition('+')[0]
        self.mesh = rest[0] if rest and rest[0] != '-' else ''
        self.definitions = rest[1:]

    def arguments(self, end, path):
        """What names this layout as one end ('from' or 'to') of a run."""
        out = [f'--{end}', f'{self.target if end == "to" else self.side}:{path}']
        if end == 'to' and self.mesh: out += ['--mesh-to', self.mesh]
        for definition in self.definitions: out += ['-D', f'{end}.{definition}']
        return out


def safetensors_of(path):
    return [path] if path.is_file() else sorted(path.glob('*.safetensors'))


def difference(want, got, lost=()):
    """'' if two checkpoints hold the same tensors in files of the same number and names of ranks, else how they differ."""
    pairs = list(zip(safetensors_of(want), safetensors_of(got)))
    if len(safetensors_of(want)) != len(safetensors_of(got)) or not pairs:
        return f'{len(safetensors_of(got))} files, expected {len(safetensors_of(want))}'
    for a, b in pairs:
        (left, left_meta), (right, right_meta) = read_safetensors(a), read_safetensors(b)
        absent = [name for name in left.keys() - right.keys() if any(fnmatch.fnmatchcase(name, p) for p in lost)]
        for name in absent: del left[name]
        lines = compare_tensors(b.name, left, right)
        for key in ('aoa.mesh', 'aoa.rank'):
            if left_meta.get(key) != right_meta.get(key): lines.append(f'{b.name}: {key} is {right_meta.get(key)}, expected {left_meta.get(key)}')
        if lines: return '; '.join(lines[:3])
    return ''


def same_bytes(a, b):
    names = [p.name for p in safetensors_of(a)]
    return names == [p.name for p in safetensors_of(b)] and all(filecmp.cmp(a / n, b / n, shallow=False) for n in names)


class Family:
    def __init__(self, aoac, rules):
        self.aoac, self.rules, self.data = aoac, rules, TESTS / 'data' / 'rules' / rules.stem
        self.passed, self.failures = 0, []

    def judge(self, what, reason):
        if reason: self.failures.append(f'{self.rules.stem}: {what}: {reason}')
        else: self.passed += 1
        return not reason

    def call(self, *arguments):
        done = subprocess.run([self.aoac, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def convert(self, source, source_path, target, target_path, *arguments):
        """The reason why a conversion failed, or ''."""
        code, _, errors = self.call(self.rules, '--run', *source.arguments('from', source_path), *target.arguments('to', target_path), *arguments)
        return f'exit status {code}: {errors.strip()[:600]}' if code else ''

    def digest(self, layout, path):
        definitions = [x for d in layout.definitions for x in ('-D', d)]
        code, said, errors = self.call('digest', self.rules, f'{layout.side}:{path}', *definitions)
        return said if code == 0 and said.strip() else f'exit status {code}: {errors.strip()[:600]}'

    def run(self):
        code, _, errors = self.call(self.rules)
        self.judge('check', errors.strip()[:600] or f'exit status {code}' if code else '')
        code, said, errors = self.call('fmt', '--check', self.rules)
        self.judge('fmt --check', (said + errors).strip()[:600] or 'would change' if code else '')
        if not self.judge('cases', '' if (self.data / 'cases.json').exists() else f'tests/data/rules/{self.rules.stem}/cases.json is missing'): return
        cases = json.loads((self.data / 'cases.json').read_text())
        covered = {Layout(x).side for model in cases.values() for x in model['layouts'] + model.get('only_home', []) + model.get('read_only', [])}
        names = tables.sides(self.rules)
        self.judge('sides', ', '.join(s for s in names if s not in covered))
        for name, case in cases.items(): self.run_model(name, case, Layout(names[0]))

    def run_model(self, name, case, home):
        with tempfile.TemporaryDirectory(prefix='rules-') as folder:
            model = self.make(case['made'], Path(folder) / 'model') if 'made' in case else self.data / name
            self.expectations(name, model, case, home, Path(folder))
            made = self.layouts(name, model, case['layouts'], home, Path(folder) / 'layouts')
            self.every_direction(name, made, Path(folder))
            for layout, made_of in self.layouts(name, model, case.get('only_home', []), home, Path(folder) / 'only_home'):
                whole = next(((l, path) for l, path in made if l.text == home.text), (home, model))  # in aoac's order of tensors
                self.every_direction(name, [whole, (layout, made_of)], Path(folder) / layout.text.replace(' ', '-'))
            for text, reason in case.get('refused', {}).items():
                self.refusal(f'{name}: to {text}', model, home, Layout(text), reason, Path(folder) / 'refused')

    def make(self, made, folder):
        tensors = tables.table(self.rules.stem).tensors(made['config'], **made.get('options', {}))
        folder.mkdir()
        (folder / 'config.json').write_text(json.dumps(made['config']))
        checkpoint.write(folder / 'model.safetensors', tensors, copies=tensors.copies)
        return folder

    def expectations(self, name, model, case, home, folder):
        for i, (text, expected) in enumerate(case.get('expected', {}).items()):
            layout, out, back = Layout(text), folder / f'expected{i}', folder / f'back{i}'
            what = f'{name}: to {text}'
            if self.judge(what, self.convert(home, model, layout, out)): self.judge(what, difference(model / expected, out))
            what = f'{name}: back from {text}'
            if self.judge(what, self.convert(layout, model / expected, home, back, '--config', model / 'config.json')):
                self.judge(what, difference(model / 'model.safetensors', back / 'model.safetensors', case.get('lost', ())))

    def layouts(self, name, model, texts, home, folder):
        """[(layout, folder)] of the model in each layout, made from the model itself."""
        folder.mkdir()
        made, want = [], self.digest(home, model)
        self.judge(f'{name}: digest', want if want.startswith('exit') else '')
        for i, text in enumerate(texts):
            layout, out = Layout(text), folder / str(i)
            if not self.judge(f'{name}: to {text}', self.convert(home, model, layout, out)): continue
            got = self.digest(layout, out)
            self.judge(f'{name}: digest of {text}', '' if got == want else f'differs from that of the model: {got[:600]}')
            made.append((layout, out))
        return made

    def every_direction(self, name, made, folder):
        folder.mkdir(exist_ok=True)
        for i, (source, source_path) in enumerate(made):
            for j, (target, target_path) in enumerate(made):
                if i and j and (j - i) % len(made) > 4: continue
                what, out = f'{name}: {source.text} to {target.text}', folder / f'way{i}-{j}'
                if self.judge(what, self.convert(source, source_path, target, out)):
                    self.judge(what, '' if same_bytes(target_path, out) else difference(target_path, out) or 'other bytes')

    def refusal(self, what, model, home, layout, reason, out):
        code, _, errors = self.call(self.rules, '--run', *home.arguments('from', model), *layout.arguments('to', out))
        said = ' '.join(errors.split())
        self.judge(what, '' if code == 1 and reason in said and not out.exists() else f'exit status {code}, not refused with `{reason}`: {said[:600]}')


def judged(aoac, rules):
    family = Family(aoac, rules)
    try: family.run()
    except Bad as e: family.failures.append(f'{rules.stem}: {e}')
    return family


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac', required=True)
    p.add_argument('-j', '--jobs', type=int, default=2, help='families at once')
    p.add_argument('family', nargs='*', help='all, if none is given')
    o = p.parse_args()
    files = sorted((TESTS.parent / 'rules').glob('*.aoa'))
    if o.family: files = [f for f in files if f.stem in o.family]
    if not files: sys.exit('no such rule file')
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:  # the work is in other processes
        families = list(pool.map(lambda rules: judged(str(Path(o.aoac).resolve()), rules), files))
    passed, failures = sum(f.passed for f in families), [line for f in families for line in f.failures]
    for line in failures: print('FAIL', line)
    print(f'{passed} passed, {len(failures)} failed')
    return 1 if failures else 0


if __name__ == '__main__': sys.exit(main())
