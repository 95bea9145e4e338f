"""BLOOM and BLOOMZ."""
from tables._llama import layouts
from tables._parts import Tensors

SIDES = ['megatron_lm_plain', 'megatron_deepspeed_plain', 'paddle_plain', 'paddle', 'mindformers_plain']


def tensors(config):
    h, v = config['hidden_size'], config['vocab_size']
    t = Tensors('F16')
    t.add('transformer.word_embeddings.weight', v, h)
    t.norm('transformer.word_embeddings_layernorm', h, True)
    for layer in range(config['n_layer']):
        p = f'transformer.h.{layer}.'
        t.norm(p + 'input_layernorm', h, True)
        t.linear(p + 'self_attention.query_key_value', 3 * h, h, True)
        t.linear(p + 'self_attention.dense', h, h, True)
        t.norm(p + 'post_attention_layernorm', h, True)
        t.linear(p + 'mlp.dense_h_to_4h', 4 * h, h, True)
        t.linear(p + 'mlp.dense_4h_to_h', h, 4 * h, True)
    t.norm('transformer.ln_f', h, True)
    if not config.get('tie_word_embeddings', True): t.add('lm_head.weight', v, h)
    return t


def bloom(h, layers, heads, **more):
    config = {'hidden_size': h, 'n_layer': layers, 'n_head': heads, 'vocab_size': 250880}
    return {'config': config, 'layouts': layouts(SIDES, heads, heads, layers), **more}


MODELS = {name: bloom(4096, 30, 32, tensors=365, elements=7_069_016_064) for name in ('bloom-7b1', 'bloomz-7b1', 'bloomz-7b1-mt')}
MODELS['bloom'] = bloom(14336, 70, 112, tensors=845, elements=176_247_271_424)
