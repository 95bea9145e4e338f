"""Models of the Llama architecture with random weights, as folders of Hugging Face's format."""
import json
import os

import checkpoint

# hidden, layers, heads, key/value heads, intermediate, vocabulary
SMALL = dict(h=64, l=4, n=4, g=2, f=96, v=256, tied=False)
SMOLLM2_135M = dict(h=576, l=30, n=9, g=3, f=1536, v=49152, tied=True)
TWO_GIGABYTES = dict(h=2048, l=20, n=32, g=4, f=5632, v=32000, tied=False)


def config(h, l, n, g, f, v, tied):
    return {'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'hidden_size': h, 'num_hidden_layers': l,
            'num_attention_heads': n, 'num_key_value_heads': g, 'intermediate_size': f, 'vocab_size': v,
            'tie_word_embeddings': tied, 'torch_dtype': 'bfloat16'}


def tensors(h, l, n, g, f, v, tied, dtype='BF16'):
    d = h // n
    shapes = {'model.embed_tokens.weight': (v, h)}
    for i in range(l):
        layer = f'model.layers.{i}.'
        shapes |= {layer + 'self_attn.q_proj.weight': (n * d, h), layer + 'self_attn.k_proj.weight': (g * d, h),
                   layer + 'self_attn.v_proj.weight': (g * d, h), layer + 'self_attn.o_proj.weight': (h, n * d),
                   layer + 'mlp.gate_proj.weight': (f, h), layer + 'mlp.up_proj.weight': (f, h),
                   layer + 'mlp.down_proj.weight': (h, f), layer + 'input_layernorm.weight': (h,),
                   layer + 'post_attention_layernorm.weight': (h,)}
    shapes['model.norm.weight'] = (h,)
    if not tied:
        shapes['lm_head.weight'] = (v, h)
    return {name: (dtype, shape) for name, shape in shapes.items()}


def make(folder, model, seed=1, holes=False):
    """Makes the folder with config.json and model.safetensors, unless it is there."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, 'model.safetensors')
    if os.path.exists(path):
        return
    with open(os.path.join(folder, 'config.json'), 'w') as file:
        json.dump(config(**model), file, indent=2)
    checkpoint.write(path + '.part', tensors(**model), seed, holes=holes)
    os.rename(path + '.part', path)
