"""Mistral 7B."""
from tables._llama import config, model, tensors  # noqa: F401

SIDES = ['megatron_plain', 'megatron_te_plain', 'megatron_lm_plain', 'internevo_plain', 'paddle_plain', 'paddle', 'paddle_fused_plain',
         'mindformers_plain', 'mindformers_mcore_plain']
MODELS = {
    'Mistral-7B-v0.1': model(SIDES, config(4096, 32, 32, 14336, 32000, 8), tensors=291, elements=7_241_732_096),
    'Mistral-7B-v0.3': model(SIDES, config(4096, 32, 32, 14336, 32768, 8, head_dim=128), tensors=291),
}
