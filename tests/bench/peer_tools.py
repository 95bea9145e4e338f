"""The frameworks' own converters, as their documentation calls them: peer_tools.py NAME SOURCE TARGET.

`available` as NAME prints the names whose packages are installed.
"""
import importlib.util
import os
import sys


def zero_to_fp32(source, target):
    """DeepSpeed's script, which every checkpoint carries: partitions of ZeRO to one f32 file."""
    from deepspeed.utils.zero_to_fp32 import convert_zero_checkpoint_to_fp32_state_dict
    convert_zero_checkpoint_to_fp32_state_dict(source, target, max_shard_size='100GB')


def dcp_to_torch_save(source, target):
    """PyTorch's consolidation of a distributed checkpoint."""
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save as consolidate
    os.makedirs(target)
    consolidate(source, os.path.join(target, 'pytorch_model.bin'))


def torch_script(source, target):
    """Megatron files of tp and pp to Hugging Face as converters in the wild do it: load all ranks, merge, split, save."""
    import torch
    with open(os.path.join(source, 'latest_checkpointed_iteration.txt')) as file:
        folder = os.path.join(source, f'iter_{int(file.read()):07}')
    ranks = {}
    for name in os.listdir(folder):
        tp, pp = int(name.split('_')[2]), int(name.split('_')[3]) if name.count('_') > 2 else 0
        ranks[pp, tp] = torch.load(os.path.join(folder, name, 'model_optim_rng.pt'), map_location='cpu', weights_only=False)
    args = ranks[0, 0]['args']
    stages, size = 1 + max(pp for pp, _ in ranks), 1 + max(tp for _, tp in ranks)
    groups, heads, d = args.num_query_groups, args.num_attention_heads, args.kv_channels
    out, layer = {}, 0

    def all_ranks(stage, name):
        return [ranks[stage, rank]['model'][name] for rank in range(size)]

    out['model.embed_tokens.weight'] = torch.cat(all_ranks(0, 'embedding.word_embeddings.weight'))[:args.vocab_size]
    for stage in range(stages):
        names = ranks[stage, 0]['model']
        for local in sorted({int(name.split('.')[2]) for name in names if name.startswith('decoder.layers.')}):
            at, to = f'decoder.layers.{local}.', f'model.layers.{layer}.'
            qkv = torch.cat(all_ranks(stage, at + 'self_attention.linear_qkv.weight')).view(groups, heads // groups + 2, d, -1)
            out[to + 'self_attn.q_proj.weight'] = qkv[:, :-2].reshape(heads * d, -1)
            out[to + 'self_attn.k_proj.weight'] = qkv[:, -2].reshape(groups * d, -1)
            out[to + 'self_attn.v_proj.weight'] = qkv[:, -1].reshape(groups * d, -1)
            fc1 = [part.chunk(2) for part in all_ranks(stage, at + 'mlp.linear_fc1.weight')]
            out[to + 'mlp.gate_proj.weight'] = torch.cat([gate for gate, _ in fc1])
            out[to + 'mlp.up_proj.weight'] = torch.cat([up for _, up in fc1])
            out[to + 'self_attn.o_proj.weight'] = torch.cat(all_ranks(stage, at + 'self_attention.linear_proj.weight'), dim=1)
            out[to + 'mlp.down_proj.weight'] = torch.cat(all_ranks(stage, at + 'mlp.linear_fc2.weight'), dim=1)
            out[to + 'input_layernorm.weight'] = names[at + 'input_layernorm.weight']
            out[to + 'post_attention_layernorm.weight'] = names[at + 'pre_mlp_layernorm.weight']
            layer += 1
    out['model.norm.weight'] = ranks[stages - 1, 0]['model']['decoder.final_layernorm.weight']
    out['lm_head.weight'] = torch.cat(all_ranks(stages - 1, 'output_layer.weight'))[:args.vocab_size]
    os.makedirs(target)
    torch.save({name: tensor.contiguous() for name, tensor in out.items()}, os.path.join(target, 'pytorch_model.bin'))


def transform_checkpoints(source, target):
    """MindSpore's change of layout, here to whole tensors."""
    os.environ.setdefault('GLOG_v', '3')
    import mindspore
    mindspore.transform_checkpoints(source, target, 'checkpoint_', os.path.join(source, '..', 'strategy.ckpt'), None)


def load_state_dict(source, target):
    """Paddle's own engine: a flex checkpoint of two ranks into whole tensors, saved as one file."""
    import glob
    import paddle
    import paddle.distributed
    folder = os.path.join(source, 'model_state')
    [path] = glob.glob(os.path.join(folder, '*.metadata'))
    state = {}
    for name, blocks in paddle.load(path).state_dict_metadata.items():
        ends = [[offset + extent for offset, extent in zip(b.global_offset, b.local_shape)] for b in blocks]
        state[name] = paddle.zeros([max(along) for along in zip(*ends)], dtype=blocks[0].dtype)
    paddle.distributed.load_state_dict(state, folder)
    paddle.save(state, os.path.join(target, 'model_state.pdparams'))


PACKAGES = {'load_state_dict': 'paddle', 'zero_to_fp32': 'deepspeed', 'dcp_to_torch_save': 'torch', 'torch_script': 'torch', 'transform_checkpoints': 'mindspore'}

if __name__ == '__main__':
    if sys.argv[1] == 'available':
        print(*(name for name, package in PACKAGES.items() if importlib.util.find_spec(package)))
    else:
        globals()[sys.argv[1]](*sys.argv[2:4])
