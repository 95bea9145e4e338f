"""A conversion to tp=2 pp=2 against the usual Python script (usual_script.py: torch, load all, fuse and cut, save).

    python3 script_bench.py --aoac build/release/bin/aoac --folder FOLDER --python VENV/bin/python [--rounds 7]

VENV has torch and safetensors. Both must make the same tensors, which is checked first.
"""
import argparse
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import checkpoint  # noqa: E402
import measure  # noqa: E402
import models  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(HERE, '..', 'support', 'llama.aoa')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--aoac', required=True)
    parser.add_argument('--folder', required=True)
    parser.add_argument('--python', required=True)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--small', action='store_true')
    options = parser.parse_args()
    aoac, folder = os.path.abspath(options.aoac), os.path.abspath(options.folder)
    models.make(os.path.join(folder, 'hf'), models.SMALL if options.small else models.TWO_GIGABYTES)

    def convert(out='out', *more):
        command = [aoac, RULES, '--run', '--quiet', '--from', 'hf:hf', '--to', f'cut:{out}', '--mesh-to', 'tp=2,pp=2', *more]
        return measure.run(command, folder, XDG_CACHE_HOME=os.path.join(folder, 'cache'))

    def script(out='out'):
        return measure.run([os.path.abspath(options.python), os.path.join(HERE, 'usual_script.py'), 'hf', out, '--tp', '2', '--pp', '2'], folder)

    def remove(*_):
        for name in 'out', 'by_script':
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)

    remove()
    convert()
    script('by_script')
    for rank in range(4):
        a, b = (checkpoint.read(os.path.join(folder, out, f'rank_{rank:05}.safetensors')) for out in ('out', 'by_script'))
        if a != b:
            sys.exit(f'rank {rank} differs')
    del a, b
    remove()
    results = measure.interleave({'script': script, 'aoac': convert, 'aoac --memory 256M': lambda: convert('out', '--memory', '256M')},
                                 options.rounds, after=remove)
    measure.table(results, 'script')


if __name__ == '__main__':
    main()
