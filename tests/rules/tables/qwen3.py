"""Qwen3."""
from tables._llama import config, model, tensors as llama_tensors

SIDES = ['megatron_te_plain', 'megatron_lm_plain', 'paddle_plain', 'paddle', 'paddle_fused_plain', 'mindformers_mcore_plain']


def tensors(config): return llama_tensors(config, norms=True)


MODELS = {
    'Qwen3-0.6B': model(SIDES, config(1024, 28, 16, 3072, 151936, 8, head_dim=128, tie_word_embeddings=True),
                        tensors=310, elements=596_049_920),
    'Qwen3-8B': model(SIDES, config(4096, 36, 32, 12288, 151936, 8, head_dim=128), tensors=399, elements=8_190_735_360),
    'Qwen3-32B': model(SIDES, config(5120, 64, 64, 25600, 151936, 8, head_dim=128), tensors=707, elements=32_762_123_264),
}
