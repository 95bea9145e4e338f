"""Gemma 2."""
from tables._llama import config, model, tensors as llama_tensors


def tensors(config):
    config = {'tie_word_embeddings': True} | config
    t = llama_tensors(config)
    for layer in range(config['num_hidden_layers']):
        for name in ('pre', 'post'): t.norm(f'model.layers.{layer}.{name}_feedforward_layernorm', config['hidden_size'])
    return t


MODELS = {
    'gemma-2-2b': model(['megatron_te_plain'], config(2304, 26, 8, 9216, 256000, 4, head_dim=256), tensors=288),
    'gemma-2-9b': model(['megatron_te_plain'], config(3584, 42, 16, 14336, 256000, 8, head_dim=256), tensors=464),
}
