"""Parts that the tables of several families share."""


class Tensors(dict):
    """{name: (dtype, shape)}, filled line by line."""

    def __init__(self, dtype='BF16'):
        super().__init__()
        self.dtype = dtype
        self.copies = {}  # {name: name of the tensor that it repeats}

    def add(self, name, *shape, dtype=None):
        self[name] = (dtype or self.dtype, list(shape))

    def linear(self, name, out, into, bias=False):
        self.add(f'{name}.weight', out, into)
        if bias: self.add(f'{name}.bias', out)

    def norm(self, name, width, bias=False, dtype=None):
        self.add(f'{name}.weight', width, dtype=dtype)
        if bias: self.add(f'{name}.bias', width, dtype=dtype)


def meshes(side, tp=(1, 2, 4, 8), pp=(1, 2, 4)):
    """A side over every mesh of some sizes, as layouts of MODELS."""
    return [f'{side} pp={p},tp={t}' if p > 1 else f'{side} tp={t}' if t > 1 else side for p in pp for t in tp]


GROUPED = ['paddle+flex_stage2 tp=2,sharding=4', 'paddle+pdparams_stage2 sharding=8']  # runs of Paddle with sharding stage 2


def attention(t, prefix, config, bias=False, bias_out=False, norms=False):
    """Llama's attention, with biases on q, k and v, on o, and norms of queries and keys."""
    h, heads = config['hidden_size'], config['num_attention_heads']
    d = config.get('head_dim') or h // heads
    groups = config.get('num_key_value_heads') or heads
    t.linear(f'{prefix}q_proj', heads * d, h, bias)
    t.linear(f'{prefix}k_proj', groups * d, h, bias)
    t.linear(f'{prefix}v_proj', groups * d, h, bias)
    t.linear(f'{prefix}o_proj', h, heads * d, bias_out)
    if norms:
        t.norm(f'{prefix}q_norm', d)
        t.norm(f'{prefix}k_norm', d)


def mlp(t, prefix, width, h):
    """Llama's MLP."""
    t.linear(f'{prefix}gate_proj', width, h)
    t.linear(f'{prefix}up_proj', width, h)
    t.linear(f'{prefix}down_proj', h, width)


def ends(t, config):
    """Embedding, last norm and, unless it is tied, the head."""
    h, v = config['hidden_size'], config['vocab_size']
    t.add('model.embed_tokens.weight', v, h)
    t.norm('model.norm', h)
    if not config.get('tie_word_embeddings'): t.add('lm_head.weight', v, h)


def prediction(t, prefix, config):
    """What a layer for multi-token prediction has beside a layer."""
    h, v = config['hidden_size'], config['vocab_size']
    for name in ('enorm', 'hnorm', 'shared_head.norm'): t.norm(f'{prefix}{name}', h)
    t.linear(f'{prefix}eh_proj', h, 2 * h)
    t.add(f'{prefix}embed_tokens.weight', v, h)
    t.add(f'{prefix}shared_head.head.weight', v, h)
    t.copies[f'{prefix}embed_tokens.weight'] = 'model.embed_tokens.weight'
    t.copies[f'{prefix}shared_head.head.weight'] = 'model.embed_tokens.weight' if config.get('tie_word_embeddings') else 'lm_head.weight'
