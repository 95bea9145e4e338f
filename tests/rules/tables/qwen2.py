"""Qwen 1.5, 2 and 2.5."""
from tables._llama import config, model, tensors as llama_tensors

SIDES = ['megatron_te_plain', 'megatron_lm_plain', 'megatron_deepspeed_plain', 'internevo_plain', 'paddle_plain', 'paddle',
         'paddle_fused_plain', 'mindformers_plain', 'mindformers_mcore_plain']


def tensors(config): return llama_tensors(config, qkv_bias=True, o_bias=False)


MODELS = {
    'Qwen2.5-0.5B': model(SIDES, config(896, 24, 14, 4864, 151936, 2, tie_word_embeddings=True), tensors=290, elements=494_032_768),
    'Qwen2-7B': model(SIDES, config(3584, 28, 28, 18944, 152064, 4), tensors=339, elements=7_615_616_512),
    'Qwen2.5-14B': model(SIDES, config(5120, 48, 40, 13824, 152064, 8), tensors=579, elements=14_770_033_664),
    'Qwen2.5-32B': model(SIDES, config(5120, 64, 40, 27648, 152064, 8), tensors=771, elements=32_763_876_352),
    'Qwen2-72B': model(SIDES, config(8192, 80, 64, 29568, 152064, 8), tensors=963, elements=72_706_203_648),
}
