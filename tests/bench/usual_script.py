"""The usual way to convert a Llama from Hugging Face's layout to Megatron's: load all, fuse and cut, save.

    python3 usual_script.py SOURCE TARGET --tp 2 --pp 2

What converters in the wild do, and no slower than they: one dictionary of all tensors, torch for the moves, one
dictionary per rank, safetensors for files.
"""
import argparse
import json
import os

import torch
from safetensors.torch import load_file, save_file


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('source')
    parser.add_argument('target')
    parser.add_argument('--tp', type=int, default=1)
    parser.add_argument('--pp', type=int, default=1)
    options = parser.parse_args()
    tp, pp = options.tp, options.pp
    with open(os.path.join(options.source, 'config.json')) as file:
        config = json.load(file)
    layers, heads, groups = config['num_hidden_layers'], config['num_attention_heads'], config['num_key_value_heads']
    hidden = config['hidden_size']
    d = hidden // heads
    state = {}
    for name in sorted(os.listdir(options.source)):
        if name.endswith('.safetensors'):
            state.update(load_file(os.path.join(options.source, name)))

    full = {'embed': (state['model.embed_tokens.weight'], 0), 'after': (state['model.norm.weight'], None), 'head': (state['lm_head.weight'], 0)}
    for i in range(layers):
        at = f'model.layers.{i}.'
        q = state[at + 'self_attn.q_proj.weight'].view(groups, heads // groups, d, hidden)
        k = state[at + 'self_attn.k_proj.weight'].view(groups, 1, d, hidden)
        v = state[at + 'self_attn.v_proj.weight'].view(groups, 1, d, hidden)
        full[f'layer.{i}.qkv'] = (torch.cat([q, k, v], dim=1).reshape(-1, hidden), 0)
        gate, up = state[at + 'mlp.gate_proj.weight'], state[at + 'mlp.up_proj.weight']
        parts = [torch.cat([a, b]) for a, b in zip(gate.chunk(tp), up.chunk(tp))]
        full[f'layer.{i}.gate_up'] = (torch.cat(parts), 0)
        full[f'layer.{i}.o'] = (state[at + 'self_attn.o_proj.weight'], 1)
        full[f'layer.{i}.down'] = (state[at + 'mlp.down_proj.weight'], 1)
        full[f'layer.{i}.before'] = (state[at + 'input_layernorm.weight'], None)
        full[f'layer.{i}.between'] = (state[at + 'post_attention_layernorm.weight'], None)

    os.makedirs(options.target)
    for stage in range(pp):
        for rank in range(tp):
            held = {}
            for name, (tensor, axis) in full.items():
                first, last = name == 'embed', name in ('after', 'head')
                if (first and stage != 0) or (last and stage != pp - 1):
                    continue
                if name.startswith('layer.') and int(name.split('.')[1]) * pp // layers != stage:
                    continue
                held[name] = (tensor if axis is None else tensor.chunk(tp, dim=axis)[rank]).contiguous()
            number = stage * tp + rank
            metadata = {'aoa.mesh': f'pp={pp},tp={tp}', 'aoa.rank': str(number)}
            save_file(held, os.path.join(options.target, f'rank_{number:05}.safetensors'), metadata=metadata)


if __name__ == '__main__':
    main()
