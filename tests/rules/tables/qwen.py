"""Qwen (the first)."""
from tables._llama import layouts
from tables._parts import Tensors

SIDES = ['qwen2_plain', 'megatron_plain', 'megatron_te_plain', 'megatron_lm_plain', 'paddle_plain', 'paddle_fused_plain', 'paddle', 'mindformers_plain']


def tensors(config):
    h, v, f = config['hidden_size'], config['vocab_size'], config['intermediate_size'] // 2
    wide = config['num_attention_heads'] * config.get('kv_channels', h // config['num_attention_heads'])
    t = Tensors()
    t.add('transformer.wte.weight', v, h)
    for layer in range(config['num_hidden_layers']):
        p = f'transformer.h.{layer}.'
        t.norm(p + 'ln_1', h)
        t.linear(p + 'attn.c_attn', 3 * wide, h, True)
        t.linear(p + 'attn.c_proj', h, wide)
        t.norm(p + 'ln_2', h)
        t.linear(p + 'mlp.w1', f, h)
        t.linear(p + 'mlp.w2', f, h)
        t.linear(p + 'mlp.c_proj', h, f)
    t.norm('transformer.ln_f', h)
    t.add('lm_head.weight', v, h)
    return t


def qwen(h, layers, heads, wide, v, sides=SIDES, **more):
    config = {'hidden_size': h, 'num_hidden_layers': layers, 'num_attention_heads': heads, 'kv_channels': 128,
              'intermediate_size': wide, 'vocab_size': v}
    return {'config': config, 'layouts': layouts(sides, heads, heads, layers, wide // 2), **more}


MODELS = {
    'Qwen-7B': qwen(4096, 32, 32, 22016, 151936, tensors=259, elements=7_721_324_544),
    'Qwen-7B-Chat': qwen(4096, 32, 32, 22016, 151936, tensors=259),
    'Qwen-14B': qwen(5120, 40, 40, 27392, 152064, tensors=323, elements=14_167_290_880),
    'Qwen-14B-Chat': qwen(5120, 40, 40, 27392, 152064, tensors=323),
    'Qwen-72B': qwen(8192, 80, 64, 49152, 152064, tensors=643, elements=72_287_920_128),
}
