"""The configurations that PaddleFormers publishes for its models, with tiny checkpoints to carry them out on.

The methods `_gen_aoa_config` and `_gen_inv_aoa_config` are cut out of the files of an unpacked wheel and compiled by
themselves, so that nothing of the package has to be importable.
"""
import ast, re, types
from pathlib import Path
import numpy as np
from .engine import Stored

METHODS = re.compile(r'_gen_|_get_|_build_|_extract_|_has_|_inject_|gen_|get_layer_attn')
SIZES = dict(num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, hidden_size=16, head_dim=4, intermediate_size=10,
             moe_intermediate_size=6, vocab_size=14, num_experts=3, n_routed_experts=3, num_local_experts=3, q_lora_rank=5, kv_lora_rank=4,
             first_k_dense_replace=1, num_nextn_predict_layers=1, mtp_num_layers=0, n_shared_experts=1)
FLAGS = dict(tie_word_embeddings=False, attention_bias=True, qkv_bias=True, use_qk_norm=True, using_sonic_moe=False, moe_expert_fusion=False,
             fd_fallback=False, fuse_attention_qkv=True, fuse_attention_ffn=True, fuse_linear=False, mlp_bias=False, use_bias=False,
             shared_expert_intermediate_size=8, decoder_sparse_step=1, mlp_only_layers=[], fp8=False, tensor_model_parallel_size=1,
             use_gated_attn=False, apply_rope_fusion=False, moe_layer_start_index=1, moe_layer_end_index=1, moe_layer_interval=1, moe_num_experts=3,
             moe_num_shared_experts=1, num_empty_layers_add_in_head=0, fuse_rms_norm=False, use_fused_head_and_loss_fn=False, multi_latent_attention=False)


class Config:
    """A model's configuration: sizes, flags, and None for whatever else a generator asks."""

    def __init__(self, **values): self.__dict__.update({**SIZES, **FLAGS, **values})
    def get(self, key, default=None): return self.__dict__.get(key, default)

    def __getattr__(self, name):
        if name.startswith('_'): raise AttributeError(name)
        return None


def generators(path, base=()):
    """{class name: class} of a file, each with the methods that make configurations and nothing else."""
    tree, found = ast.parse(path.read_text()), {}
    scope = {'is_layer_window_attention': lambda *_: False, 'Any': object, 'Dict': dict, 'List': list, 'dataclass': __import__('dataclasses').dataclass, 'field': __import__('dataclasses').field, **dict(base)}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef): continue
        methods = [m for m in node.body if isinstance(m, ast.FunctionDef) and METHODS.match(m.name)]
        is_record = any('dataclass' in ast.unparse(d) for d in node.decorator_list) and 'AOA' in node.name
        if not is_record and not any('aoa' in ast.unparse(m) for m in methods): continue
        if is_record: body = ast.Module([ast.ImportFrom('__future__', [ast.alias('annotations')], 0), node], [])
        else:
            bases = [b for b in node.bases if ast.unparse(b) in scope]
            cut = ast.ClassDef(node.name, bases, [], methods, [])
            body = ast.Module([ast.ImportFrom('__future__', [ast.alias('annotations')], 0), cut], [])
        exec(compile(ast.fix_missing_locations(body), str(path), 'exec'), scope)
        found[node.name] = scope[node.name]
    return found


def configurations(folder, name, config, fleet):
    """(forward, inverse) of the first class of `name` that makes them; either may be None."""
    base = generators(folder / 'aoa_config_base.py')
    classes = generators(folder / name / 'modeling.py', base)
    for made in classes.values():
        if not hasattr(made, '_gen_aoa_config'): continue
        made.is_fleet, made.base_model_class, made.base_model_prefix = fleet, object, 'model'
        inverse = made._gen_inv_aoa_config(config) if hasattr(made, '_gen_inv_aoa_config') else None
        return made._gen_aoa_config(config), inverse
    return None, None


def shape_of(name, c):
    """The shape that a tensor of this name has in a Hugging Face model of these sizes."""
    q, kv, h = c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim, c.hidden_size
    f = c.moe_intermediate_size if 'experts' in name else c.shared_expert_intermediate_size if 'shared_expert.' in name else c.intermediate_size
    table = [(r'(embed_tokens|lm_head)\.weight$', (c.vocab_size, h)), (r'\.q_proj\.weight$', (q, h)), (r'\.[kv]_proj\.weight$', (kv, h)), (r'o_proj\.weight$', (h, q)),
             (r'qkv_proj\.weight$', (q + 2 * kv, h)), (r'gate_up_proj\.weight$', (2 * f, h)), (r'\.q_proj\.bias$', (q,)), (r'\.[kv]_proj\.bias$', (kv,)),
             (r'o_proj\.bias$', (h,)), (r'experts\.gate_up_proj$', (c.num_experts, h, 2 * f)), (r'experts\.down_proj$', (c.num_experts, f, h)),
             (r'experts\.gate_up_proj_bias$', (c.num_experts, 2 * f)), (r'experts\.down_proj_bias$', (c.num_experts, h)),
             (r'\.(gate|up)_proj\.weight$', (f, h)), (r'\.down_proj\.weight$', (h, f)), (r'w[13]\.weight$', (f, h)), (r'w2\.weight$', (h, f)),
             (r'shared_expert_gate\.weight$', (1, h)), (r'(mlp\.gate|router|block_sparse_moe\.gate)\.weight$', (c.num_experts, h)),
             (r'(correction_bias|router\.bias)$', (c.num_experts,)), (r'sinks$', (c.num_attention_heads,)),
             (r'q_a_proj\.weight$', (c.q_lora_rank, h)), (r'q_b_proj\.weight$', (q, c.q_lora_rank)), (r'kv_a_proj_with_mqa\.weight$', (c.kv_lora_rank + 2, h)),
             (r'kv_b_proj\.weight$', (2 * q, c.kv_lora_rank)), (r'q_a_proj\.bias$', (c.q_lora_rank,)), (r'kv_a_proj_with_mqa\.bias$', (c.kv_lora_rank + 2,)),
             (r'eh_proj\.weight$', (h, 2 * h)), (r'[qk]_(layer)?norm\.weight$', (c.head_dim,))]
    for pattern, shape in table:
        if re.search(pattern, name): return shape
    return (h,)


def names_read(statements, c):
    """The names on the left of arrows that no statement before has made, placeholders filled in."""
    made, read = set(), []
    for text in statements:
        for line in text.splitlines():
            left, _, right = line.partition('->')
            for one in (left.split(',')):
                for filled in fill(one.strip().removesuffix('^T'), c):
                    if filled not in made and filled != '_' and filled not in read: read.append(filled)
            made |= {n for one in right.split(',') for n in fill(one.strip(), c)}
    return read


def fill(name, c):
    names = [name]
    for tag, count in (('$LAYER_ID', c.num_hidden_layers), ('$EXPERT_ID', c.num_experts)):
        names = [n.replace(tag, str(i)) for n in names for i in (range(count) if tag in n else [0])]
    return names


def checkpoint(statements, c, absent, seed=7):
    """A Hugging Face model in bfloat16 of all tensors that the statements read, but for those that match `absent`."""
    rng, out = np.random.default_rng(seed), {}
    for name in names_read(statements, c):
        if absent and re.search(absent, name): continue
        shape = shape_of(name, c)
        bits = (rng.normal(size=shape).astype('<f4').view('<u4') >> 16).astype('<u2').reshape(shape)
        out[name] = Stored('BF16', bits)
    return out


# name of the folder, variants of the configuration, names of tensors that the real model does not have
MODELS = [
    ('llama', {}, ''), ('llama', {'tie_word_embeddings': True}, 'lm_head'),
    ('qwen2', {}, ''), ('qwen2', {'tie_word_embeddings': True}, 'lm_head'), ('qwen3', {'attention_bias': False}, ''),
    ('qwen2_moe', {}, ''), ('qwen2_moe', {'fd_fallback': True}, ''), ('qwen3_moe', {'attention_bias': False}, ''),
    ('qwen3_moe', {'attention_bias': False, 'moe_expert_fusion': True}, ''), ('glm4_moe', {}, r'layers\.0\.mlp\.(gate\.|experts|shared)'),
    ('glm4_moe', {'moe_expert_fusion': True, 'tie_word_embeddings': True}, r'layers\.0\.mlp\.(gate\.|experts|shared)|lm_head'),
    ('glm4_moe', {'fd_fallback': True}, r'layers\.0\.mlp\.(gate\.|experts|shared)'),
    ('deepseek_v3', {'attention_bias': False}, r'self_attn\.[qkv]_proj|layers\.0\.mlp\.(gate\.|experts|shared)|layers\.1\.mlp\.(gate|up|down)_proj'),
    ('phi3', {}, ''), ('gpt_oss', {}, ''), ('ernie4_5', {}, ''), ('ernie4_5_moe', {}, r'mtp_block\.1\.'), ('gemma3_text', {}, ''),
    ('kimi_k2', {}, ''), ('minimax_m2', {}, ''), ('glm_moe_dsa', {}, ''), ('deepseek_v32', {}, ''), ('qwen3_next', {}, ''),
]


def published(folder):
    """(title, configuration, absent, forward, inverse) of every model, plain and fleet."""
    for name, values, absent in MODELS:
        for fleet in (False, True):
            c = Config(**values)
            title = f'{name}{" fleet" if fleet else ""}' + ''.join(f' {k}={v}' for k, v in values.items())
            try: forward, inverse = configurations(Path(folder), name, c, fleet)
            except (AttributeError, NameError, TypeError) as e:  # it needs more of the package than its generator
                print(f'SKIPPED  {title}: {e}')
                continue
            if forward: yield title, c, absent, forward, inverse
