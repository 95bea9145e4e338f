"""GLM-4.5 and GLM-4.5-Air, with as many layers for multi-token prediction as asked for."""
from tables._parts import Tensors, attention, ends, meshes, mlp, prediction


def tensors(config, predicting=0):
    h, fe, layers = config['hidden_size'], config['moe_intermediate_size'], config['num_hidden_layers']
    t = Tensors()
    ends(t, config)
    for layer in range(layers + predicting):
        p = f'model.layers.{layer}.'
        attention(t, p + 'self_attn.', config, config['attention_bias'], norms=config.get('use_qk_norm'))
        if layer < config['first_k_dense_replace']:
            mlp(t, p + 'mlp.', config['intermediate_size'], h)
        else:
            t.linear(p + 'mlp.gate', config['n_routed_experts'], h)
            t.add(p + 'mlp.gate.e_score_correction_bias', config['n_routed_experts'], dtype='F32')
            for e in range(config['n_routed_experts']): mlp(t, f'{p}mlp.experts.{e}.', fe, h)
            mlp(t, p + 'mlp.shared_experts.', fe * config['n_shared_experts'], h)
        t.norm(p + 'input_layernorm', h)
        t.norm(p + 'post_attention_layernorm', h)
        if layer >= layers: prediction(t, p, config)
    return t


LARGE = {'hidden_size': 5120, 'num_hidden_layers': 92, 'num_attention_heads': 96, 'num_key_value_heads': 8, 'head_dim': 128,
         'intermediate_size': 12288, 'n_routed_experts': 160, 'n_shared_experts': 1, 'moe_intermediate_size': 1536,
         'first_k_dense_replace': 3, 'attention_bias': True, 'use_qk_norm': True, 'vocab_size': 151552, 'num_nextn_predict_layers': 1}
AIR = LARGE | {'hidden_size': 4096, 'num_hidden_layers': 46, 'intermediate_size': 10944, 'n_routed_experts': 128,
               'moe_intermediate_size': 1408, 'first_k_dense_replace': 1, 'use_qk_norm': False}
MODELS = {
    'GLM-4.5': {'config': LARGE, 'tensors': 44189, 'elements': 352_797_829_024, 'layouts': ['megatron_te_grouped_plain pp=4,tp=8']},
    'GLM-4.5 with prediction': {'config': LARGE, 'options': {'predicting': 1}, 'layouts': ['megatron_te_plain tp=2', 'paddle_plain pp=2,tp=8']},
    'GLM-4.5-Air': {'config': AIR, 'tensors': 17925, 'elements': 106_852_251_264, 'layouts': meshes('megatron_te_grouped_plain', tp=(1, 8), pp=(1, 2))},
}
