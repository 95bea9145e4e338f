#!/usr/bin/env python3
"""Checks what newcomers are shown: the rule files in the READMEs, and the shipped example.

    run.py --aoac PATH

Every block of README.md and rules/README.md that is marked `aoa` must pass the checker, and a block that shows an error must
be what the checker says of the block before it with the text's one change. The files of examples/ must be formatted, and
`aoac examples/tiny.aoa --run` alone must make the model that the shards were made of.
"""
import argparse, re, shutil, subprocess, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / 'tests/data/rules/llama2/gqa'      # examples/tiny-shards holds its weights
CHANGE = ('{k,v}_proj.weight  [(g d) h]', '{k,v}_proj.weight  [(n d) h]')     # README.md: "With ... for k and v"


class Checker:
    def __init__(self, aoac): self.aoac, self.failures, self.checks = aoac, [], 0

    def call(self, *arguments, cwd=None):
        done = subprocess.run([self.aoac, *map(str, arguments)], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def judge(self, what, good, said=''):
        self.checks += 1
        if not good: self.failures.append(f'{what}: {said.strip()}')

    def blocks(self, page, folder):
        text = (ROOT / page).read_text()
        found = re.findall(r'```aoa\n(.*?)```', text, re.S)
        self.judge(page, found, 'shows no rule file')
        for i, block in enumerate(found):
            file = folder / f'block{i}.aoa'
            file.write_text(block)
            code, said = self.call(file)
            self.judge(f'{page}, block {i + 1}', code == 0, said)
        return found

    def shown_error(self, page, block, folder):
        shown = re.search(r'```\n(error\[.*?)```', (ROOT / page).read_text(), re.S)
        self.judge(page, shown and block.count(CHANGE[0]) == 1, 'shows no error, or the changed line is gone')
        (folder / 'tiny.aoa').write_text(block.replace(*CHANGE))
        code, said = self.call('tiny.aoa', cwd=folder)
        self.judge(f'{page}, the error', code == 1 and shown and shown[1].strip() in said, said)

    def example(self, folder):
        for part in ('examples', 'rules'): shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns('tiny-hf'))
        for file in sorted((folder / 'examples').glob('*.aoa')):
            code, said = self.call('fmt', '--check', file)
            self.judge(f'{file.name}: fmt --check', code == 0, said or 'would change')
        code, said = self.call(folder / 'examples/tiny.aoa', '--run', cwd='/')
        self.judge('examples/tiny.aoa --run', code == 0, said)
        made = folder / 'examples/tiny-hf'
        code, said = self.call('diff', MODEL, made)
        self.judge('its result', code == 0, said)
        for name in ('config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'):
            same = (made / name).is_file() and (made / name).read_bytes() == (ROOT / 'examples/tiny-shards' / name).read_bytes()
            self.judge(f'its {name}', same, 'is not that of the shards')


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac', required=True)
    checker = Checker(str(Path(p.parse_args().aoac).resolve()))
    with tempfile.TemporaryDirectory(prefix='examples-') as folder:
        blocks = checker.blocks('README.md', Path(folder))
        checker.blocks('rules/README.md', Path(folder))
        if blocks: checker.shown_error('README.md', blocks[0], Path(folder))
        checker.example(Path(folder))
    for line in checker.failures: print('FAIL', line)
    print(f'{checker.checks - len(checker.failures)} passed, {len(checker.failures)} failed')
    return 1 if checker.failures else 0


if __name__ == '__main__': sys.exit(main())
