"""GLM-4-9B as the transformers class `glm`."""
from tables._parts import GROUPED, Tensors, attention, ends, meshes


def tensors(config):
    h, f = config['hidden_size'], config['intermediate_size']
    t = Tensors()
    ends(t, config)
    for layer in range(config['num_hidden_layers']):
        p = f'model.layers.{layer}.'
        attention(t, p + 'self_attn.', config, config['attention_bias'])
        t.linear(p + 'mlp.gate_up_proj', 2 * f, h)
        t.linear(p + 'mlp.down_proj', h, f)
        t.norm(p + 'input_layernorm', h)
        t.norm(p + 'post_attention_layernorm', h)
    return t


SIZE = {'hidden_size': 4096, 'num_hidden_layers': 40, 'num_attention_heads': 32, 'num_key_value_heads': 2, 'head_dim': 128,
        'intermediate_size': 13696, 'vocab_size': 151552, 'attention_bias': True}
MODELS = {
    'glm-4-9b-hf': {'config': SIZE, 'elements': 9_399_951_360,
                    'layouts': meshes('megatron_te_plain') + meshes('paddle_plain') + GROUPED},
}
