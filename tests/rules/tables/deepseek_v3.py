"""DeepSeek-V3 (and V2), in bf16 or in FP8 with scales, with as many layers for multi-token prediction as asked for."""
from tables._parts import GROUPED, Tensors, ends, meshes, mlp, prediction


def attention(t, p, config):
    h, heads, kv_rank = config['hidden_size'], config['num_attention_heads'], config['kv_lora_rank']
    bias = config.get('attention_bias', False)
    nope, rope, value = config['qk_nope_head_dim'], config['qk_rope_head_dim'], config['v_head_dim']
    if config.get('q_lora_rank'):
        t.linear(p + 'q_a_proj', config['q_lora_rank'], h, bias)
        t.norm(p + 'q_a_layernorm', config['q_lora_rank'])
        t.linear(p + 'q_b_proj', heads * (nope + rope), config['q_lora_rank'])
    else:
        t.linear(p + 'q_proj', heads * (nope + rope), h)
    t.linear(p + 'kv_a_proj_with_mqa', kv_rank + rope, h, bias)
    t.norm(p + 'kv_a_layernorm', kv_rank)
    t.linear(p + 'kv_b_proj', heads * (nope + value), kv_rank)
    t.linear(p + 'o_proj', h, heads * value, bias)


def in_fp8(t, block=128):
    """What V3 quantises, with its scales: the matrices of attention and MLPs, not the router."""
    out = Tensors()
    out.copies = t.copies
    for name, (dtype, shape) in t.items():
        whole = not name.endswith('_proj.weight') and not name.endswith('_mqa.weight') or 'eh_proj' in name
        out.add(name, *shape, dtype=dtype if whole else 'F8_E4M3')
        if not whole: out.add(f'{name}_scale_inv', *(-(-x // block) for x in shape), dtype='F32')
    return out


def tensors(config, predicting=0, corrected=True):
    h, fe, layers = config['hidden_size'], config['moe_intermediate_size'], config['num_hidden_layers']
    t = Tensors()
    ends(t, config)
    for layer in range(layers + predicting):
        p = f'model.layers.{layer}.'
        attention(t, p + 'self_attn.', config)
        if layer < layers and (layer < config['first_k_dense_replace'] or layer % config.get('moe_layer_freq', 1)):
            mlp(t, p + 'mlp.', config['intermediate_size'], h)
        else:
            t.linear(p + 'mlp.gate', config['n_routed_experts'], h)
            if corrected: t.add(p + 'mlp.gate.e_score_correction_bias', config['n_routed_experts'], dtype='F32')
            for e in range(config['n_routed_experts']): mlp(t, f'{p}mlp.experts.{e}.', fe, h)
            if config['n_shared_experts']: mlp(t, p + 'mlp.shared_experts.', fe * config['n_shared_experts'], h)
        t.norm(p + 'input_layernorm', h)
        t.norm(p + 'post_attention_layernorm', h)
        if layer >= layers: prediction(t, p, config)
    return in_fp8(t) if config.get('quantization_config') else t


V3 = {'hidden_size': 7168, 'num_hidden_layers': 61, 'num_attention_heads': 128, 'q_lora_rank': 1536, 'kv_lora_rank': 512,
      'qk_nope_head_dim': 128, 'qk_rope_head_dim': 64, 'v_head_dim': 128, 'intermediate_size': 18432, 'moe_intermediate_size': 2048,
      'n_routed_experts': 256, 'n_shared_experts': 1, 'first_k_dense_replace': 3, 'vocab_size': 129280, 'num_nextn_predict_layers': 1}
V2 = V3 | {'hidden_size': 5120, 'num_hidden_layers': 60, 'intermediate_size': 12288, 'moe_intermediate_size': 1536,
           'n_routed_experts': 160, 'n_shared_experts': 2, 'first_k_dense_replace': 1, 'vocab_size': 102400}
LITE = V2 | {'hidden_size': 2048, 'num_hidden_layers': 27, 'num_attention_heads': 16, 'q_lora_rank': None, 'intermediate_size': 10944,
             'moe_intermediate_size': 1408, 'n_routed_experts': 64}
FP8 = {'quantization_config': {'quant_method': 'fp8', 'weight_block_size': [128, 128]}}
MODELS = {
    'DeepSeek-V3 671B in FP8': {'config': V3 | FP8, 'options': {'predicting': 1}, 'tensors': 91991,
                                'layouts': ['megatron_te_grouped_plain pp=[16,15,15,15],tp=8', *meshes('megatron_te_grouped_plain', pp=(1,)), 'megatron_te_plain tp=8',
                                            *meshes('paddle_plain', pp=(1,)), 'paddle_plain pp=[31,30],tp=4', *GROUPED, 'paddle_plain tp=4'],
                                'refused': {'megatron_te_grouped_plain pp=2,tp=8': '61 = 2 * 30 + 1', 'paddle_plain pp=4': '61 = 4 * 15 + 1'}},
    'DeepSeek-V3 in bf16': {'config': V3, 'tensors': 45395, 'elements': 671_026_419_200, 'layouts': ['megatron_te_grouped_plain tp=2']},
}
