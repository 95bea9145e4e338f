"""Small random models of many families in sizes that differ from model to model, for logits.py.

    CASES = {family: [Case]}

A case is a configuration of a transformers class. Families whose own code is not in transformers have the checkpoint of
the class with the same mathematics, rewritten here under their own names, orders and configuration keys.
"""
from dataclasses import dataclass

import torch
import transformers as hf

from glm_classes import ChatGLMConfig, GLM130BConfig


@dataclass
class Case:
    name: str
    config: object                 # of the transformers class
    dtype: torch.dtype = torch.bfloat16
    rewrite: object = None         # (tensors, config) -> (tensors, config.json) of the family's own code
    as_class: str = ''             # the side that has the names of the class again
    head: str = 'raw'              # 'normalised': as_class divides the rows of the head by their length
    optional: tuple = ()           # endings of tensors (buffers) that a way back need not restore
    refused: tuple = ()            # beginnings of sides that have no place for the model


def sizes(h=48, n=8, g=2, f=40, layers=5, v=67, **more):
    """Keys that most configurations share."""
    return {'hidden_size': h, 'num_attention_heads': n, 'num_key_value_heads': g, 'intermediate_size': f, 'num_hidden_layers': layers,
            'vocab_size': v, 'max_position_embeddings': 32, 'bos_token_id': 0, 'eos_token_id': 1, 'pad_token_id': None} | more


F16, F32 = torch.float16, torch.float32


def llama_like(kind, **more):
    """Grouped, multi-query and full attention; heads narrower and wider than h / n; tied and not."""
    return [Case('grouped', kind(**sizes(**more))),
            Case('one-group', kind(**sizes(h=40, n=4, g=1, f=36, layers=4, v=96, head_dim=12, **more)), F16),
            Case('all-heads', kind(**sizes(h=24, n=4, g=4, f=52, layers=6, v=64, tie_word_embeddings=True, **more))),
            Case('three-groups', kind(**sizes(h=36, n=6, g=3, f=44, layers=2, v=70, head_dim=10, **more)), F32),
            Case('one-layer', kind(**sizes(h=32, n=8, g=4, f=56, layers=1, v=33, **more)))]


def llama():
    biased = {'attention_bias': True}
    return llama_like(hf.LlamaConfig) + [
        Case('biased', hf.LlamaConfig(**sizes(h=32, n=4, g=2, layers=4, **biased))),
        Case('biased-everywhere', hf.LlamaConfig(**sizes(h=32, n=4, g=2, f=28, layers=4, mlp_bias=True, tie_word_embeddings=True, **biased)), F16)]


def qwen2():
    return [c for c in llama_like(hf.Qwen2Config) if c.name != 'one-group' and c.name != 'three-groups'] + [
        Case('wide', hf.Qwen2Config(**sizes(h=56, n=14, g=2, f=64, layers=4, v=100)), F16)]


def qwen3():
    return llama_like(hf.Qwen3Config) + [Case('biased', hf.Qwen3Config(**sizes(attention_bias=True, head_dim=8, layers=4)))]


def gemma2():
    return [Case('grouped', hf.Gemma2Config(**sizes(h=48, n=8, g=2, head_dim=10, query_pre_attn_scalar=10))),
            Case('all-heads', hf.Gemma2Config(**sizes(h=40, n=4, g=4, f=44, layers=4, v=128, head_dim=6)), F16),
            Case('untied', hf.Gemma2Config(**sizes(h=40, n=4, g=1, layers=2, head_dim=8, tie_word_embeddings=False)), F32),
            Case('biased', hf.Gemma2Config(**sizes(h=40, n=4, g=2, layers=2, head_dim=8, attention_bias=True)))]


def glm_like(kind, **more):
    return [Case('grouped', kind(**sizes(head_dim=8, attention_bias=True, **more))),
            Case('plain', kind(**sizes(h=40, n=4, g=2, f=36, layers=4, v=96, head_dim=12, attention_bias=False, **more)), F16),
            Case('tied', kind(**sizes(h=40, n=4, g=4, f=44, layers=2, v=64, head_dim=12, attention_bias=True, tie_word_embeddings=True, **more))),
            Case('one-group', kind(**sizes(h=40, n=8, g=1, f=44, layers=3, head_dim=4, attention_bias=True, **more)), F32)]


def experts(**more):
    return {'moe_intermediate_size': 12, 'num_experts': 6, 'num_experts_per_tok': 2} | more


def mixtral():
    few = {'num_local_experts': 4, 'num_experts_per_tok': 2}
    return [Case('grouped', hf.MixtralConfig(**sizes(f=28, layers=3, **few))),
            Case('narrow-heads', hf.MixtralConfig(**sizes(h=40, n=4, g=4, f=20, layers=4, v=64, head_dim=6, **few)), F16),
            Case('many', hf.MixtralConfig(**sizes(h=32, n=4, g=1, f=12, layers=2, v=50, **few | {'num_local_experts': 11})), F32),
            Case('tied', hf.MixtralConfig(**sizes(h=32, n=4, g=2, f=16, layers=2, tie_word_embeddings=True, **few)))]


def qwen2_moe():
    shared = {'shared_expert_intermediate_size': 20}
    kind = hf.Qwen2MoeConfig
    return [Case('grouped', kind(**sizes(layers=3, **experts(**shared)))),
            Case('every-second', kind(**sizes(h=40, n=4, g=4, f=36, layers=5, v=64, decoder_sparse_step=2, **experts(num_experts=4, **shared))), F16),
            Case('listed', kind(**sizes(h=32, n=4, g=2, f=28, layers=4, mlp_only_layers=[0, 2], qkv_bias=False, **experts(**shared))), F32),
            Case('tied', kind(**sizes(h=32, n=4, g=1, layers=2, tie_word_embeddings=True, **experts(num_experts=11, **shared))))]


def qwen3_moe():
    kind = hf.Qwen3MoeConfig
    return [Case('grouped', kind(**sizes(h=40, layers=3, head_dim=6, **experts()))),
            Case('every-second', kind(**sizes(h=40, n=4, g=4, f=36, layers=5, v=64, head_dim=12, decoder_sparse_step=2, **experts(num_experts=4))), F16),
            Case('listed', kind(**sizes(h=32, n=4, g=2, f=28, layers=4, mlp_only_layers=[0, 3], attention_bias=True, **experts())), F32),
            Case('tied', kind(**sizes(h=32, n=4, g=1, layers=2, tie_word_embeddings=True, **experts(num_experts=11))))]


def glm4_moe():
    some = {'n_routed_experts': 4, 'num_experts_per_tok': 2, 'moe_intermediate_size': 12, 'n_group': 1, 'topk_group': 1, 'head_dim': 8}
    kind = hf.Glm4MoeConfig
    return [Case('biased', kind(**sizes(h=40, layers=4, first_k_dense_replace=2, n_shared_experts=2, attention_bias=True, **some))),
            Case('normed', kind(**sizes(h=40, n=4, g=4, f=36, layers=3, v=64, first_k_dense_replace=1, n_shared_experts=1, use_qk_norm=True, **some)), F16),
            Case('all-experts', kind(**sizes(h=32, n=4, g=1, f=28, layers=2, first_k_dense_replace=0, n_shared_experts=3, **some)), F32),
            Case('tied', kind(**sizes(h=32, n=4, g=2, layers=2, first_k_dense_replace=1, tie_word_embeddings=True, **some)), rewrite=predicting(1)),
            Case('predicting', kind(**sizes(h=40, layers=3, first_k_dense_replace=1, n_shared_experts=2, attention_bias=True, **some)),
                 rewrite=predicting(2))]


def deepseek_v2():
    ranks = {'kv_lora_rank': 12, 'qk_nope_head_dim': 6, 'qk_rope_head_dim': 4, 'v_head_dim': 10, 'n_group': 1, 'topk_group': 1,
             'n_routed_experts': 4, 'num_experts_per_tok': 2, 'moe_intermediate_size': 12, 'head_dim': 4}
    kind = hf.DeepseekV2Config
    return [Case('low-rank', kind(**sizes(n=8, g=8, layers=4, first_k_dense_replace=1, q_lora_rank=20, n_shared_experts=2, **ranks))),
            Case('full-rank', kind(**sizes(h=32, n=4, g=4, f=36, layers=3, v=64, first_k_dense_replace=1, q_lora_rank=None, n_shared_experts=1, **ranks)), F16)]


def deepseek_v3():
    ranks = {'kv_lora_rank': 12, 'qk_nope_head_dim': 6, 'qk_rope_head_dim': 4, 'v_head_dim': 10, 'n_group': 1, 'topk_group': 1,
             'n_routed_experts': 4, 'num_experts_per_tok': 2, 'moe_intermediate_size': 12}
    kind = hf.DeepseekV3Config
    def size(n, **more): return sizes(n=n, g=n, **more)
    return [Case('low-rank', kind(**size(8, h=40, layers=5, first_k_dense_replace=2, q_lora_rank=20, n_shared_experts=2, **ranks))),
            Case('full-rank', kind(**size(4, h=32, f=36, layers=4, v=64, first_k_dense_replace=1, q_lora_rank=None, n_shared_experts=1, **ranks)), F16),
            Case('biased', kind(**size(4, h=32, layers=2, first_k_dense_replace=0, q_lora_rank=10, n_shared_experts=3, attention_bias=True, **ranks)), F32),
            Case('tied', kind(**size(4, h=32, layers=3, first_k_dense_replace=1, q_lora_rank=10, n_shared_experts=1, tie_word_embeddings=True, **ranks)),
                 rewrite=predicting(1)),
            Case('predicting', kind(**size(4, h=32, layers=4, first_k_dense_replace=3, q_lora_rank=10, n_shared_experts=1, **ranks)),
                 rewrite=predicting(2))]


def gpt(**more):
    def size(h, n, layers, v, positions, **more):
        return hf.GPT2Config(n_embd=h, n_head=n, n_layer=layers, vocab_size=v, n_positions=positions, bos_token_id=0, eos_token_id=1, **more)
    return [Case('narrow', size(48, 8, 5, 67, 19, n_inner=40)), Case('four-times', size(40, 4, 4, 64, 24), F16),
            Case('untied', size(36, 6, 2, 71, 16, tie_word_embeddings=False), F32, refused=('mindformers', 'hf_base')), Case('one-layer', size(32, 4, 1, 50, 13))]


def gpt_neox():
    def size(**more):
        kept = {k: v for k, v in sizes(**more).items() if k != 'num_key_value_heads'}
        return hf.GPTNeoXConfig(**kept)
    return [Case('plain', size()), Case('f16', size(h=40, n=4, f=36, layers=4, v=64), F16),
            Case('tied', size(h=36, n=6, layers=2, tie_word_embeddings=True), F32),
            Case('unbiased', size(h=32, n=4, layers=3, attention_bias=False))]


def opt():
    def size(h=48, n=8, f=40, layers=5, v=67, positions=20, **more):
        return hf.OPTConfig(hidden_size=h, num_attention_heads=n, ffn_dim=f, num_hidden_layers=layers, vocab_size=v,
                            max_position_embeddings=positions, word_embed_proj_dim=more.pop('word', h), bos_token_id=0, eos_token_id=1, **more)
    return [Case('plain', size()), Case('f16', size(h=40, n=4, f=36, layers=4, v=64, positions=17), F16),
            Case('as-350m', size(h=40, n=4, f=44, layers=4, word=20, do_layer_norm_before=False), refused=('megatron',)),
            Case('narrow-words', size(h=40, n=4, f=44, layers=2, v=64, word=12), F32, refused=('megatron',)),
            Case('untied', size(h=32, n=4, layers=2, tie_word_embeddings=False), refused=('paddle', 'hf_base')),
            Case('as-galactica', size(h=32, n=4, layers=2, enable_bias=False, layer_norm_elementwise_affine=True)),
            Case('no-norm-weights', size(h=32, n=4, layers=2, layer_norm_elementwise_affine=False), refused=('megatron', 'paddle'))]


def bloom():
    def size(h, n, layers, v, **more): return hf.BloomConfig(hidden_size=h, n_head=n, n_layer=layers, vocab_size=v, bos_token_id=0, eos_token_id=1, **more)
    return [Case('plain', size(48, 8, 5, 67), F16), Case('six-heads', size(36, 6, 4, 64)), Case('one-layer', size(32, 4, 1, 50), F32),
            Case('untied', size(32, 4, 2, 50, tie_word_embeddings=False), refused=('mindformers', 'hf_base'))]


# Layers for multi-token prediction, which published files have and the classes neither make nor load.

def predicting(count):
    """Adds `count` layers behind the last one: a layer of the last one's kind with what such a layer has beside it."""
    def rewrite(tensors, config):
        t, last, h = dict(tensors), f'model.layers.{config.num_hidden_layers - 1}.', config.hidden_size
        for i in range(count):
            p = f'model.layers.{config.num_hidden_layers + i}.'
            for name, tensor in tensors.items():
                if name.startswith(last): t[p + name[len(last):]] = torch.randn(tensor.shape).to(tensor.dtype)
            dtype = tensors['model.norm.weight'].dtype
            for name in ('enorm', 'hnorm', 'shared_head.norm'): t[f'{p}{name}.weight'] = torch.randn(h).to(dtype)
            t[f'{p}eh_proj.weight'] = torch.randn(h, 2 * h).to(dtype)
            t[f'{p}embed_tokens.weight'] = tensors['model.embed_tokens.weight'].clone()
            t[f'{p}shared_head.head.weight'] = tensors.get('lm_head.weight', tensors['model.embed_tokens.weight']).clone()
        return t, None
    return rewrite


# Families of remote code, rewritten from the class with the same mathematics.

def renamed(tensors, *pairs):
    out = {}
    for name, tensor in tensors.items():
        for old, new in pairs: name = name.replace(old, new)
        out[name] = tensor
    return out


def joined(tensors, template, part, join):
    """Replaces the three tensors `template.format(x)`, x in q, k, v, of every layer by one, called `part`."""
    out = dict(tensors)
    for name in list(tensors):
        if not name.endswith(template.format('q')): continue
        prefix = name[:-len(template.format('q'))]
        out[prefix + part] = join(*(out.pop(prefix + template.format(x)) for x in 'qkv'))
    return out


def blocks(q, k, v): return torch.cat([q, k, v])


def by_group(groups, d):
    """Queries of a group, its key, its value, group after group."""
    def join(q, k, v):
        width = q.shape[0] // groups
        return torch.cat([x for i in range(groups) for x in (q[i * width:(i + 1) * width], k[i * d:(i + 1) * d], v[i * d:(i + 1) * d])])
    return join


def keys(config, *names): return {name: getattr(config, name) for name in names}


COMMON = ('hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size', 'vocab_size', 'rms_norm_eps')


def as_internlm2(tensors, config):
    d = config.hidden_size // config.num_attention_heads
    join = by_group(config.num_key_value_heads, d)
    t = tensors
    for x in ('weight', 'bias'): t = joined(t, 'self_attn.{}_proj.' + x, 'attention.wqkv.' + x, join)
    t = renamed(t, ('model.embed_tokens', 'model.tok_embeddings'), ('lm_head.', 'output.'), ('self_attn.o_proj', 'attention.wo'),
                ('mlp.gate_proj', 'feed_forward.w1'), ('mlp.up_proj', 'feed_forward.w3'), ('mlp.down_proj', 'feed_forward.w2'),
                ('input_layernorm', 'attention_norm'), ('post_attention_layernorm', 'ffn_norm'))
    return t, {'architectures': ['InternLM2ForCausalLM'], 'model_type': 'internlm2', 'bias': config.attention_bias,
               'tie_word_embeddings': config.tie_word_embeddings, **keys(config, *COMMON, 'num_key_value_heads')}


def internlm2():
    c = hf.LlamaConfig
    return [Case('grouped', c(**sizes(g=2)), rewrite=as_internlm2, as_class='llama_plain'),
            Case('all-heads', c(**sizes(h=40, n=4, g=4, f=36, layers=4, v=64)), F16, as_internlm2, 'llama_plain'),
            Case('one-group', c(**sizes(h=40, n=4, g=1, f=36, layers=2)), F32, as_internlm2, 'llama_plain'),
            Case('biased', c(**sizes(h=32, n=4, g=2, layers=3, attention_bias=True)), rewrite=as_internlm2, as_class='llama_plain')]


def as_internlm(tensors, config):
    return tensors, {'architectures': ['InternLMForCausalLM'], 'model_type': 'internlm', 'bias': config.attention_bias,
                     'tie_word_embeddings': False, **keys(config, *COMMON)}


def internlm():
    def size(**more): return hf.LlamaConfig(**sizes(**more))
    return [Case('biased', size(g=8, attention_bias=True), rewrite=as_internlm),
            Case('plain', size(h=40, n=4, g=4, f=36, layers=4, v=64), F16, as_internlm)]


def as_baichuan(name, buffers=False, **own):
    def rewrite(tensors, config):
        t = joined(tensors, 'self_attn.{}_proj.weight', 'self_attn.W_pack.weight', blocks)
        if buffers:
            for i in range(config.num_hidden_layers): t[f'model.layers.{i}.self_attn.rotary_emb.inv_freq'] = torch.rand(3)
        return t, {'architectures': [name], 'model_type': 'baichuan', 'tie_word_embeddings': False, **keys(config, *COMMON), **own}
    return rewrite


def baichuan():
    def size(**more): return hf.LlamaConfig(**sizes(**more))
    first, second = 'BaiChuanForCausalLM', 'BaichuanForCausalLM'
    return [Case('7b', size(g=8), rewrite=as_baichuan(first, max_position_embeddings=32, buffers=True), as_class='llama_plain', optional=('inv_freq',)),
            Case('13b', size(h=40, n=4, g=4, f=36, layers=4, v=64), F16, as_baichuan(second, model_max_length=32), 'llama_plain'),
            Case('2-7b', size(h=40, n=4, g=4, f=36, layers=2), F32, as_baichuan(second, max_position_embeddings=32, z_loss_weight=0),
                 'llama_plain', 'normalised'),
            Case('2-13b', size(h=32, n=4, g=4, f=36, layers=3, v=72), torch.bfloat16, as_baichuan(second, model_max_length=32, z_loss_weight=0),
                 'llama_plain', 'normalised')]


def as_qwen(tensors, config):
    t = tensors
    for x in ('weight', 'bias'): t = joined(t, 'self_attn.{}_proj.' + x, 'attn.c_attn.' + x, blocks)
    t = renamed(t, ('model.layers.', 'transformer.h.'), ('model.embed_tokens', 'transformer.wte'), ('model.norm', 'transformer.ln_f'),
                ('self_attn.o_proj', 'attn.c_proj'), ('mlp.gate_proj', 'mlp.w2'), ('mlp.up_proj', 'mlp.w1'), ('mlp.down_proj', 'mlp.c_proj'),
                ('input_layernorm', 'ln_1'), ('post_attention_layernorm', 'ln_2'))
    return t, {'architectures': ['QWenLMHeadModel'], 'model_type': 'qwen', 'no_bias': True, 'tie_word_embeddings': False,
               'kv_channels': config.hidden_size // config.num_attention_heads,
               **keys(config, *COMMON), 'intermediate_size': 2 * config.intermediate_size}


def qwen():
    def size(**more): return hf.Qwen2Config(**sizes(**more))
    return [Case('plain', size(g=8), rewrite=as_qwen, as_class='qwen2_plain'),
            Case('f16', size(h=40, n=4, g=4, f=36, layers=4, v=64), F16, as_qwen, 'qwen2_plain'),
            Case('f32', size(h=36, n=6, g=6, f=44, layers=3, v=72), F32, as_qwen, 'qwen2_plain')]


def as_chatglm2(tensors, config):
    t = tensors
    for x in ('weight', 'bias'): t = joined(t, 'self_attn.{}_proj.' + x, 'self_attention.query_key_value.' + x, blocks)
    t = renamed(t, ('model.layers.', 'transformer.encoder.layers.'), ('model.embed_tokens', 'transformer.embedding.word_embeddings'),
                ('model.norm', 'transformer.encoder.final_layernorm'), ('lm_head', 'transformer.output_layer'),
                ('self_attn.o_proj', 'self_attention.dense'), ('mlp.gate_up_proj', 'mlp.dense_h_to_4h'), ('mlp.down_proj', 'mlp.dense_4h_to_h'))
    t['transformer.rotary_pos_emb.inv_freq'] = torch.rand(2).to(t['transformer.output_layer.weight'].dtype)
    return t, {'architectures': ['ChatGLMModel'], 'model_type': 'chatglm', 'num_layers': config.num_hidden_layers, 'kv_channels': config.head_dim,
               'ffn_hidden_size': config.intermediate_size, 'padded_vocab_size': config.vocab_size, 'multi_query_attention': True,
               'multi_query_group_num': config.num_key_value_heads, 'add_qkv_bias': config.attention_bias, 'add_bias_linear': False,
               **keys(config, 'hidden_size', 'num_attention_heads')}


def chatglm2():
    def size(**more): return hf.GlmConfig(**sizes(**more))
    more = {'rewrite': as_chatglm2, 'as_class': 'glm_plain', 'optional': ('inv_freq',)}
    return [Case('grouped', size(head_dim=8, attention_bias=True), **more),
            Case('one-group', size(h=40, n=8, g=1, f=44, layers=3, head_dim=4, attention_bias=True), F16, **more),
            Case('all-heads', size(h=40, n=4, g=4, f=36, layers=4, v=64, head_dim=12, attention_bias=False), F32, **more)]


def as_chatglm(tensors, config):
    """Norms f32, the head a second time, and a buffer in every layer, as in the family's own files."""
    t = {name: x.float() if 'layernorm' in name else x for name, x in tensors.items()}
    embedding = t['lm_head.weight'] = t['transformer.word_embeddings.weight']
    for i in range(config.num_layers): t[f'transformer.layers.{i}.attention.rotary_emb.inv_freq'] = torch.rand(2).to(embedding.dtype)
    return t, config.to_dict() | {'architectures': ['ChatGLMModel'], 'position_encoding_2d': True}


def blocks_of(n, h, f, v, layers):
    return {'num_attention_heads': n, 'hidden_size': h, 'inner_hidden_size': f, 'vocab_size': v, 'num_layers': layers}


def chatglm():
    more = {'rewrite': as_chatglm, 'optional': ('inv_freq',)}
    return [Case('f16', ChatGLMConfig(**blocks_of(8, 64, 96, 67, 5)), F16, **more), Case('wide', ChatGLMConfig(**blocks_of(4, 48, 192, 96, 4)), **more),
            Case('f32', ChatGLMConfig(**blocks_of(6, 24, 44, 70, 2)), F32, **more)]


def glm130b():
    return [Case('f16', GLM130BConfig(**blocks_of(8, 64, 96, 68, 5)), F16), Case('wide', GLM130BConfig(**blocks_of(4, 48, 128, 96, 4))),
            Case('f32', GLM130BConfig(**blocks_of(6, 24, 44, 70, 2)), F32)]


CASES = {
    'llama2': llama, 'mistral': lambda: llama_like(hf.MistralConfig), 'qwen2': qwen2, 'qwen3': qwen3, 'gemma2': gemma2,
    'glm': lambda: glm_like(hf.GlmConfig), 'glm4': lambda: glm_like(hf.Glm4Config), 'mixtral': mixtral, 'qwen2_moe': qwen2_moe,
    'qwen3_moe': qwen3_moe, 'glm4_moe': glm4_moe, 'deepseek_v2': deepseek_v2, 'deepseek_v3': deepseek_v3, 'gpt': gpt, 'gpt_neox': gpt_neox, 'opt': opt, 'bloom': bloom,
    'internlm2': internlm2, 'internlm': internlm, 'baichuan': baichuan, 'qwen': qwen, 'chatglm2': chatglm2, 'chatglm': chatglm,
    'glm130b': glm130b,
}
