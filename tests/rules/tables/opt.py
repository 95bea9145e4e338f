"""OPT, with the exceptions of its 350M model."""
from tables._llama import layouts
from tables._parts import Tensors

SIDES = ['megatron_plain', 'megatron_te_plain', 'megatron_lm_plain', 'megatron_deepspeed_plain', 'paddle_plain', 'paddle_fused_plain', 'paddle']


def tensors(config):
    h, f, w = config['hidden_size'], config['ffn_dim'], config.get('word_embed_proj_dim', config['hidden_size'])
    bias = config.get('enable_bias', True)
    t = Tensors('F16')
    t.add('model.decoder.embed_tokens.weight', config['vocab_size'], w)
    t.add('model.decoder.embed_positions.weight', config['max_position_embeddings'] + 2, h)
    if w != h:
        t.linear('model.decoder.project_in', h, w)
        t.linear('model.decoder.project_out', w, h)
    for layer in range(config['num_hidden_layers']):
        p = f'model.decoder.layers.{layer}.'
        for name in ('q_proj', 'k_proj', 'v_proj', 'out_proj'): t.linear(f'{p}self_attn.{name}', h, h, bias)
        t.norm(p + 'self_attn_layer_norm', h, True)
        t.linear(p + 'fc1', f, h, bias)
        t.linear(p + 'fc2', h, f, bias)
        t.norm(p + 'final_layer_norm', h, True)
    if config.get('do_layer_norm_before', True): t.norm('model.decoder.final_layer_norm', h, True)
    if not config.get('tie_word_embeddings', True): t.add('lm_head.weight', config['vocab_size'], w)
    return t


def opt(h, layers, heads, sides=SIDES, more=None, **numbers):
    config = {'hidden_size': h, 'num_hidden_layers': layers, 'num_attention_heads': heads, 'ffn_dim': 4 * h, 'vocab_size': 50272,
              'max_position_embeddings': 2048} | (more or {})
    return {'config': config, 'layouts': layouts(sides, heads, heads, layers), **numbers}


MODELS = {
    'opt-125m': opt(768, 12, 12),
    'opt-350m': opt(1024, 24, 16, ['paddle_plain', 'paddle'], {'word_embed_proj_dim': 512, 'do_layer_norm_before': False}),
    'opt-1.3b': opt(2048, 24, 32),
    'opt-2.7b': opt(2560, 32, 32),
    'opt-6.7b': opt(4096, 32, 32),
    'opt-13b': opt(5120, 40, 40),
    'opt-30b': opt(7168, 48, 56),
    'opt-66b': opt(9216, 64, 72, tensors=1028, elements=65_719_701_504),
}
