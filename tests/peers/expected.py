"""What small_models.py's models must become in other frameworks, by torch operations, one function for each layout.

    EXPECTED = {family: {side: function(tensors, config, tp)}}      -> [{name: tensor}], one for each rank, or None

`tensors` and `config` are those of the transformers class, before they were rewritten for a family of remote code. Written from
the frameworks' own code and its descriptions, not from the rule files, which it judges.
"""
import torch


class Ranks:
    """Tensors of tp ranks."""

    def __init__(self, tp):
        self.tp, self.ranks = tp, [{} for _ in range(tp)]

    def whole(self, name, tensor):
        for rank in self.ranks: rank[name] = tensor

    def cut(self, name, axis, *parts):
        """Every part cut in equal blocks along an axis; a rank has its blocks, one behind the other."""
        for r, rank in enumerate(self.ranks):
            rank[name] = torch.cat([p.chunk(self.tp, axis)[r] for p in parts], axis)

    def cut_if(self, divides, name, axis, *parts):
        if divides: return self.cut(name, axis, *parts)
        self.whole(name, torch.cat(parts, axis))


def padded(table, multiple):
    rows = -table.shape[0] % multiple
    return torch.cat([table, table.new_zeros(rows, *table.shape[1:])])


def turned(x):
    """A matrix [in out] of [out in]; a vector as it is."""
    return x.T if x.dim() == 2 else x


def heads(config):
    n, g = config.num_attention_heads, getattr(config, 'num_key_value_heads', None) or config.num_attention_heads
    return n, g


def grouped(q, k, v, g):
    """Of every group its queries, its key, its value."""
    return torch.cat([x for qs, kk, vv in zip(q.chunk(g), k.chunk(g), v.chunk(g)) for x in (qs, kk, vv)])


def pairs(x, n):
    """Rotary rows in adjacent pairs, of rows in halves, in each of n heads."""
    return x.reshape(n, 2, x.shape[0] // n // 2, *x.shape[1:]).transpose(1, 2).reshape(x.shape)


def layer(t, i, prefix='model.layers.'):
    p = f'{prefix}{i}.'
    return {name[len(p):]: tensor for name, tensor in t.items() if name.startswith(p)}


def attention(x, g):
    """q, k, v grouped, and its bias or nothing."""
    get = lambda kind: [x.get(f'self_attn.{p}_proj.{kind}') for p in 'qkv']
    bias = get('bias')
    return grouped(*get('weight'), g), grouped(*bias, g) if bias[0] is not None else None


def megatron(te, experts=''):
    """Megatron Core. `experts`: '' for a dense model, 'local' or 'grouped'."""
    def make(t, c, tp):
        out, (_, g) = Ranks(tp), heads(c)
        out.cut('embedding.word_embeddings.weight', 0, padded(t['model.embed_tokens.weight'], 128 * tp))
        for i in range(c.num_hidden_layers):
            x, p = layer(t, i), f'decoder.layers.{i}.'
            weight, bias = attention(x, g)
            out.cut(p + 'self_attention.linear_qkv.weight', 0, weight)
            if bias is not None: out.cut(p + 'self_attention.linear_qkv.bias', 0, bias)
            out.cut(p + 'self_attention.linear_proj.weight', 1, x['self_attn.o_proj.weight'])
            if 'self_attn.o_proj.bias' in x: out.whole(p + 'self_attention.linear_proj.bias', x['self_attn.o_proj.bias'])
            for norm in 'qk':
                if f'self_attn.{norm}_norm.weight' in x: out.whole(f'{p}self_attention.{norm}_layernorm.weight', x[f'self_attn.{norm}_norm.weight'])
            out.whole(p + ('self_attention.linear_qkv.layer_norm_weight' if te else 'input_layernorm.weight'), x['input_layernorm.weight'])
            routed = experts and any('experts.0.' in name for name in x)
            out.whole(p + ('mlp.linear_fc1.layer_norm_weight' if te and not routed else 'pre_mlp_layernorm.weight'), x['post_attention_layernorm.weight'])
            if routed: megatron_experts(out, x, p + 'mlp.', experts)
            else: megatron_mlp(out, x, 'mlp.', p + 'mlp.')
        out.whole('decoder.final_layernorm.weight', t['model.norm.weight'])
        if 'lm_head.weight' in t: out.cut('output_layer.weight', 0, padded(t['lm_head.weight'], 128 * tp))
        return out.ranks
    return make


def megatron_mlp(out, x, source, target, up_down=('gate_proj', 'up_proj', 'down_proj'), names=('linear_fc1.weight', 'linear_fc2.weight')):
    gate, up, down = up_down
    if source + 'gate_up_proj.weight' in x: parts = x[source + 'gate_up_proj.weight'].chunk(2)
    else: parts = x[f'{source}{gate}.weight'], x[f'{source}{up}.weight']
    out.cut(target + names[0], 0, *parts)
    out.cut(target + names[1], 1, x[f'{source}{down}.weight'])
    if f'{source}{gate}.bias' in x:
        out.cut(target + 'linear_fc1.bias', 0, x[f'{source}{gate}.bias'], x[f'{source}{up}.bias'])
        out.whole(target + 'linear_fc2.bias', x[f'{source}{down}.bias'])


def megatron_experts(out, x, target, kind):
    source, words = ('block_sparse_moe.', ('w1', 'w3', 'w2')) if 'block_sparse_moe.gate.weight' in x else ('mlp.', ('gate_proj', 'up_proj', 'down_proj'))
    out.whole(target + 'router.weight', x[source + 'gate.weight'])
    if source + 'gate.e_score_correction_bias' in x: out.whole(target + 'router.expert_bias', x[source + 'gate.e_score_correction_bias'])
    for e in range(x[source + 'gate.weight'].shape[0]):
        names = (f'experts.local_experts.{e}.linear_fc1.weight', f'experts.local_experts.{e}.linear_fc2.weight')
        if kind == 'grouped': names = (f'experts.linear_fc1.weight{e}', f'experts.linear_fc2.weight{e}')
        megatron_mlp(out, x, f'{source}experts.{e}.', target, words, names)
    for shared in ('shared_expert.', 'shared_experts.'):
        if f'mlp.{shared}down_proj.weight' in x: megatron_mlp(out, x, 'mlp.' + shared, target + 'shared_experts.')
    if 'mlp.shared_expert_gate.weight' in x: out.whole(target + 'shared_experts.gate_weight', x['mlp.shared_expert_gate.weight'])


def paddle(prefix, fused=False):
    """PaddleNLP: linears [in out]; a vocabulary, keys and values that do not divide stay whole."""
    def make(t, c, tp):
        out, (n, g) = Ranks(tp), heads(c)
        out.cut_if(c.vocab_size % tp == 0, prefix + '.embed_tokens.weight', 0, t['model.embed_tokens.weight'])
        for i in range(c.num_hidden_layers):
            x, p = layer(t, i), f'{prefix}.layers.{i}.'
            for kind in ('weight', 'bias'):
                q, k, v = (x.get(f'self_attn.{a}_proj.{kind}') for a in 'qkv')
                if q is None: continue
                if fused and g % tp == 0:
                    out.cut(f'{p}self_attn.qkv_proj.{kind}', -1, turned(grouped(q, k, v, g)))
                else:
                    out.cut(f'{p}self_attn.q_proj.{kind}', -1, turned(q))
                    out.cut_if(g % tp == 0, f'{p}self_attn.k_proj.{kind}', -1, turned(k))
                    out.cut_if(g % tp == 0, f'{p}self_attn.v_proj.{kind}', -1, turned(v))
            gates = [(kind, x.get(f'mlp.gate_proj.{kind}'), x.get(f'mlp.up_proj.{kind}')) for kind in ('weight', 'bias')]
            for kind, gate, up in gates:
                if gate is None: continue
                if fused: out.cut(f'{p}mlp.gate_up_fused_proj.{kind}', -1, turned(gate), turned(up))
                else: out.cut(f'{p}mlp.gate_proj.{kind}', -1, turned(gate)), out.cut(f'{p}mlp.up_proj.{kind}', -1, turned(up))
            out.cut(p + 'self_attn.o_proj.weight', 0, x['self_attn.o_proj.weight'].T)
            out.cut(p + 'mlp.down_proj.weight', 0, x['mlp.down_proj.weight'].T)
            for name in ('self_attn.o_proj.bias', 'mlp.down_proj.bias', 'self_attn.q_norm.weight', 'self_attn.k_norm.weight',
                         'input_layernorm.weight', 'post_attention_layernorm.weight'):
                if name in x: out.whole(p + name, x[name])
        out.whole(prefix + '.norm.weight', t['model.norm.weight'])
        if 'lm_head.weight' in t: out.cut_if(c.vocab_size % tp == 0, 'lm_head.weight', 1, t['lm_head.weight'].T)
        return out.ranks
    return make


def mindformers(t, c, tp):
    out, (_, g) = Ranks(tp), heads(c)
    if g % tp: return None  # training refuses it
    out.cut('model.tok_embeddings.embedding_weight', 0, t['model.embed_tokens.weight'])
    for i in range(c.num_hidden_layers):
        x, p = layer(t, i), f'model.layers.{i}.'
        for a, w in zip('qkv', ('wq', 'wk', 'wv')):
            for kind in ('weight', 'bias'):
                if f'self_attn.{a}_proj.{kind}' in x: out.cut(f'{p}attention.{w}.{kind}', 0, x[f'self_attn.{a}_proj.{kind}'])
        out.cut(p + 'attention.wo.weight', 1, x['self_attn.o_proj.weight'])
        if 'self_attn.o_proj.bias' in x: out.whole(p + 'attention.wo.bias', x['self_attn.o_proj.bias'])
        for name, w in (('gate', 'w1'), ('up', 'w3')):
            for kind in ('weight', 'bias'):
                if f'mlp.{name}_proj.{kind}' in x: out.cut(f'{p}feed_forward.{w}.{kind}', 0, x[f'mlp.{name}_proj.{kind}'])
        out.cut(p + 'feed_forward.w2.weight', 1, x['mlp.down_proj.weight'])
        if 'mlp.down_proj.bias' in x: out.whole(p + 'feed_forward.w2.bias', x['mlp.down_proj.bias'])
        out.whole(p + 'attention_norm.weight', x['input_layernorm.weight'])
        out.whole(p + 'ffn_norm.weight', x['post_attention_layernorm.weight'])
    out.whole('model.norm_out.weight', t['model.norm.weight'])
    if 'lm_head.weight' in t: out.cut('lm_head.weight', 0, t['lm_head.weight'])
    return out.ranks


def internevo(t, c, tp):
    out, (n, g) = Ranks(tp), heads(c)
    if g % tp: return None  # training refuses it
    out.cut('tok_embeddings.weight', 1, t['model.embed_tokens.weight'])
    for i in range(c.num_hidden_layers):
        x, p = layer(t, i), f'layers.{i}.'
        for kind in ('weight', 'bias'):
            if f'self_attn.q_proj.{kind}' not in x: continue
            out.cut(f'{p}attention.wq.{kind}', 0, pairs(x[f'self_attn.q_proj.{kind}'], n))
            out.cut(f'{p}attention.wk.{kind}', 0, pairs(x[f'self_attn.k_proj.{kind}'], g))
            out.cut(f'{p}attention.wv.{kind}', 0, x[f'self_attn.v_proj.{kind}'])
        out.cut(p + 'attention.wo.weight', 1, x['self_attn.o_proj.weight'])
        if 'self_attn.o_proj.bias' in x: out.whole(p + 'attention.wo.bias', x['self_attn.o_proj.bias'])
        out.cut(p + 'feed_forward.w1.weight', 0, x['mlp.gate_proj.weight'])
        out.cut(p + 'feed_forward.w3.weight', 0, x['mlp.up_proj.weight'])
        out.cut(p + 'feed_forward.w2.weight', 1, x['mlp.down_proj.weight'])
        out.whole(p + 'attention_norm.weight', x['input_layernorm.weight'])
        out.whole(p + 'ffn_norm.weight', x['post_attention_layernorm.weight'])
    out.whole('norm.weight', t['model.norm.weight'])
    if 'lm_head.weight' in t: out.cut('output.weight', 0, t['lm_head.weight'])
    return out.ranks


def paddle_chatglm(t, c, tp):
    """chatglm_v2: q, k, v one behind the other, each part cut by itself; so gate and up."""
    out, (n, g) = Ranks(tp), heads(c)
    even = c.vocab_size % tp == 0
    head = t.get('lm_head.weight', t['model.embed_tokens.weight'])
    out.cut_if(even, 'chatglm_v2.embedding.word_embeddings.weight', 0, t['model.embed_tokens.weight'])
    out.cut_if(even, 'chatglm_v2.output_layer.weight', 1, head.T)
    for i in range(c.num_hidden_layers):
        x, p = layer(t, i), f'chatglm_v2.encoder.layers.{i}.'
        for kind in ('weight', 'bias'):
            if f'self_attn.q_proj.{kind}' not in x: continue
            q, k, v = (turned(x[f'self_attn.{a}_proj.{kind}']) for a in 'qkv')
            for r, rank in enumerate(out.ranks):
                parts = [q.chunk(tp, -1)[r]] + [y.chunk(tp, -1)[r] if g % tp == 0 else y for y in (k, v)]
                rank[f'{p}self_attention.query_key_value.{kind}'] = torch.cat(parts, -1)
        out.cut(p + 'self_attention.dense.weight', 0, x['self_attn.o_proj.weight'].T)
        out.cut(p + 'mlp.dense_h_to_4h.weight', 1, *(y.T for y in x['mlp.gate_up_proj.weight'].chunk(2)))
        out.cut(p + 'mlp.dense_4h_to_h.weight', 0, x['mlp.down_proj.weight'].T)
        for name in ('input_layernorm.weight', 'post_attention_layernorm.weight'): out.whole(p + name, x[name])
    out.whole('chatglm_v2.encoder.final_layernorm.weight', t['model.norm.weight'])
    return out.ranks


def blocks_to_heads(x, n):
    """q, k and v of n heads one behind the other along the last axis -> of every head its q, k, v along the first."""
    return grouped(*turned(x).chunk(3), n)


def gpt_megatron(t, c, tp):
    out = Ranks(tp)
    out.cut('embedding.word_embeddings.weight', 0, padded(t['transformer.wte.weight'], 128 * tp))
    out.whole('embedding.position_embeddings.weight', t['transformer.wpe.weight'])
    for i in range(c.n_layer):
        x, p = layer(t, i, 'transformer.h.'), f'decoder.layers.{i}.'
        for kind in ('weight', 'bias'):
            out.whole(f'{p}self_attention.linear_qkv.layer_norm_{kind}', x[f'ln_1.{kind}'])
            out.whole(f'{p}mlp.linear_fc1.layer_norm_{kind}', x[f'ln_2.{kind}'])
            out.cut(f'{p}self_attention.linear_qkv.{kind}', 0, blocks_to_heads(x[f'attn.c_attn.{kind}'], c.n_head))
            out.cut(f'{p}mlp.linear_fc1.{kind}', 0, turned(x[f'mlp.c_fc.{kind}']))
        out.cut(p + 'self_attention.linear_proj.weight', 1, x['attn.c_proj.weight'].T)
        out.whole(p + 'self_attention.linear_proj.bias', x['attn.c_proj.bias'])
        out.cut(p + 'mlp.linear_fc2.weight', 1, x['mlp.c_proj.weight'].T)
        out.whole(p + 'mlp.linear_fc2.bias', x['mlp.c_proj.bias'])
    for kind in ('weight', 'bias'): out.whole(f'decoder.final_layernorm.{kind}', t[f'transformer.ln_f.{kind}'])
    if 'lm_head.weight' in t: out.cut('output_layer.weight', 0, padded(t['lm_head.weight'], 128 * tp))
    return out.ranks


def gpt_paddle(fused):
    def make(t, c, tp):
        out = Ranks(tp)
        out.cut_if(c.vocab_size % tp == 0, 'gpt.embeddings.word_embeddings.weight', 0, t['transformer.wte.weight'])
        out.whole('gpt.embeddings.position_embeddings.weight', t['transformer.wpe.weight'])
        for i in range(c.n_layer):
            x, p = layer(t, i, 'transformer.h.'), f'gpt.decoder.layers.{i}.'
            for kind in ('weight', 'bias'):
                if fused: out.cut(f'{p}self_attn.qkv_proj.{kind}', -1, turned(blocks_to_heads(x[f'attn.c_attn.{kind}'], c.n_head)))
                else:
                    for a, y in zip('qkv', x[f'attn.c_attn.{kind}'].chunk(3, -1)): out.cut(f'{p}self_attn.{a}_proj.{kind}', -1, y)
                out.cut(f'{p}linear1.{kind}', -1, x[f'mlp.c_fc.{kind}'])
                out.whole(f'{p}norm1.{kind}', x[f'ln_1.{kind}']), out.whole(f'{p}norm2.{kind}', x[f'ln_2.{kind}'])
            out.cut(p + 'self_attn.out_proj.weight', 0, x['attn.c_proj.weight'])
            out.whole(p + 'self_attn.out_proj.bias', x['attn.c_proj.bias'])
            out.cut(p + 'linear2.weight', 0, x['mlp.c_proj.weight'])
            out.whole(p + 'linear2.bias', x['mlp.c_proj.bias'])
        for kind in ('weight', 'bias'): out.whole(f'gpt.decoder.norm.{kind}', t[f'transformer.ln_f.{kind}'])
        if 'lm_head.weight' in t: out.cut_if(c.vocab_size % tp == 0, 'lm_head.decoder.weight', 0, t['lm_head.weight'])
        return out.ranks
    return make


def bloom_paddle(t, c, tp):
    out = Ranks(tp)
    for name, tensor in t.items():
        name = name.replace('transformer.', 'bloom.')
        column = 'query_key_value' in name or 'dense_h_to_4h' in name
        if name == 'lm_head.weight': out.cut_if(c.vocab_size % tp == 0, 'lm_head.decoder_weight', 0, tensor)
        elif name == 'bloom.word_embeddings.weight': out.cut_if(c.vocab_size % tp == 0, name, 0, tensor)
        elif column: out.cut(name, -1, turned(tensor))
        elif tensor.dim() == 2: out.cut(name, 0, turned(tensor))
        else: out.whole(name, tensor)
    return out.ranks


def opt_paddle(t, c, tp):
    out = Ranks(tp)
    words = (('model.decoder.embed_tokens', 'opt.embeddings.word_embeddings'), ('model.decoder.embed_positions', 'opt.embeddings.position_embeddings'),
             ('model.decoder.project_in', 'opt.embeddings.project_in'), ('model.decoder.', 'opt.decoder.'), ('self_attn_layer_norm', 'norm1'),
             ('.fc1', '.linear1'), ('.fc2', '.linear2'))
    for name, tensor in t.items():
        inner = '.layers.' in name
        for old, new in words: name = name.replace(old, new)
        if inner: name = name.replace('final_layer_norm', 'norm2')
        column = any(x in name for x in ('q_proj', 'k_proj', 'v_proj', 'linear1', 'project_'))
        if 'word_embeddings' in name: out.cut_if(c.vocab_size % tp == 0, name, 0, tensor)
        elif 'position_embeddings' in name: out.whole(name, tensor)
        elif column: out.cut(name, -1, turned(tensor))
        elif tensor.dim() == 2: out.cut(name, 0, turned(tensor))
        else: out.whole(name, tensor)
    return out.ranks


def qwen_paddle(t, c, tp):
    out = Ranks(tp)
    even = c.vocab_size % tp == 0
    out.cut_if(even, 'qwen.wte.weight', 0, t['model.embed_tokens.weight'])
    out.cut_if(even, 'lm_head.weight', 1, t['lm_head.weight'].T)
    out.whole('qwen.ln_f.weight', t['model.norm.weight'])
    for i in range(c.num_hidden_layers):
        x, p = layer(t, i), f'qwen.h.{i}.'
        for kind in ('weight', 'bias'): out.cut(f'{p}attn.c_attn.{kind}', -1, *(turned(x[f'self_attn.{a}_proj.{kind}']) for a in 'qkv'))
        out.cut(p + 'attn.c_proj.weight', 0, x['self_attn.o_proj.weight'].T)
        out.cut(p + 'mlp.w1.weight', 1, x['mlp.up_proj.weight'].T), out.cut(p + 'mlp.w2.weight', 1, x['mlp.gate_proj.weight'].T)
        out.cut(p + 'mlp.c_proj.weight', 0, x['mlp.down_proj.weight'].T)
        out.whole(p + 'ln_1.weight', x['input_layernorm.weight']), out.whole(p + 'ln_2.weight', x['post_attention_layernorm.weight'])
    return out.ranks


def chatglm_linears(t, layers):
    """(layer, name, tensor) of the linears of blocks whose q, k and v lie by head; norms apart."""
    return [(i, name, tensor) for i in range(layers) for name, tensor in layer(t, i, 'transformer.layers.').items() if 'layernorm' not in name]


def chatglm_norms(t): return {name: tensor.float() for name, tensor in t.items() if 'layernorm' in name}


def chatglm_paddle(t, c, tp):
    out = Ranks(tp)
    out.cut_if(c.vocab_size % tp == 0, 'transformer.word_embeddings.weight', 0, t['transformer.word_embeddings.weight'])
    for name, tensor in chatglm_norms(t).items(): out.whole(name, tensor)
    for i, name, tensor in chatglm_linears(t, c.num_layers):
        full = f'transformer.layers.{i}.{name}'
        if 'query_key_value' in name or 'dense_h_to_4h' in name: out.cut(full, -1, turned(tensor))
        elif name.endswith('weight'): out.cut(full, 0, turned(tensor))
        else: out.whole(full, tensor)
    return out.ranks


def chatglm_megatron(t, c, tp):
    out, top = Ranks(tp), 'language_model.'
    out.cut(top + 'embedding.word_embeddings.weight', 0, padded(t['transformer.word_embeddings.weight'], 128 * tp))
    for name, tensor in chatglm_norms(t).items(): out.whole(name.replace('transformer.', top + 'encoder.'), tensor)
    for i, name, tensor in chatglm_linears(t, c.num_layers):
        full = f'{top}encoder.layers.{i}.{name}'.replace('.attention.', '.self_attention.')
        if 'query_key_value' in name or 'dense_h_to_4h' in name: out.cut(full, 0, tensor)
        elif name.endswith('weight'): out.cut(full, 1, tensor)
        else: out.whole(full, tensor)
    return out.ranks


def glm130b_sat(t, c, tp):
    """The up half and the gate are cut each by itself."""
    out = Ranks(tp)
    for name, tensor in t.items():
        if 'dense_h_to_4h' in name: out.cut(name, 0, *tensor.chunk(2))
        elif 'word_embeddings' in name or 'query_key_value' in name: out.cut(name, 0, tensor)
        elif name.endswith(('attention.dense.weight', 'dense_4h_to_h.weight')): out.cut(name, 1, tensor)
        else: out.whole(name, tensor)
    return out.ranks


def llama(prefix):
    return {'megatron_plain': megatron(False), 'megatron_te_plain': megatron(True), 'paddle_plain': paddle(prefix),
            'paddle_fused_plain': paddle(prefix, True), 'mindformers_plain': mindformers, 'internevo_plain': internevo}


def without(sides, *names): return {side: f for side, f in sides.items() if side not in names}


MOE = {'megatron_te_plain': megatron(True, 'local'), 'megatron_te_grouped_plain': megatron(True, 'grouped')}
EXPECTED = {
    'llama2': llama('llama'), 'mistral': llama('mistral'), 'qwen2': llama('qwen2'), 'qwen3': without(llama('model'), 'mindformers_plain', 'internevo_plain'),
    'internlm2': without(llama('llama'), 'internevo_plain'), 'internlm': without(llama('llama'), 'internevo_plain'),
    'baichuan': without(llama('llama'), 'internevo_plain'), 'mixtral': MOE, 'qwen2_moe': MOE, 'qwen3_moe': MOE, 'glm4_moe': MOE,
    'qwen': {'megatron_plain': megatron(False), 'megatron_te_plain': megatron(True), 'paddle_plain': qwen_paddle},
    'chatglm2': {'megatron_te_plain': megatron(True), 'paddle_plain': paddle_chatglm}, 'glm': {'megatron_te_plain': megatron(True), 'paddle_plain': paddle_chatglm},
    'gpt': {'megatron_te_plain': gpt_megatron, 'paddle_plain': gpt_paddle(False), 'paddle_fused_plain': gpt_paddle(True)},
    'bloom': {'paddle_plain': bloom_paddle}, 'opt': {'paddle_plain': opt_paddle},
    'chatglm': {'paddle_plain': chatglm_paddle, 'megatron_lm_plain': chatglm_megatron}, 'glm130b': {'sat_plain': glm130b_sat},
}
