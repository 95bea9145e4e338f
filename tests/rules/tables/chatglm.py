"""ChatGLM-6B: f16, norms in f32; the head stands in the file a second time."""
from tables._parts import GROUPED, Tensors, meshes


def tensors(config, buffers=True):
    h, f, v = config['hidden_size'], config['inner_hidden_size'], config['vocab_size']
    t = Tensors('F16')
    t.add('transformer.word_embeddings.weight', v, h)
    for layer in range(config['num_layers']):
        p = f'transformer.layers.{layer}.'
        t.norm(p + 'input_layernorm', h, True, 'F32')
        if buffers: t.add(p + 'attention.rotary_emb.inv_freq', h // config['num_attention_heads'] // 4)
        t.linear(p + 'attention.query_key_value', 3 * h, h, True)
        t.linear(p + 'attention.dense', h, h, True)
        t.norm(p + 'post_attention_layernorm', h, True, 'F32')
        t.linear(p + 'mlp.dense_h_to_4h', f, h, True)
        t.linear(p + 'mlp.dense_4h_to_h', h, f, True)
    t.norm('transformer.final_layernorm', h, True, 'F32')
    t.add('lm_head.weight', v, h)
    t.copies['lm_head.weight'] = 'transformer.word_embeddings.weight'
    return t


SIZE = {'hidden_size': 4096, 'num_layers': 28, 'num_attention_heads': 32, 'inner_hidden_size': 16384}
LAYOUTS = meshes('paddle_plain') + meshes('megatron_lm_plain') + GROUPED
MODELS = {
    'chatglm-6b': {'config': SIZE | {'vocab_size': 150528}, 'tensors': 368, 'elements': 6_871_769_088 + 28 * 32, 'layouts': LAYOUTS},
    'chatglm-6b-v1.1': {'config': SIZE | {'vocab_size': 130528}, 'tensors': 368, 'elements': 6_707_929_088 + 28 * 32, 'layouts': LAYOUTS},
}
