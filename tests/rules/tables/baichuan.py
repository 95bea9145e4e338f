"""Baichuan and Baichuan 2."""
from tables._llama import config, model
from tables._parts import Tensors, mlp

SIDES = ['llama_plain', 'megatron_te_plain', 'megatron_lm_plain', 'paddle_plain', 'paddle_fused_plain', 'paddle', 'mindformers_plain',
         'mindformers_mcore_plain']


def tensors(config, buffers=False):
    h, v = config['hidden_size'], config['vocab_size']
    t = Tensors()
    t.add('model.embed_tokens.weight', v, h)
    for layer in range(config['num_hidden_layers']):
        p = f'model.layers.{layer}.'
        t.linear(p + 'self_attn.W_pack', 3 * h, h)
        t.linear(p + 'self_attn.o_proj', h, h)
        mlp(t, p + 'mlp.', config['intermediate_size'], h)
        t.norm(p + 'input_layernorm', h)
        t.norm(p + 'post_attention_layernorm', h)
        if buffers: t.add(p + 'self_attn.rotary_emb.inv_freq', h // config['num_attention_heads'] // 2, dtype='F32')
    t.norm('model.norm', h)
    t.add('lm_head.weight', v, h)
    return t


MODELS = {
    'Baichuan-7B': model(SIDES, config(4096, 32, 32, 11008, 64000, max_position_embeddings=4096), options={'buffers': True},
                         tensors=227 + 32, elements=7_000_559_616 + 32 * 64),
    'Baichuan-13B-Base': model(SIDES, config(5120, 40, 40, 13696, 64000, model_max_length=4096), tensors=283, elements=13_264_901_120),
    'Baichuan-13B-Chat': model(SIDES, config(5120, 40, 40, 13696, 64000, model_max_length=4096), tensors=283),
    'Baichuan2-7B-Base': model(SIDES, config(4096, 32, 32, 11008, 125696, z_loss_weight=0), tensors=227, elements=7_505_973_248),
    'Baichuan2-7B-Chat': model(SIDES, config(4096, 32, 32, 11008, 125696, z_loss_weight=0), tensors=227),
    'Baichuan2-13B-Base': model(SIDES, config(5120, 40, 40, 13696, 125696, model_max_length=4096, z_loss_weight=0),
                                tensors=283, elements=13_896_668_160),
    'Baichuan2-13B-Chat': model(SIDES, config(5120, 40, 40, 13696, 125696, model_max_length=4096, z_loss_weight=0), tensors=283),
}
