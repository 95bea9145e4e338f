"""Llama's tensors, and what a table of a Llama-like family repeats."""
from tables._parts import Tensors, attention, ends, mlp


def tensors(config, qkv_bias=None, o_bias=None, norms=False, buffers=False, dtype='BF16'):
    """A model of Llama's architecture under transformers' names. `buffers`: of old files."""
    bias = bool(config.get('attention_bias'))
    h, f = config['hidden_size'], config['intermediate_size']
    t = Tensors(dtype)
    ends(t, config)
    for layer in range(config['num_hidden_layers']):
        p = f'model.layers.{layer}.'
        attention(t, p + 'self_attn.', config, bias if qkv_bias is None else qkv_bias, bias if o_bias is None else o_bias, norms)
        mlp(t, p + 'mlp.', f, h)
        if config.get('mlp_bias'):
            for name, width in (('gate', f), ('up', f), ('down', h)): t.add(f'{p}mlp.{name}_proj.bias', width)
        t.norm(p + 'input_layernorm', h)
        t.norm(p + 'post_attention_layernorm', h)
        if buffers: t.add(p + 'self_attn.rotary_emb.inv_freq', h // config['num_attention_heads'] // 2, dtype='F32')
    return t


WHOLE = ('hf', 'llama_plain', 'qwen2_plain')  # sides without a mesh
GROUPED = ([('tp', 2), ('sharding', 4)], [('sharding', 8)])  # meshes of runs of Paddle with sharding stage 2


def config(h, layers, heads, f, v, groups=None, **more):
    """A configuration of Llama's kind."""
    out = {'hidden_size': h, 'num_hidden_layers': layers, 'num_attention_heads': heads, 'intermediate_size': f, 'vocab_size': v}
    if groups: out['num_key_value_heads'] = groups
    return out | more


def layouts(sides, heads, groups, layers, f=0, v=0):
    """Every side on tp 1, 2, 4, 8 and pp 1, 2, 4, where they divide; some sides cut the vocabulary as it is."""
    out = []
    for side in sides:
        if side == 'paddle':  # states are not planned: a source of weights alone has none
            for mesh in GROUPED:
                if all((axis == 'sharding' or x % size == 0) for axis, size in mesh for x in (heads, f)):
                    out.append('paddle+flex_stage2 ' + ','.join(f'{axis}={size}' for axis, size in mesh))
            continue
        for pp in (1, 2, 4):
            for tp in (1, 2, 4, 8):
                if heads % tp or groups % tp or layers % pp or f % tp: continue
                if v % tp and side.startswith(('internevo', 'mindformers')): continue
                if side in WHOLE and (tp, pp) != (1, 1): continue
                mesh = ','.join(f'{axis}={size}' for axis, size in (('pp', pp), ('tp', tp)) if size > 1)
                out.append(f'{side} {mesh}'.strip())
    return out


def model(sides, config, **more):
    """An entry of MODELS, planned to sides."""
    heads = config['num_attention_heads']
    groups = config.get('num_key_value_heads') or heads
    return {'config': config, 'layouts': layouts(sides, heads, groups, config['num_hidden_layers'], config['intermediate_size'],
                                                 config['vocab_size']), **more}
