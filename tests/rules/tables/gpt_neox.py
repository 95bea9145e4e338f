"""GPT-NeoX and Pythia."""
from tables._llama import layouts
from tables._parts import Tensors

SIDES = ['megatron_plain', 'megatron_te_plain']


def tensors(config):
    h, v, f = config['hidden_size'], config['vocab_size'], config['intermediate_size']
    bias = config.get('attention_bias', True)
    t = Tensors('F32')
    t.add('gpt_neox.embed_in.weight', v, h)
    for layer in range(config['num_hidden_layers']):
        p = f'gpt_neox.layers.{layer}.'
        t.norm(p + 'input_layernorm', h, True)
        t.norm(p + 'post_attention_layernorm', h, True)
        t.linear(p + 'attention.query_key_value', 3 * h, h, bias)
        t.linear(p + 'attention.dense', h, h, bias)
        t.linear(p + 'mlp.dense_h_to_4h', f, h, True)
        t.linear(p + 'mlp.dense_4h_to_h', h, f, True)
    t.norm('gpt_neox.final_layer_norm', h, True)
    if not config.get('tie_word_embeddings'): t.add('embed_out.weight', v, h)
    return t


def neox(h, layers, heads, f, v, **more):
    config = {'hidden_size': h, 'num_hidden_layers': layers, 'num_attention_heads': heads, 'intermediate_size': f, 'vocab_size': v}
    return {'config': config, 'layouts': layouts(SIDES, heads, heads, layers), **more}


MODELS = {'gpt-neox-20b': neox(6144, 44, 64, 24576, 50432), 'pythia-1.4b': neox(2048, 24, 16, 8192, 50304)}
