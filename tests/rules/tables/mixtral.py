"""Mixtral 8x7B and 8x22B."""
from tables._parts import Tensors, attention, ends, meshes


def tensors(config):
    h, f, experts = config['hidden_size'], config['intermediate_size'], config['num_local_experts']
    t = Tensors()
    ends(t, config)
    for layer in range(config['num_hidden_layers']):
        p = f'model.layers.{layer}.'
        attention(t, p + 'self_attn.', config)
        t.linear(p + 'block_sparse_moe.gate', experts, h)
        for e in range(experts):
            q = f'{p}block_sparse_moe.experts.{e}.'
            t.linear(q + 'w1', f, h)
            t.linear(q + 'w2', h, f)
            t.linear(q + 'w3', f, h)
        t.norm(p + 'input_layernorm', h)
        t.norm(p + 'post_attention_layernorm', h)
    return t


LAYOUTS = [x for side in ('megatron_te_plain', 'megatron_te_grouped_plain', 'paddle_plain', 'mindformers_plain') for x in meshes(side)]
MODELS = {
    'Mixtral-8x7B': {'config': {'hidden_size': 4096, 'num_hidden_layers': 32, 'num_attention_heads': 32, 'num_key_value_heads': 8,
                                'intermediate_size': 14336, 'num_local_experts': 8, 'vocab_size': 32000},
                     'tensors': 995, 'elements': 46_702_792_704, 'layouts': LAYOUTS},
    'Mixtral-8x22B': {'config': {'hidden_size': 6144, 'num_hidden_layers': 56, 'num_attention_heads': 48, 'num_key_value_heads': 8,
                                 'intermediate_size': 16384, 'num_local_experts': 8, 'vocab_size': 32000},
                      'tensors': 1739, 'elements': 140_620_634_112, 'layouts': LAYOUTS[::5]},
}
