"""aoac against the frameworks' own tools, on the same checkpoint of 2 GB in one run.

    python3 peers_bench.py --aoac build/release/bin/aoac --folder FOLDER --python VENV/bin/python [--rounds 3] [--only NAME]

VENV has torch, deepspeed, mindspore, paddlepaddle and tbb: what of them it lacks is left out, and said so. Before anything is timed both make
their result once, and must have made the same tensors.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'support'))
import checkpoint  # noqa: E402
import measure  # noqa: E402
import models  # noqa: E402

RULES = os.path.join(HERE, '..', '..', 'rules', 'llama2.aoa')
# {function of peer_tools.py: (side of the source, its mesh, side of the target, element type of the model)}
CASES = {
    'zero_to_fp32': ('deepspeed+zero3', 'dp=2', 'hf+bin', 'F32'),
    'dcp_to_torch_save': ('fsdp', 'dp=2', 'hf+bin', 'BF16'),
    'torch_script': ('megatron', 'pp=2,tp=2', 'hf+bin', 'BF16'),
    'load_state_dict': ('paddle+flex', 'tp=2', 'paddle+pdparams', 'BF16'),
    'transform_checkpoints': ('mindformers', 'tp=2', 'mindformers', 'F32'),  # of bf16 it loses the payloads of NaNs
}
HALF = dict(models.TWO_GIGABYTES, l=8)  # 2 GB in f32


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--aoac', required=True)
    parser.add_argument('--folder', required=True)
    parser.add_argument('--python', required=True)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--small', action='store_true', help='a small model, to try the benchmark out')
    parser.add_argument('--only', default='')
    options = parser.parse_args()
    aoac, python = os.path.abspath(options.aoac), os.path.abspath(options.python)
    tools = os.path.join(HERE, 'peer_tools.py')
    available = subprocess.run([python, tools, 'available'], capture_output=True, text=True, check=True).stdout.split()
    for name, (side, mesh, target, dtype) in CASES.items():
        if options.only not in name: continue
        if name not in available:
            print(f'{name}: not installed')
            continue
        folder = os.path.join(os.path.abspath(options.folder), name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(os.path.join(folder, 'hf'))
        model = models.SMALL if options.small else HALF if dtype == 'F32' else models.TWO_GIGABYTES
        with open(os.path.join(folder, 'hf', 'config.json'), 'w') as file:
            json.dump(models.config(**model), file)
        checkpoint.write(os.path.join(folder, 'hf', 'model.safetensors'), models.tensors(**model, dtype=dtype), 1)

        def convert(source, to, *arguments, f=folder):
            return measure.run([aoac, RULES, '--run', '--quiet', '--config', 'hf/config.json', '--from', source, '--to', to, *arguments], f,
                               XDG_CACHE_HOME=os.path.join(f, 'cache'))

        def peer(f=folder, n=name):
            return measure.run([python, tools, n, 'source', 'theirs'], f)

        def ours(f=folder, s=side.split('+')[0], t=target, layout=name == 'transform_checkpoints'):
            return convert(f'{s}:source', f'{t}:ours', *(['--layout-from', 'strategy.ckpt'] if layout else []), f=f)

        def remove(_=None, f=folder):
            for made in 'ours', 'theirs': shutil.rmtree(os.path.join(f, made), ignore_errors=True)

        convert('hf:hf', f'{side}:source', '--mesh-to', mesh)
        os.remove(os.path.join(folder, 'hf', 'model.safetensors'))
        if name == 'transform_checkpoints':
            strategies = [os.path.join(at, n) for at, _, names in os.walk(os.path.join(folder, 'source')) for n in names if 'strategy' in n]
            shutil.move(strategies[0], os.path.join(folder, 'strategy.ckpt'))
        peer()
        ours()
        if subprocess.run([aoac, 'diff', 'ours', 'theirs'], cwd=folder).returncode: sys.exit(f'{name}: the results differ')
        remove()
        candidates = {name: peer, 'aoac': ours, 'cp': lambda f=folder: measure.run(['cp', '-r', '--reflink=never', 'source', 'ours'], f)}
        measure.table(measure.interleave(candidates, options.rounds, after=remove), 'aoac')
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
