"""Qwen3-MoE."""
from tables._parts import Tensors, attention, ends, meshes, mlp


def tensors(config):
    h, bias = config['hidden_size'], config.get('attention_bias', False)
    experts = config.get('num_experts') or config['num_local_experts']
    t = Tensors()
    ends(t, config)
    for layer in range(config['num_hidden_layers']):
        p = f'model.layers.{layer}.'
        attention(t, p + 'self_attn.', config, bias, bias, norms=True)
        if layer in config.get('mlp_only_layers', []) or (layer + 1) % config.get('decoder_sparse_step', 1):
            mlp(t, p + 'mlp.', config['intermediate_size'], h)
        else:
            t.linear(p + 'mlp.gate', experts, h)
            for e in range(experts): mlp(t, f'{p}mlp.experts.{e}.', config['moe_intermediate_size'], h)
        t.norm(p + 'input_layernorm', h)
        t.norm(p + 'post_attention_layernorm', h)
    return t


MODELS = {
    'Qwen3-30B-A3B': {'config': {'hidden_size': 2048, 'num_hidden_layers': 48, 'num_attention_heads': 32, 'num_key_value_heads': 4,
                                 'head_dim': 128, 'intermediate_size': 6144, 'num_experts': 128, 'moe_intermediate_size': 768,
                                 'decoder_sparse_step': 1, 'mlp_only_layers': [], 'vocab_size': 151936},
                      'tensors': 18867, 'elements': 30_532_122_624,
                      'layouts': [*meshes('megatron_te_grouped_plain', tp=(1, 4)), 'megatron_te_plain tp=2', 'paddle_plain tp=8', 'mindformers_mcore_plain tp=4']},
    'Qwen3-235B-A22B': {'config': {'hidden_size': 4096, 'num_hidden_layers': 94, 'num_attention_heads': 64, 'num_key_value_heads': 4,
                                   'head_dim': 128, 'intermediate_size': 12288, 'num_experts': 128, 'moe_intermediate_size': 1536,
                                   'decoder_sparse_step': 1, 'mlp_only_layers': [], 'vocab_size': 151936},
                        'tensors': 36945, 'elements': 235_093_634_560, 'layouts': ['megatron_te_grouped_plain pp=2,tp=8']},
}
