"""What happens before data move: checking a rule file, planning 100,000 tensors from 64 to 64 ranks, compiling kernels.

    python3 plan_bench.py --aoac build/release/bin/aoac --folder FOLDER [--rounds 7]

The large checkpoint is made of files with holes; FOLDER needs 1 GB for its headers.
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
LLAMA = os.path.join(HERE, '..', 'support', 'llama.aoa')
EXPERTS = os.path.join(HERE, 'rules', 'experts.aoa')


def make_experts(folder, pp, tp, layers=80, experts=416, h=7168, f=2048):
    """100,000 tensors on pp * tp ranks, as rules/experts.aoa has them."""
    if os.path.exists(folder):
        return
    os.makedirs(folder)
    for rank in range(pp * tp):
        stage, tensors = rank // tp, {}
        for layer in range(stage * layers // pp, (stage + 1) * layers // pp):
            for expert in range(experts):
                at = f'layer.{layer}.experts.{expert}.'
                tensors |= {at + 'gate': ('BF16', (f // tp, h)), at + 'up': ('BF16', (f // tp, h)), at + 'down': ('BF16', (h, f // tp))}
            tensors |= {f'layer.{layer}.norm': ('BF16', (h,)), f'layer.{layer}.router': ('BF16', (experts, h))}
        checkpoint.write(os.path.join(folder, f'rank_{rank:05}.safetensors'), tensors, holes=True,
                         metadata={'aoa.mesh': f'pp={pp},tp={tp}', 'aoa.rank': str(rank)})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--aoac', required=True)
    parser.add_argument('--folder', required=True)
    parser.add_argument('--rounds', type=int, default=7)
    options = parser.parse_args()
    aoac, folder = os.path.abspath(options.aoac), os.path.abspath(options.folder)
    make_experts(os.path.join(folder, 'experts-8-8'), 8, 8)
    make_experts(os.path.join(folder, 'experts-1-64'), 1, 64)
    models.make(os.path.join(folder, 'smollm2'), models.SMOLLM2_135M)
    out, cache = os.path.join(folder, 'out'), os.path.join(folder, 'cache')

    def plan(source, side, mesh):
        return lambda: measure.run([aoac, EXPERTS, '--plan', '--from', f'many:{source}', '--to', side, '--mesh-to', mesh], folder)

    def convert(*more):
        return measure.run([aoac, LLAMA, '--run', '--quiet', '--from', 'hf:smollm2', '--to', 'turned:out', '--mesh-to', 'tp=3', *more], folder, XDG_CACHE_HOME=cache)

    def before(name):
        if name == 'turned, cold':
            shutil.rmtree(cache, ignore_errors=True)

    def after(_):
        shutil.rmtree(out, ignore_errors=True)

    results = measure.interleave({
        'check': lambda: measure.run([aoac, LLAMA], folder),
        'plan 8x8 to 4x16': plan('experts-8-8', 'same', 'pp=4,tp=16'),
        'plan 8x8 to 2x32, fused': plan('experts-8-8', 'fused', 'pp=2,tp=32'),
        'plan 1x64 to 2x32, fused': plan('experts-1-64', 'fused', 'pp=2,tp=32'),
        'turned, cold': convert,
        'turned, cached': convert,
    }, options.rounds, before, after)
    measure.table(results, 'check')
    # What compiling costs is seen with the smallest model: there is next to nothing that it could hide behind.
    models.make(os.path.join(folder, 'small'), models.SMALL)
    small = [aoac, LLAMA, '--run', '--quiet', '--from', 'hf:small']
    results = measure.interleave({
        'small, no kernels': lambda: measure.run([*small, '--to', 'renamed:out'], folder, XDG_CACHE_HOME=cache),
        'small, turned, cold': lambda: measure.run([*small, '--to', 'turned:out', '--mesh-to', 'tp=2'], folder, XDG_CACHE_HOME=cache),
        'small, turned, cached': lambda: measure.run([*small, '--to', 'turned:out', '--mesh-to', 'tp=2'], folder, XDG_CACHE_HOME=cache),
    }, options.rounds * 3, lambda name: shutil.rmtree(cache, ignore_errors=True) if name == 'small, turned, cold' else None, after)
    print()
    measure.table(results, 'small, no kernels')


if __name__ == '__main__':
    main()
