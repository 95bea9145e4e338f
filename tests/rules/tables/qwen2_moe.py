"""Qwen1.5-MoE and Qwen2-MoE."""
from tables._parts import Tensors, attention, ends, meshes, mlp


def tensors(config):
    h, fe, fs = config['hidden_size'], config['moe_intermediate_size'], config['shared_expert_intermediate_size']
    t = Tensors()
    ends(t, config)
    for layer in range(config['num_hidden_layers']):
        p = f'model.layers.{layer}.'
        attention(t, p + 'self_attn.', config, config.get('qkv_bias', True))
        if layer in config.get('mlp_only_layers', []) or (layer + 1) % config.get('decoder_sparse_step', 1):
            mlp(t, p + 'mlp.', config['intermediate_size'], h)
        else:
            t.linear(p + 'mlp.gate', config['num_experts'], h)
            for e in range(config['num_experts']): mlp(t, f'{p}mlp.experts.{e}.', fe, h)
            mlp(t, p + 'mlp.shared_expert.', fs, h)
            t.linear(p + 'mlp.shared_expert_gate', 1, h)
        t.norm(p + 'input_layernorm', h)
        t.norm(p + 'post_attention_layernorm', h)
    return t


LAYOUTS = [*meshes('megatron_te_grouped_plain', tp=(1, 4)), *meshes('paddle_plain', tp=(2,)), 'megatron_te_plain tp=4', 'mindformers_plain pp=2,tp=2']
MODELS = {
    'Qwen1.5-MoE-A2.7B': {'config': {'hidden_size': 2048, 'num_hidden_layers': 24, 'num_attention_heads': 16, 'num_key_value_heads': 16,
                                     'intermediate_size': 5632, 'num_experts': 60, 'moe_intermediate_size': 1408,
                                     'shared_expert_intermediate_size': 5632, 'vocab_size': 151936},
                          'tensors': 4659, 'elements': 14_315_784_192, 'layouts': LAYOUTS},
    'Qwen2-57B-A14B': {'config': {'hidden_size': 3584, 'num_hidden_layers': 28, 'num_attention_heads': 28, 'num_key_value_heads': 4,
                                  'intermediate_size': 18944, 'num_experts': 64, 'moe_intermediate_size': 2560,
                                  'shared_expert_intermediate_size': 20480, 'vocab_size': 151936},
                       'tensors': 5771, 'elements': 57_408_658_944, 'layouts': LAYOUTS},
}
