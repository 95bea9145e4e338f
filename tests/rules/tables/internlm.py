"""InternLM (the first)."""
from tables._llama import config, model, tensors as llama_tensors

SIDES = ['megatron_plain', 'paddle_plain', 'paddle', 'internevo_plain']


def tensors(config): return llama_tensors(config, qkv_bias=config.get('bias', True), o_bias=config.get('bias', True))


MODELS = {
    'internlm-7b': model(SIDES, config(4096, 32, 32, 11008, 103168, bias=True), tensors=419, elements=7_321_948_160),
}
