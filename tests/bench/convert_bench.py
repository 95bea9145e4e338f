"""Conversions of a 2 GB model against `cp` of the same bytes.

    python3 convert_bench.py --aoac build/release/bin/aoac --folder FOLDER [--sync] [--rounds 7] [--small]

FOLDER lies on the file system to be measured, and needs 7 GB. The source is read from the page cache in all rounds, by the
program and by cp; targets are removed after every round. Before anything is measured each conversion is made once and its
bytes are compared with what numpy makes of the same model.
"""
import argparse
import os
import shutil
import sys

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import checkpoint  # noqa: E402
import measure  # noqa: E402
import models  # noqa: E402

RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support', 'llama.aoa')
CONVERSIONS = {  # name: (source side, source folder, target arguments)
    'rename': ('hf', 'hf', ['--to', 'renamed:out']),
    'hf to tp=2 pp=2': ('hf', 'hf', ['--to', 'cut:out', '--mesh-to', 'tp=2,pp=2']),
    'tp=2 pp=2 to hf': ('cut', 'cut', ['--to', 'hf:out', '--config', 'hf/config.json']),
    'every matrix transposed': ('hf', 'hf', ['--to', 'turned:out', '--mesh-to', 'tp=2']),
}


def arrays(path):
    return {name: numpy.frombuffer(data, numpy.uint16).reshape(shape) for name, (_, shape, data) in checkpoint.read(path).items()}


def names(model):
    """hf name -> name of the other sides, but for what is fused."""
    short = {'self_attn.q_proj': 'q', 'self_attn.k_proj': 'k', 'self_attn.v_proj': 'v', 'self_attn.o_proj': 'o', 'mlp.gate_proj': 'gate',
             'mlp.up_proj': 'up', 'mlp.down_proj': 'down', 'input_layernorm': 'before', 'post_attention_layernorm': 'between'}
    found = {'model.embed_tokens.weight': 'embed', 'model.norm.weight': 'after', 'lm_head.weight': 'head'}
    for layer in range(model['l']):
        found |= {f'model.layers.{layer}.{long}.weight': f'layer.{layer}.{s}' for long, s in short.items()}
    return found


def expected(kind, hf, model):
    """-> {file: {name: array}} by slices of the source."""
    plain = {other: hf[name] for name, other in names(model).items()}
    if kind == 'rename':
        return {'model.safetensors': plain}
    files = {}
    if kind == 'every matrix transposed':
        for tp in 0, 1:
            files[f'rank_{tp:05}.safetensors'] = {
                name: a if a.ndim == 1 else numpy.split(a.T, 2, axis=0 if name.endswith(('.o', '.down')) else 1)[tp] for name, a in plain.items()}
        return files
    n, g, d, l = model['n'], model['g'], model['h'] // model['n'], model['l']
    for rank in range(4):
        pp, tp = divmod(rank, 2)
        held = {}
        for layer in range(pp * l // 2, (pp + 1) * l // 2):
            def part(name, axis):
                return numpy.split(plain[f'layer.{layer}.{name}'], 2, axis)[tp]
            groups = [part(x, 0).reshape(g // 2, -1, d, model['h']) for x in 'qkv']
            held[f'layer.{layer}.qkv'] = numpy.concatenate(groups, axis=1).reshape(-1, model['h'])
            held[f'layer.{layer}.gate_up'] = numpy.concatenate([part('gate', 0), part('up', 0)])
            held[f'layer.{layer}.o'], held[f'layer.{layer}.down'] = part('o', 1), part('down', 1)
            for norm in 'before', 'between':
                held[f'layer.{layer}.{norm}'] = plain[f'layer.{layer}.{norm}']
        if pp == 0:
            held['embed'] = numpy.split(plain['embed'], 2)[tp]
        else:
            held['after'], held['head'] = plain['after'], numpy.split(plain['head'], 2)[tp]
        files[f'rank_{rank:05}.safetensors'] = held
    return files


def check(folder, kind, hf, model):
    wanted = {'model.safetensors': hf} if kind == 'tp=2 pp=2 to hf' else expected(kind, hf, model)
    for file, tensors in wanted.items():
        found = arrays(os.path.join(folder, file))
        if found.keys() != tensors.keys():
            sys.exit(f'{kind}: {file} has other tensors')
        for name, array in tensors.items():
            if not numpy.array_equal(found[name], array):
                sys.exit(f'{kind}: {name} in {file} is wrong')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--aoac', required=True)
    parser.add_argument('--folder', required=True)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--sync', action='store_true', help='onto the device: against cp and sync')
    parser.add_argument('--small', action='store_true', help='a small model, to try the benchmark out')
    parser.add_argument('--only', help='conversions whose name contains this')
    options = parser.parse_args()
    aoac, folder = os.path.abspath(options.aoac), os.path.abspath(options.folder)
    model = models.SMALL if options.small else models.TWO_GIGABYTES
    models.make(os.path.join(folder, 'hf'), model)
    out = os.path.join(folder, 'out')

    def convert(kind):
        side, source, target = CONVERSIONS[kind]
        command = [aoac, RULES, '--run', '--quiet', '--from', f'{side}:{source}', *target, *(['--sync'] if options.sync else [])]
        return measure.run(command, folder, XDG_CACHE_HOME=os.path.join(folder, 'cache'))

    def copy():
        command = ['cp', '-r', '--reflink=never', 'hf', 'out']
        return measure.run(['sh', '-c', ' '.join(command) + ' && sync -f out'] if options.sync else command, folder)

    def remove(_=None):
        shutil.rmtree(out, ignore_errors=True)

    chosen = [kind for kind in CONVERSIONS if not options.only or options.only in kind]
    hf = arrays(os.path.join(folder, 'hf', 'model.safetensors'))
    remove()
    if 'tp=2 pp=2 to hf' in chosen and not os.path.exists(os.path.join(folder, 'cut')):
        convert('hf to tp=2 pp=2')
        os.rename(out, os.path.join(folder, 'cut'))
    for kind in chosen:
        convert(kind)
        check(out, kind, hf, model)
        remove()
    os.sync()
    base = 'cp, sync' if options.sync else 'cp'
    results = measure.interleave({base: copy} | {kind: (lambda k=kind: convert(k)) for kind in chosen}, options.rounds, after=remove)
    measure.table(results, base)


if __name__ == '__main__':
    main()
