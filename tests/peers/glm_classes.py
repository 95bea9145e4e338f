"""ChatGLM-6B and GLM-130B as classes of transformers, which has neither, registered for AutoModelForCausalLM.

Written from the descriptions of the models: blocks whose residual is the normed input times sqrt(2 l), q, k and v by head, the head tied to the
embedding. ChatGLM-6B turns the halves of a head by two positions, and its MLP is a plain GELU; GLM-130B turns the whole head by one, and its MLP is
the first half times the GELU of the second.
"""
import torch
import transformers as hf
from torch import nn
from torch.nn import functional as F


class BlockConfig(hf.PretrainedConfig):
    def __init__(self, hidden_size=48, num_attention_heads=6, inner_hidden_size=40, num_layers=3, vocab_size=64, **more):
        self.hidden_size, self.num_attention_heads, self.inner_hidden_size = hidden_size, num_attention_heads, inner_hidden_size
        self.num_layers, self.vocab_size = num_layers, vocab_size
        super().__init__(**more)


class ChatGLMConfig(BlockConfig):
    model_type, gated, two_positions = 'chatglm', False, True


class GLM130BConfig(BlockConfig):
    model_type, gated, two_positions = 'glm130b', True, False


def turned(x, positions):
    """x [s, n, d] turned by positions [s]; element j of a head goes with element j + d/2."""
    d = x.shape[-1]
    angle = positions[:, None].float() / 10000 ** (torch.arange(0, d, 2).float() / d)
    cos, sin = (torch.cat([t, t], -1)[:, None] for t in (angle.cos(), angle.sin()))
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.n, self.two_positions = c.num_attention_heads, c.two_positions
        self.query_key_value = nn.Linear(c.hidden_size, 3 * c.hidden_size)
        self.dense = nn.Linear(c.hidden_size, c.hidden_size)

    def forward(self, x):
        s, h = x.shape
        q, k, v = self.query_key_value(x).view(s, self.n, 3, h // self.n).unbind(2)
        at = torch.arange(s)
        if self.two_positions:  # of the prompt's tokens, and of those that follow it
            prompt = s - 3
            rows = at.clamp(max=prompt - 1), (at - prompt + 1).clamp(min=0)
            q, k = (torch.cat([turned(half, p) for half, p in zip(t.chunk(2, -1), rows)], -1) for t in (q, k))
        else: q, k = turned(q, at), turned(k, at)
        out = F.scaled_dot_product_attention(*(t.transpose(0, 1)[None] for t in (q, k, v)), is_causal=True)
        return self.dense(out[0].transpose(0, 1).reshape(s, h))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gated = c.gated
        self.dense_h_to_4h = nn.Linear(c.hidden_size, c.inner_hidden_size * (2 if c.gated else 1))
        self.dense_4h_to_h = nn.Linear(c.inner_hidden_size, c.hidden_size)

    def forward(self, x):
        x = self.dense_h_to_4h(x)
        if not self.gated: return self.dense_4h_to_h(F.gelu(x, approximate='tanh'))
        up, gate = x.chunk(2, -1)
        return self.dense_4h_to_h(up * F.gelu(gate))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.alpha = (2 * c.num_layers) ** 0.5
        self.input_layernorm, self.attention = nn.LayerNorm(c.hidden_size), Attention(c)
        self.post_attention_layernorm, self.mlp = nn.LayerNorm(c.hidden_size), MLP(c)

    def forward(self, x):
        x = self.input_layernorm(x)
        x = self.post_attention_layernorm(x * self.alpha + self.attention(x))
        return x * self.alpha + self.mlp(x)


class Transformer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Block(c) for _ in range(c.num_layers))
        self.final_layernorm = nn.LayerNorm(c.hidden_size)


class BlockModel(hf.PreTrainedModel):
    _keys_to_ignore_on_load_unexpected = [r'inv_freq', r'lm_head']

    def __init__(self, config):
        super().__init__(config)
        self.transformer = Transformer(config)
        self.post_init()

    def get_input_embeddings(self): return self.transformer.word_embeddings

    def forward(self, input_ids):
        x = self.transformer.word_embeddings(input_ids[0])
        for block in self.transformer.layers: x = block(x)
        return hf.modeling_outputs.CausalLMOutput(logits=F.linear(self.transformer.final_layernorm(x), self.transformer.word_embeddings.weight)[None])


class ChatGLM(BlockModel):
    config_class = ChatGLMConfig


class GLM130B(BlockModel):
    config_class = GLM130BConfig


for config, model in ((ChatGLMConfig, ChatGLM), (GLM130BConfig, GLM130B)):
    hf.AutoConfig.register(config.model_type, config, exist_ok=True)
    hf.AutoModelForCausalLM.register(config, model, exist_ok=True)
