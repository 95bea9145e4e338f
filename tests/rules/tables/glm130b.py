"""GLM-130B in the files of SwissArmyTransformer, joined."""
from tables._parts import Tensors, meshes


def tensors(config, buffers=True):
    h, f, v = config['hidden_size'], config['inner_hidden_size'], config['vocab_size']
    t = Tensors('F16')
    t.add('transformer.word_embeddings.weight', v, h)
    for layer in range(config['num_layers']):
        p = f'transformer.layers.{layer}.'
        for name in ('input_layernorm', 'post_attention_layernorm'): t.norm(p + name, h, True)
        t.linear(p + 'attention.query_key_value', 3 * h, h, True)
        t.linear(p + 'attention.dense', h, h, True)
        t.linear(p + 'mlp.dense_h_to_4h', 2 * f, h, True)
        t.linear(p + 'mlp.dense_4h_to_h', h, f, True)
        if buffers: t.add(p + 'attention.rotary_emb.inv_freq', h // config['num_attention_heads'] // 2)
    t.norm('transformer.final_layernorm', h, True)
    return t


SIZE = {'hidden_size': 12288, 'num_layers': 70, 'num_attention_heads': 96, 'inner_hidden_size': 32768, 'vocab_size': 150528}
MODELS = {
    'glm-130b': {'config': SIZE, 'tensors': 843 + 70, 'elements': 128_697_794_560 + 70 * 64,
                 'layouts': meshes('sat_plain', pp=(1,))},
}
