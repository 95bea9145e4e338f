#!/usr/bin/env python3
"""Loads distributed checkpoints that aoac wrote with Megatron Core itself, and compares every number. Not part of the test
run.

    python3 -m venv VENV && VENV/bin/pip install torch==2.15.0 megatron-core==0.16.1 numpy
    VENV/bin/python tests/peers/megatron_dist.py --aoac build/release/bin/aoac --rules rules --fixtures FIXTURES [PATTERN]

FIXTURES is a folder of checkpoints with a cases.json (of each case: rules, side, path, variant, mesh, args, write). Every case of
a distributed checkpoint is converted to the whole model and written again. Then as many processes as it has ranks make the
model and its optimizer, load the original and what was written through `dist_checkpointing.load`, and hold them against each
other: parameters, masters and moments, bit by bit, but for the rows that pad the vocabulary.
"""
import argparse, fnmatch, json, os, socket, subprocess, sys, tempfile
from pathlib import Path

import torch

ROLES = ('param', 'exp_avg', 'exp_avg_sq')


# ---------------------------------------------------------------- a rank

def redirect_cuda():
    """Megatron asks for the current device, and for tensors of CUDA by their type's name."""
    torch.cuda.current_device = lambda: 'cpu'
    torch.cuda.synchronize = lambda *a, **k: None
    def on_cpu(make):
        def made(*a, **k):
            if str(k.get('device')).startswith(('cuda', 'cpu')): k['device'] = torch.device('cpu')
            return make(*a, **k)
        return made
    for name in ('tensor', 'zeros', 'empty', 'full', 'ones'): setattr(torch, name, on_cpu(getattr(torch, name)))
    kind = torch.Tensor.type
    torch.Tensor.type = lambda self, *a, **k: kind(self, *a, **k) if a or k else kind(self).replace('torch.', 'torch.cuda.')
    torch.Tensor.cuda = lambda self, *a, **k: self
    class Nothing:
        def __init__(self, *a, **k): pass
        def __enter__(self): return self
        def __exit__(self, *a): pass
    torch.cuda.Stream = torch.cuda.stream = Nothing


class Rank:
    """The model of a configuration on this process's part of a mesh, with an optimizer for the variant."""

    def __init__(self, job):
        from megatron.core import parallel_state as ps
        self.job, self.config, self.mesh = job, job['config'], job['mesh']
        self.dtype = getattr(torch, self.config['torch_dtype'])
        vpp = self.mesh.get('vpp')
        ps.initialize_model_parallel(self.mesh['tp'], self.mesh['pp'], virtual_pipeline_model_parallel_size=vpp)
        self.tp, self.pp = ps.get_tensor_model_parallel_rank(), ps.get_pipeline_model_parallel_rank()
        self.models = [self.model(c if vpp else None) for c in range(vpp or 1)]
        self.optimizer = self.make_optimizer() if job['states'] else None
        self.metadata = {'singleton_local_shards': False, 'chained_optim_avoid_prefix': True,
                         'dp_cp_group': ps.get_data_parallel_group(with_context_parallel=True)}
        if job['variant'] != 'dist': self.metadata['distrib_optim_sharding_type'] = job['variant'].removeprefix('dist_')

    def model(self, chunk):
        from megatron.core.models.gpt import GPTModel
        from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
        from megatron.core.transformer import TransformerConfig
        c, m, vpp = self.config, self.mesh, self.mesh.get('vpp') or 1
        self.transformer = TransformerConfig(
            num_layers=c['num_hidden_layers'], hidden_size=c['hidden_size'], num_attention_heads=c['num_attention_heads'],
            num_query_groups=c['num_key_value_heads'], ffn_hidden_size=c['intermediate_size'], gated_linear_unit=True,
            activation_func=torch.nn.functional.silu, normalization='RMSNorm', add_bias_linear=False, bias_activation_fusion=False,
            use_cpu_initialization=True, perform_initialization=False, tensor_model_parallel_size=m['tp'],
            pipeline_model_parallel_size=m['pp'], virtual_pipeline_model_parallel_size=m.get('vpp'), pipeline_dtype=self.dtype,
            params_dtype=self.dtype, bf16=self.dtype == torch.bfloat16, fp16=self.dtype == torch.float16, hidden_dropout=0.0,
            attention_dropout=0.0, gradient_accumulation_fusion=False, masked_softmax_fusion=False, persist_layer_norm=False)
        first, last = self.pp == 0 and not chunk, self.pp == m['pp'] - 1 and (chunk or 0) == vpp - 1
        stage = {} if chunk is None else {'vp_stage': chunk}
        return GPTModel(self.transformer, get_gpt_layer_local_spec(normalization='RMSNorm'), self.job['vocabulary'], 64,
                        pre_process=first, post_process=last, position_embedding_type='rope',
                        share_embeddings_and_output_weights=c['tie_word_embeddings'], **stage).to(self.dtype)

    def make_optimizer(self):
        from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
        from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
        distributed = self.job['variant'] != 'dist'
        wrap = DistributedDataParallelConfig(use_distributed_optimizer=distributed, grad_reduce_in_fp32=True)
        models = [DistributedDataParallel(self.transformer, wrap, m) for m in self.models]
        optimizer = get_megatron_optimizer(OptimizerConfig(
            optimizer='adam', lr=1e-4, weight_decay=0.1, adam_beta1=0.9, adam_beta2=0.95, adam_eps=1e-8, params_dtype=self.dtype,
            bf16=self.dtype == torch.bfloat16, fp16=self.dtype == torch.float16, use_distributed_optimizer=distributed,
            **({'initial_loss_scale': 65536.0} if self.dtype == torch.float16 else {})), models)
        optimizer = getattr(optimizer, 'chained_optimizers', [optimizer])[0]
        for group in optimizer.optimizer.param_groups if distributed else ():  # its state is asked for before it is loaded
            for p in group['params']:
                optimizer.optimizer.state[p] = {'step': torch.tensor(0.0), **{r: torch.zeros_like(p.data) for r in ROLES[1:]}}
        if self.job['variant'] == 'dist_fully_reshardable':  # its loader forgets the step that torch's Adam keeps
            load, get = optimizer._set_main_param_and_optimizer_states, optimizer._get_main_param_and_optimizer_states
            optimizer._set_main_param_and_optimizer_states = lambda p, tensors: load(p, {'step': get(p)['step'], **tensors})
        return optimizer

    def load(self, folder):
        """Loads a checkpoint into the model and the optimizer, with every key that they ask for."""
        from megatron.core import dist_checkpointing
        keys = ['model'] if len(self.models) == 1 else [f'model{i}' for i in range(len(self.models))]
        state = {k: m.sharded_state_dict(metadata=self.metadata) for k, m in zip(keys, self.models)}
        if self.optimizer is not None:
            state['optimizer'] = self.optimizer.sharded_state_dict(
                state['model'] if len(keys) == 1 else dict(state), is_loading=True, metadata=self.metadata)
        loaded = dist_checkpointing.load(state, str(folder))
        for k, m in zip(keys, self.models): m.load_state_dict(loaded[k])
        if self.optimizer is not None: self.optimizer.load_state_dict(loaded['optimizer'])
        return loaded

    def numbers(self):
        """{name: (tensor, flat place of its first element in the rank's parameter)}"""
        out = {}
        for c, model in enumerate(self.models):
            for name, parameter in model.named_parameters():
                out[f'{c}.{name}'] = parameter.detach().clone().flatten(), 0
                if self.optimizer is None: continue
                first, states = 0, None
                if self.job['variant'] == 'dist':
                    main = parameter if self.dtype == torch.float32 else parameter.main_param
                    states = {'param': main, **self.optimizer.optimizer.state[main]}
                elif parameter in self.optimizer.model_param_gbuf_map:
                    try: first = self.optimizer._get_model_param_range_map(parameter)['param'].start
                    except KeyError: continue
                    states = self.optimizer._get_main_param_and_optimizer_states(parameter)
                for role in ROLES if states else ():
                    out[f'{c}.{name}.{role}'] = states[role].detach().clone().flatten(), first
        return out

    def difference(self, want, got):
        if set(want) != set(got): return f'names differ: {sorted(set(want) ^ set(got))[:3]}'
        for name, (a, first) in want.items():
            b = got[name][0]
            if a.shape != b.shape or a.dtype != b.dtype: return f'{name}: {a.dtype} {tuple(a.shape)}, {b.dtype} {tuple(b.shape)}'
            wrong = (a.view(torch.uint8).view(a.numel(), -1) != b.view(torch.uint8).view(a.numel(), -1)).any(1).nonzero().flatten()
            if 'word_embeddings' in name or 'output_layer' in name:  # filler is nobody's
                own = self.tp * (self.job['vocabulary'] // self.mesh['tp'])
                wrong = wrong[(wrong + first) // self.config['hidden_size'] + own < self.config['vocab_size']]
            if len(wrong): return f'{name}: {len(wrong)} of {a.numel()} differ, first {wrong[0].item()}: {a[wrong[0]]}, {b[wrong[0]]}'
        return ''


def run_rank(job):
    redirect_cuda()
    torch.distributed.init_process_group('gloo')
    rank = Rank(job)
    rank.load(job['original'])
    want = rank.numbers()
    for tensor in [p for m in rank.models for p in m.parameters()]: tensor.data.zero_()
    common = rank.load(job['written'])
    why = rank.difference(want, rank.numbers())
    if not why and common['iteration'] != job['iteration']: why = f"iteration {common['iteration']}"
    torch.distributed.barrier()
    if why: sys.exit(f'rank {torch.distributed.get_rank()}: {why}')


# ---------------------------------------------------------------- cases

def sizes(mesh):
    return {'tp': 1, 'pp': 1, 'dp': 1, **{k: int(v) for k, v in (x.split('=') for x in (mesh or '').split(',') if x)}}


def convert(options, *arguments):
    done = subprocess.run([options.aoac, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode: raise RuntimeError((done.stderr or done.stdout).strip())


def start(job, mesh):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    world = mesh['tp'] * mesh['pp'] * mesh['dp']
    ranks = []
    for rank in range(world):
        env = dict(os.environ, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
                   OMP_NUM_THREADS='1', PYTHONWARNINGS='ignore')
        ranks.append(subprocess.Popen([sys.executable, __file__, '--rank', json.dumps(job)], env=env, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True))
    said = [p.communicate()[0] for p in ranks]
    return next((s.strip().splitlines()[-1] if s.strip() else 'no word' for s, p in zip(said, ranks) if p.returncode), '')


def check(options, case, folder):
    original = (options.fixtures / case['path']).resolve()
    rules, whole, written = options.rules / case['rules'], folder / 'whole', folder / 'written'
    states = ['--states'] if case['states'] else []
    arguments = [a.replace('{root}', str(options.fixtures)) for a in case['args']]
    config = options.fixtures / case['config']
    convert(options, rules, '--run', '--from', f'{case["side"]}:{original}', '--to', f'whole:{whole}', *arguments, *states)
    mesh = ['--mesh-to', case['mesh']] if case['mesh'] else []
    convert(options, rules, '--run', '--from', f'whole:{whole}', '--to', f'{case["side"]}+{case["variant"]}:{written}', '--config', config,
            *mesh, *states, *(case['write'] or {'args': []})['args'])
    tracker = 'latest_checkpointed_iteration.txt'
    iteration = int((written / tracker).read_text())
    inside = lambda root: str(root / f'iter_{int((root / tracker).read_text()):07d}')
    with open(config) as f: described = json.load(f)
    common = torch.load(f'{inside(original)}/common.pt', weights_only=False)
    job = {'config': described, 'mesh': sizes(case['mesh']), 'variant': case['variant'], 'states': bool(case['states']),
           'vocabulary': common['args'].padded_vocab_size, 'original': inside(original), 'written': inside(written), 'iteration': iteration}
    return start(job, job['mesh'])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--aoac')
    p.add_argument('--rules', type=Path)
    p.add_argument('--fixtures', type=Path)
    p.add_argument('--rank', help=argparse.SUPPRESS)
    p.add_argument('pattern', nargs='*')
    options = p.parse_args()
    if options.rank: return run_rank(json.loads(options.rank))
    with open(options.fixtures / 'cases.json') as f:
        cases = [c for c in json.load(f) if c['format'] == 'megatron' and (c['variant'] or '').startswith('dist')]
    failed = 0
    for case in cases:
        if options.pattern and not any(fnmatch.fnmatchcase(case['name'], x) for x in options.pattern): continue
        with tempfile.TemporaryDirectory() as folder:
            try: why = check(options, case, Path(folder))
            except (RuntimeError, OSError) as error: why = str(error)
        print(f'{case["name"]}: {why or "ok"}', flush=True)
        failed += bool(why)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
