"""GLM-4-0414: two more norms per layer."""
from tables import glm


def tensors(config):
    t = glm.tensors(config)
    for layer in range(config['num_hidden_layers']):
        for name in ('post_self_attn', 'post_mlp'): t.norm(f'model.layers.{layer}.{name}_layernorm', config['hidden_size'])
    return t


SIZE = {'hidden_size': 6144, 'num_hidden_layers': 61, 'num_attention_heads': 48, 'num_key_value_heads': 2, 'head_dim': 128,
        'intermediate_size': 23040, 'vocab_size': 151552, 'attention_bias': False}
MODELS = {
    'GLM-4-9B-0414': {'config': glm.SIZE, 'layouts': ['hf']},
    'GLM-4-32B-0414': {'config': SIZE, 'layouts': ['hf']},
}
