"""ChatGLM2-6B, ChatGLM3-6B, GLM-4-9B in the files of their own code."""
from tables._parts import GROUPED, Tensors, meshes


def tensors(config, buffers=True):
    h, v, f, d = config['hidden_size'], config['padded_vocab_size'], config['ffn_hidden_size'], config['kv_channels']
    heads, groups, bias = config['num_attention_heads'], config['multi_query_group_num'], config.get('add_bias_linear', False)
    t = Tensors('F16')
    t.add('transformer.embedding.word_embeddings.weight', v, h)
    if buffers: t.add('transformer.rotary_pos_emb.inv_freq', d // 4)
    for layer in range(config['num_layers']):
        p = f'transformer.encoder.layers.{layer}.'
        t.norm(p + 'input_layernorm', h)
        t.linear(p + 'self_attention.query_key_value', (heads + 2 * groups) * d, h, bias or config['add_qkv_bias'])
        t.linear(p + 'self_attention.dense', h, heads * d, bias)
        t.norm(p + 'post_attention_layernorm', h)
        t.linear(p + 'mlp.dense_h_to_4h', 2 * f, h, bias)
        t.linear(p + 'mlp.dense_4h_to_h', h, f, bias)
    t.norm('transformer.encoder.final_layernorm', h)
    t.add('transformer.output_layer.weight', v, h)
    return t


SIZE = {'hidden_size': 4096, 'num_attention_heads': 32, 'multi_query_attention': True, 'multi_query_group_num': 2, 'kv_channels': 128,
        'ffn_hidden_size': 13696, 'add_qkv_bias': True, 'add_bias_linear': False}
LAYOUTS = ['glm_plain', *meshes('megatron_te_plain'), *meshes('paddle_plain'), *meshes('mindformers_plain', tp=(1, 2)), *GROUPED]
MODELS = {
    'chatglm2-6b': {'config': SIZE | {'num_layers': 28, 'padded_vocab_size': 65024}, 'tensors': 200, 'elements': 6_243_584_000 + 32,
                    'layouts': LAYOUTS},
    'glm-4-9b': {'config': SIZE | {'num_layers': 40, 'padded_vocab_size': 151552}, 'tensors': 284, 'elements': 9_399_951_360 + 32,
                 'layouts': LAYOUTS},
}
