"""InternLM2."""
from tables._llama import config, model
from tables._parts import Tensors

SIDES = ['llama_plain', 'megatron_te_plain', 'megatron_lm_plain', 'paddle_plain', 'paddle_fused_plain', 'paddle', 'internevo_internlm2_plain']


def tensors(config):
    h, f, v, heads = (config[k] for k in ('hidden_size', 'intermediate_size', 'vocab_size', 'num_attention_heads'))
    groups = config.get('num_key_value_heads') or heads
    d, bias = h // heads, config.get('bias', False)
    t = Tensors()
    t.add('model.tok_embeddings.weight', v, h)
    for layer in range(config['num_hidden_layers']):
        p = f'model.layers.{layer}.'
        t.linear(p + 'attention.wqkv', (heads + 2 * groups) * d, h, bias)
        t.linear(p + 'attention.wo', h, heads * d, bias)
        t.linear(p + 'feed_forward.w1', f, h)
        t.linear(p + 'feed_forward.w2', h, f)
        t.linear(p + 'feed_forward.w3', f, h)
        t.norm(p + 'attention_norm', h)
        t.norm(p + 'ffn_norm', h)
    t.norm('model.norm', h)
    t.add('output.weight', v, h)
    return t


MODELS = {
    'internlm2-7b': model(SIDES, config(4096, 32, 32, 14336, 92544, 8), tensors=227, elements=7_737_708_544),
    'internlm2-20b': model(SIDES, config(6144, 48, 48, 16384, 92544, 8), tensors=339, elements=19_861_149_696),
}
