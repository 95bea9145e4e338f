"""GPT-2, and GPT-3 in the sizes that Megatron trains."""
from tables._llama import layouts
from tables._parts import Tensors

SIDES = ['megatron_plain', 'megatron_te_plain', 'megatron_lm_plain', 'megatron_deepspeed_plain', 'paddle_plain',
         'paddle_fused_plain', 'paddle', 'mindformers_plain']


def tensors(config, masks=False):
    h = config['n_embd']
    f = config.get('n_inner') or 4 * h
    t = Tensors('F16')
    t.add('transformer.wte.weight', config['vocab_size'], h)
    t.add('transformer.wpe.weight', config['n_positions'], h)
    for layer in range(config['n_layer']):
        p = f'transformer.h.{layer}.'
        t.norm(p + 'ln_1', h, True)
        for name, into, out in (('attn.c_attn', h, 3 * h), ('attn.c_proj', h, h), ('mlp.c_fc', h, f), ('mlp.c_proj', f, h)):
            t.add(f'{p}{name}.weight', into, out)
            t.add(f'{p}{name}.bias', out)
        t.norm(p + 'ln_2', h, True)
        if masks:
            t.add(p + 'attn.bias', 1, 1, config['n_positions'], config['n_positions'], dtype='U8')
            t.add(p + 'attn.masked_bias', dtype='F32')
    t.norm('transformer.ln_f', h, True)
    if not config.get('tie_word_embeddings', True): t.add('lm_head.weight', config['vocab_size'], h)
    return t


def gpt(h, layers, heads, v=50257, positions=2048, **more):
    config = {'n_embd': h, 'n_layer': layers, 'n_head': heads, 'vocab_size': v, 'n_positions': positions, 'n_inner': None}
    return {'config': config, 'layouts': layouts(SIDES, heads, heads, layers, v=v), **more}


MODELS = {
    'gpt2': gpt(768, 12, 12, positions=1024, tensors=148, elements=124_439_808),
    'gpt2-xl': gpt(1600, 48, 25, positions=1024, tensors=580, elements=1_557_611_200),
    'GPT-3-13B': gpt(5120, 40, 40, 50304),
    'GPT-3-30B': gpt(7168, 48, 56, 50304),
    'GPT-3-66B': gpt(9216, 64, 72, 50304),
    'GPT-3-175B': gpt(12288, 96, 96, tensors=1156, elements=174_604_259_328),
}
