"""Conversions of a 2 GB model between formats against `cp` of the same bytes.

    python3 formats_bench.py --aoac build/release/bin/aoac --folder FOLDER [--rounds 5] [--small] [--only NAME]

FOLDER lies on the file system to be measured, and needs 12 GB. Sources are read from the page cache; targets are removed
after every round. Before anything is measured each target is made once and turned back, and must be the model again.
"""
import argparse
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import measure  # noqa: E402
import models  # noqa: E402

RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'rules', 'llama2.aoa')
TARGETS = {  # name: (side, arguments of the target)
    'torch zip': ('hf+bin', []),
    'torch legacy': ('hf+bin_legacy', []),
    'dcp dp=2': ('fsdp', ['--mesh-to', 'dp=2']),
    'megatron tp=2 pp=2': ('megatron', ['--mesh-to', 'pp=2,tp=2']),
    'mindspore ckpt tp=2': ('mindformers', ['--mesh-to', 'tp=2']),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--aoac', required=True)
    parser.add_argument('--folder', required=True)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--small', action='store_true', help='a small model, to try the benchmark out')
    parser.add_argument('--only', default='', help='formats whose name contains this')
    options = parser.parse_args()
    aoac, folder = os.path.abspath(options.aoac), os.path.abspath(options.folder)
    models.make(os.path.join(folder, 'hf'), models.SMALL if options.small else models.TWO_GIGABYTES)
    out = os.path.join(folder, 'out')

    def convert(source, target, *arguments):
        command = [aoac, RULES, '--run', '--quiet', '--config', 'hf/config.json', '--from', source, '--to', f'{target}:out', *arguments]
        return measure.run(command, folder, XDG_CACHE_HOME=os.path.join(folder, 'cache'))

    def remove(_=None):
        shutil.rmtree(out, ignore_errors=True)

    candidates = {'cp': lambda: measure.run(['cp', '-r', '--reflink=never', 'hf', 'out'], folder)}
    remove()
    for name, (side, arguments) in TARGETS.items():
        if options.only not in name: continue
        there = name.replace(' ', '-').replace('=', '')
        shutil.rmtree(os.path.join(folder, there), ignore_errors=True)
        convert('hf:hf', side, *arguments)
        os.rename(out, os.path.join(folder, there))
        source = f'{side.split("+")[0]}:{there}'
        convert(source, 'hf')
        if subprocess.run([aoac, 'diff', 'hf', 'out'], cwd=folder, stdout=subprocess.DEVNULL).returncode: sys.exit(f'{name}: another model came back')
        remove()
        candidates[f'to {name}'] = lambda s=side, a=arguments: convert('hf:hf', s, *a)
        candidates[f'from {name}'] = lambda s=source: convert(s, 'hf')
    os.sync()
    measure.table(measure.interleave(candidates, options.rounds, after=remove), 'cp')


if __name__ == '__main__':
    main()
