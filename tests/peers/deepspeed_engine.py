#!/usr/bin/env python3
"""Trains with DeepSpeed's engine, converts with aoac, and lets engines of other layouts go on. Not part of the test run.

    python3 -m venv VENV && VENV/bin/pip install torch deepspeed==0.19.8 transformers safetensors
    VENV/bin/python tests/peers/deepspeed_engine.py --aoac build/release/bin/aoac --rules rules [--seed N] [--every] [PATTERN ...]

A case is a ZeRO stage, a number of processes and an element type, as `zero2-dp3-bf16`, with a tied head
`zero2-dp3-bf16-tied`. Its model, a Llama of transformers, has sizes that the seed picks and two groups of parameters. See
README.md for what is compared.
"""
import argparse, fnmatch, itertools, os, random, socket, subprocess, sys, tempfile, traceback
from pathlib import Path

os.environ.update(DS_ACCELERATOR='cpu', OMP_NUM_THREADS='1', TOKENIZERS_PARALLELISM='false')
import deepspeed
import torch
from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

STEPS, SAMPLES, MOMENTS = 3, 6, ('exp_avg', 'exp_avg_sq')
ROLES = {'fp32': 'master', 'exp_avg': 'moment1', 'exp_avg_sq': 'moment2'}  # DeepSpeed's, and those of the side `whole`


class Differs(Exception):
    pass


def sizes(seed, stage, world, dtype, tied):
    """A model's configuration. No size divides well, so that partitions are padded and cut parameters."""
    pick = random.Random(f'{seed} {stage} {world} {dtype}')
    kv, width = pick.choice([1, 2, 3]), pick.choice([2, 6, 10])
    heads = kv * pick.choice([1, 2, 3])
    return dict(hidden_size=heads * pick.choice([5, 7, 11]), num_hidden_layers=pick.choice([1, 2, 3]), num_attention_heads=heads,
                num_key_value_heads=kv, head_dim=width, intermediate_size=pick.choice([19, 33, 41]), vocab_size=pick.choice([37, 53, 71]),
                tie_word_embeddings=tied, max_position_embeddings=32)


# ---------------------------------------------------------------- a rank

class Engine:
    """An engine around a new model, whose weights come from a seed."""

    def __init__(self, job, seed):
        self.job, self.stage, self.rank = job, job['stage'], int(os.environ['RANK'])
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(**job['sizes'], attn_implementation='eager'))
        with torch.no_grad():
            for p in model.parameters(): p.add_(torch.randn(p.shape) * 0.05)
        groups = [{'params': [p for p in model.parameters() if p.ndim > 1], 'weight_decay': 0.1},
                  {'params': [p for p in model.parameters() if p.ndim == 1], 'weight_decay': 0.0}]
        self.shapes = {n: p.shape for n, p in model.named_parameters()}
        config = {'train_micro_batch_size_per_gpu': SAMPLES // job['world'], 'gradient_accumulation_steps': 1, 'steps_per_print': 10 ** 6,
                  'gradient_clipping': 1.0, 'zero_allow_untested_optimizer': True, 'zero_force_ds_cpu_optimizer': False,
                  'zero_optimization': {'stage': self.stage, **job.get('zero', {})}, 'bf16': {'enabled': job['dtype'] == 'bf16'},
                  'scheduler': {'type': 'WarmupLR', 'params': {'warmup_min_lr': 1e-4, 'warmup_max_lr': 1e-3, 'warmup_num_steps': 6}},
                  'checkpoint': {'load_universal': bool(job.get('universal'))}}
        self.engine = deepspeed.initialize(model=model, optimizer=torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95)), config=config)[0]

    def train(self, step):
        """One step. All layouts see the same samples, dealt to their ranks."""
        ids = torch.randint(0, self.job['sizes']['vocab_size'], (SAMPLES, 8), generator=torch.Generator().manual_seed(1000 + step))
        mine = ids.chunk(self.job['world'])[self.rank]
        self.engine.backward(self.engine(input_ids=mine, labels=mine).loss)
        self.engine.step()

    def state(self):
        """What the engine holds: {name: whole tensor}, states as NAME.ROLE; and numbers."""
        out, inner = {}, self.engine.optimizer.optimizer
        for name, p in self.engine.module.named_parameters():
            with deepspeed.zero.GatheredParameters([p], enabled=self.stage == 3): out[name] = p.detach().clone().reshape(self.shapes[name])
        for name, role, value in self.third() if self.stage == 3 else self.flat():
            out[f'{name}.{role}'] = value.detach().clone().reshape(self.shapes[name])
        numbers = {'steps': self.engine.global_steps, 'lr': self.engine.get_lr(), 'scheduler': self.engine.lr_scheduler.last_batch_iteration,
                   'decay': [g['weight_decay'] for g in inner.param_groups],
                   'step': sorted({float(s['step']) for s in inner.state.values() if 'step' in s})}
        return out, numbers

    def third(self):
        for name, p in self.engine.module.named_parameters():
            yield name, 'fp32', safe_get_full_fp32_param(p)
            for role in MOMENTS: yield name, role, safe_get_full_optimizer_state(p, role)

    def flat(self):
        """Of stages 1 and 2: DeepSpeed's own functions take the wrong windows where there are several groups."""
        optimizer = self.engine.optimizer
        mine = [[f.detach(), *(optimizer.optimizer.state[f][m] for m in MOMENTS)] for f in optimizer.single_partition_of_fp32_groups]
        every = [None] * self.job['world']
        torch.distributed.all_gather_object(every, mine)
        names = {id(p): n for n, p in self.engine.module.named_parameters()}
        for number, group in enumerate(optimizer.round_robin_bit16_groups):
            for i, role in enumerate(ROLES):
                whole, at = torch.cat([rank[number][i] for rank in every]), 0
                for p in group:
                    yield names[id(p)], role, whole[at:at + p.numel()]
                    at += p.numel()


def compare(want, got, what, near=None):
    """Raises unless all tensors are equal, bit by bit, or within `near` but for 1% (a gradient near zero may change its sign)."""
    if set(want) != set(got): raise Differs(f'{what}: names differ: {sorted(set(want) ^ set(got))[:4]}')
    for name, a in want.items():
        b = got[name]
        if a.shape != b.shape or a.dtype != b.dtype: raise Differs(f'{what}: {name}: {a.dtype} {list(a.shape)}, {b.dtype} {list(b.shape)}')
        wrong = (a.float() - b.float()).abs() > near if near else a.contiguous().view(torch.uint8) != b.contiguous().view(torch.uint8)
        if wrong.sum() > (wrong.numel() // 100 if near else 0):
            raise Differs(f'{what}: {name}: {int(wrong.sum())} {"elements" if near else "bytes"} of {wrong.numel()} differ, at most by '
                          f'{(a.float() - b.float()).abs().max().item():.3g}')


def train(job):
    engine = Engine(job, job['seed'])
    for step in range(STEPS): engine.train(step)
    engine.engine.save_checkpoint(job['folder'] + '/source')
    held = engine.state()
    engine.train(STEPS)
    after = engine.state()
    if engine.rank == 0: torch.save((held, after), job['folder'] + '/held.pt')


def load(job):
    """Goes on from a checkpoint. A layout of its own sums gradients in another order: then the next step is compared closely."""
    (held, numbers), (after, later) = torch.load(job['folder'] + '/held.pt')
    engine = Engine(job, job['seed'] + 1)
    path, _ = engine.engine.load_checkpoint(job['path'])
    if path is None: raise Differs('load_checkpoint found nothing')
    third = job.get('universal') and job['stage'] == 3  # of which ZeRO-3 loads less than it holds
    for want, state, when, near in ((held, numbers, 'loaded', None), (after, later, 'after a step', job['near'])):
        if third and when != 'loaded': break  # all groups share one tensor that counts steps, so that each adds one to it
        if when != 'loaded': engine.train(STEPS)
        tensors, found = engine.state()
        if not job.get('same') and when != 'loaded':
            want, tensors = ({k: v for k, v in x.items() if k.endswith('.fp32')} for x in (want, tensors))
        if third:  # every group gets what the first one has
            state = {**state, 'decay': [state['decay'][0]] * len(state['decay'])}
        if found != state: raise Differs(f'{when}: {found}, not {state}')
        compare(want, tensors, when, near)


def run_rank(rank, job, port):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(job['world']), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    said = os.open(job['folder'] + f'/log.{rank}', os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(said, 1), os.dup2(said, 2)
    why, status = '', 1
    try:
        deepspeed.init_distributed(dist_backend='gloo', verbose=False)
        globals()[job['do']](job)
        torch.distributed.barrier()
        status = 0
    except Differs as error: why = str(error)
    except Exception: why = traceback.format_exc()
    Path(job['folder'], f'why.{rank}').write_text(why)
    os._exit(status)


def start(job):
    """Runs a job on as many processes as it has ranks; raises what one of them says."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    context = torch.multiprocessing.get_context('fork')
    ranks = [context.Process(target=run_rank, args=(rank, job, port)) for rank in range(job['world'])]
    for p in ranks: p.start()
    while all(p.exitcode in (None, 0) for p in ranks) and any(p.exitcode is None for p in ranks):
        for p in ranks: p.join(0.05)
    for p in ranks:
        p.join(None if p.exitcode == 0 else 2)
        if p.exitcode is None: p.kill()
    if any(p.exitcode for p in ranks):
        said = [p.read_text().strip() for r in range(job['world']) if (p := Path(job['folder'], f'why.{r}')).exists()]
        raise Differs(next((s for s in said if s), 'a rank died'))


# ---------------------------------------------------------------- cases

def convert(options, *arguments):
    done = subprocess.run([options.aoac, options.rules / 'llama2.aoa', '--run', *map(str, arguments)], capture_output=True, text=True)
    if done.returncode: raise Differs((done.stderr or done.stdout).strip())


def check_read(options, source, config, held, out):
    """That aoac reads what the engine holds: weights to hf, states to whole."""
    params = {n: t for n, t in held.items() if not n.endswith(tuple('.' + r for r in ROLES))}
    states = {f'{n}.{ROLES[r]}': held[f'{n}.{r}'] for n, t in params.items() for r in ROLES if t.dtype != torch.float32 or r != 'fp32'}
    convert(options, '--from', f'deepspeed:{source}', '--to', f'hf:{out}/hf', '--config', config)
    convert(options, '--from', f'deepspeed:{source}', '--to', f'whole:{out}/whole', '--config', config, '--states')
    tied = lambda tensors: {n: t for n, t in tensors.items() if n != 'lm_head.weight' or n in params}
    compare(params, tied(load_file(next(Path(out, 'hf').glob('*.safetensors')))), 'hf')
    whole = tied(load_file(next(Path(out, 'whole').rglob('*.safetensors'))))
    compare({**params, **states}, {n: t for n, t in whole.items() if not n.endswith('.step')}, 'whole')
    steps = {float(t) for n, t in whole.items() if n.endswith('.step')}
    if steps != {float(STEPS)}: raise Differs(f'whole: steps {steps}')


def targets(options, stage, world):
    """(stage, world, universal) of engines that go on: the same, others, and any from a universal checkpoint."""
    every = list(itertools.product((1, 2, 3), (1, 2, 3)))
    chosen = every if options.every else [(stage, world), (stage, world % 3 + 1), (stage % 3 + 1, (world + 1) % 3 + 1)]
    return [(*t, False) for t in chosen] + [(*t, True) for t in (every if options.every else chosen[:1] + chosen[2:])]


def check(options, folder, stage, world, dtype, tied, say):
    job = {'do': 'train', 'stage': stage, 'world': world, 'dtype': dtype, 'seed': options.seed, 'folder': str(folder),
           'sizes': sizes(options.seed, stage, world, dtype, tied)}
    start(job)
    source, config = folder / 'source', folder / 'config.json'
    LlamaConfig(**job['sizes'], architectures=['LlamaForCausalLM']).to_json_file(config, use_diff=False)
    (held, _), _ = torch.load(folder / 'held.pt')
    say('control', lambda: start({**job, 'do': 'load', 'path': str(source), 'same': True, 'near': None}))
    say('read', lambda: check_read(options, source, config, held, folder))
    for s, w, universal in targets(options, stage, world):
        same = (s, w) == (stage, world)
        out = folder / (f'zero{s}-dp{w}' if not universal else 'universal')
        variant = 'universal' if universal else f'zero{s}'
        mesh = [] if universal else ['--mesh-to', f'dp={w}']
        def go_on():
            if not out.exists():
                convert(options, '--from', f'deepspeed:{source}', '--to', f'deepspeed+{variant}:{out}', '--config', config, '--states', *mesh)
            start({**job, 'do': 'load', 'stage': s, 'world': w, 'universal': universal, 'path': str(out), 'same': same,
                   'near': None if same else 5e-4 if dtype == 'bf16' else 2e-5})
        say(f'{variant}{" into" if universal else ""} {f"zero{s} " if universal else ""}dp{w}', go_on)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--aoac', required=True)
    p.add_argument('--rules', type=Path, required=True)
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--every', action='store_true', help='each case to every layout, not to some')
    p.add_argument('--keep', type=Path, help='a folder that keeps the files')
    p.add_argument('pattern', nargs='*', default=['*'])
    options = p.parse_args()
    torch.set_num_threads(1)
    good = bad = 0
    for stage, world, dtype, tied in itertools.product((1, 2, 3), (1, 2, 3), ('bf16', 'f32'), (False, True)):
        name = f'zero{stage}-dp{world}-{dtype}{"-tied" if tied else ""}'
        if not any(fnmatch.fnmatchcase(name, x) for x in options.pattern): continue
        def say(what, run):
            nonlocal good, bad
            why = ''
            try: run()
            except (Differs, OSError) as error: why = str(error)
            good, bad = good + (not why), bad + bool(why)
            print(f'{name}: {what}: {why or "ok"}', flush=True)
        with tempfile.TemporaryDirectory() as folder:
            if options.keep: (folder := options.keep / name).mkdir(parents=True)
            say('train and convert', lambda: check(options, Path(folder), stage, world, dtype, tied, say))
    print(f'{good} ok, {bad} not')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
