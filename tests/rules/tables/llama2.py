"""Llama 1, 2, 3 and models of the same architecture."""
from tables._llama import config, model, tensors  # noqa: F401

SIDES = ['hf', 'megatron_plain', 'megatron_te_plain', 'megatron_lm_plain', 'megatron_deepspeed_plain', 'internevo_plain',
         'paddle_plain', 'paddle_fused_plain', 'paddle', 'mindformers_plain', 'mindformers_mcore_plain']


# What cuts a vocabulary of 40076 rows as it is cannot on 8 ranks.
ODD = {f'{side} tp=8': '40076 = 8 * 5009 + 4' for side in ('internevo_plain', 'mindformers_plain', 'mindformers_mcore_plain')}


def llama(*sizes, **more): return model(SIDES, config(*sizes), **more)


MODELS = {
    'llama-7b': llama(4096, 32, 32, 11008, 32000, tensors=291, elements=6_738_415_616),
    'llama-13b': llama(5120, 40, 40, 13824, 32000, tensors=363, elements=13_015_864_320),
    'llama-65b': llama(8192, 80, 64, 22016, 32000, tensors=723, elements=65_285_660_672),
    'Llama-2-7b': llama(4096, 32, 32, 11008, 32000, 32, tensors=291, elements=6_738_415_616),
    'Llama-2-13b': llama(5120, 40, 40, 13824, 32000, 40, tensors=363, elements=13_015_864_320),
    'Llama-2-70b': llama(8192, 80, 64, 28672, 32000, 8, tensors=723, elements=68_976_648_192),
    'Llama-3-8B': llama(4096, 32, 32, 14336, 128256, 8, tensors=291, elements=8_030_261_248),
    'Llama-3-70B': llama(8192, 80, 64, 28672, 128256, 8, tensors=723, elements=70_553_706_496),
    'Llama-3.2-1B': model(SIDES, config(2048, 16, 32, 8192, 128256, 8, head_dim=64, tie_word_embeddings=True),
                          tensors=146, elements=1_235_814_400),
    'FlagAlpha-Llama2-Chinese-7b-Chat': llama(4096, 32, 32, 11008, 32000, 32, tensors=291),
    'FlagAlpha-Llama2-Chinese-13b-Chat': llama(5120, 40, 40, 13824, 32000, 40, tensors=363),
    'ziya-llama-13b-v1': llama(5120, 40, 40, 13824, 39424, tensors=363),
    'linly-chinese-llama-2-7b': llama(4096, 32, 32, 11008, 40076, 32, tensors=291, refused=ODD),
    'linly-chinese-llama-2-13b': llama(5120, 40, 40, 13824, 40076, 40, tensors=363, refused=ODD),
    'InternEvo-LLAMA2-7B': llama(4096, 32, 32, 14336, 32000, 8),
    'InternEvo-LLAMA2-70B': llama(8192, 80, 64, 28672, 32000, 8, tensors=723),
}
