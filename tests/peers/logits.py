#!/usr/bin/env python3
"""Converts small random models of transformers to every side of their rule files and back, and runs them. Not part of the test run.

    python3 -m venv VENV && VENV/bin/pip install torch transformers safetensors
    VENV/bin/python tests/peers/logits.py --aoac build/release/bin/aoac [--all] [FAMILY...]

Each model (small_models.py) is saved by transformers, so that names and configuration are the real ones. Then,

  - for every side and several meshes: from the first side to it, and back, with every bit compared. A refusal passes where a size does
    not divide, which the message must say with figures;
  - what is cut over tp alone is compared with expected.py, where that knows the side;
  - with --all, each layout is converted to the next one, and that to the first one;
  - what came back is loaded by transformers, and must give the logits of the model;
  - a side with the names of another transformers class (`llama_plain`) is loaded by that class, and must do so too.
"""
import argparse, json, re, subprocess, sys, tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / 'peers'), str(TESTS / 'rules')]
import expected  # noqa: E402
import small_models  # noqa: E402
import tables  # noqa: E402

RULES = TESTS.parent / 'rules'
GRID = ['', 'tp=2', 'pp=2,tp=4']
ALL = ['', 'tp=2', 'tp=4', 'pp=2', 'pp=2,tp=2', 'pp=2,tp=4']
MESHES = {  # where it is not the grid
    'deepspeed': ['dp=2'], 'fsdp': ['dp=2,tp=2'], 'fsdp_train': ['dp=3,tp=2'], 'meta': ['tp=1', 'tp=2', 'tp=4'],
    'hf': [''], 'hf_base': [''], 'hf_fused': [''], 'whole': [''], 'lightning': [''], 'llama_plain': [''], 'qwen2_plain': [''], 'glm_plain': [''],
    'sat': ['tp=1', 'tp=2', 'tp=4'], 'sat_plain': ['', 'tp=2', 'tp=4']}
NO_PLACE = re.compile(r'read only|tensors of side `hf` are read by no statement: `[^`]*(bias|_norm\.weight)`'
                      r'|nothing else reads `[^`]*\.(o_proj|wo)\.bias`.*to `internevo')  # it is on the first rank of tp alone
INDIVISIBLE = re.compile(r'(\d+) = (\d+) \* (\d+) \+ (\d+)')


def random_model(case):
    """A model whose weights, norms, biases and buffers are all random, none of them zero or one."""
    torch.manual_seed(sum(map(ord, case.name)) + case.config.vocab_size)
    model = transformers.AutoModelForCausalLM.from_config(case.config, dtype=torch.float32, experts_implementation='eager')
    names = set(model.state_dict())
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name not in names or not tensor.is_floating_point(): continue
            tensor.copy_(torch.randn(tensor.shape) * 0.2 + (1 if 'norm' in name and name.endswith('weight') else 0))
    model.tie_weights()
    corrections = {name: b.clone() for name, b in model.named_buffers() if name.endswith('e_score_correction_bias')}
    model.to(case.dtype)
    for name, tensor in corrections.items():  # f32 in the files of every model
        parent, _, leaf = name.rpartition('.')
        model.get_submodule(parent).register_buffer(leaf, tensor)
    return model


def save(case, folder):
    """Writes the checkpoint, and returns the tensors under the names of the class."""
    random_model(case).save_pretrained(folder)
    tensors = of_class_names = tensors_of(folder)
    if case.rewrite is None: return tensors
    for file in folder.glob('*.safetensors*'): file.unlink()
    tensors, config = case.rewrite(tensors, case.config)
    save_file({name: t.clone().contiguous() for name, t in tensors.items()}, folder / 'model.safetensors', {'format': 'pt'})
    if config is not None: (folder / 'config.json').write_text(json.dumps(config, indent=1))
    return of_class_names


def tensors_of(path):
    out = {}
    for file in [path] if path.is_file() else sorted(path.glob('*.safetensors')): out.update(load_file(file))
    return out


def logits(model):
    model.eval()
    with torch.no_grad():
        return model(torch.arange(3, 11).remainder(model.config.vocab_size)[None]).logits.float()


def loaded(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, experts_implementation='eager')


def of_class(case, tensors):
    """The class of the case with the tensors of a plain file."""
    model = transformers.AutoModelForCausalLM.from_config(case.config, dtype=torch.float32, experts_implementation='eager')
    missing, unexpected = model.load_state_dict({n: t.float() for n, t in tensors.items()}, strict=False)
    missing = [n for n in missing if not (case.config.tie_word_embeddings and n == 'lm_head.weight')]
    if missing or unexpected: raise ValueError(f'missing {missing[:3]}, unexpected {unexpected[:3]}')
    model.tie_weights()
    return model


def normalised(head):
    """Rows by their length, which Baichuan 2 does when it computes."""
    return (head.double() / head.double().norm(dim=1, keepdim=True)).to(head.dtype)


def bits(tensor):
    return tensor.dtype, tuple(tensor.shape), tensor.contiguous().view(torch.uint8).numpy().tobytes()


def difference(want, got, optional):
    lost = [n for n in want if n not in got and not n.endswith(optional or '\0')]
    if lost: return f'lost {lost[:3]}'
    if set(got) - set(want): return f'more: {sorted(set(got) - set(want))[:3]}'
    bad = [n for n in got if bits(want[n]) != bits(got[n])]
    return f'{len(bad)} differ: {bad[:3]}' if bad else ''


class Judge:
    def __init__(self, aoac, everything):
        self.aoac, self.all, self.passed, self.failures, self.refusals = aoac, everything, 0, [], {}

    def judge(self, what, reason):
        if reason:
            self.failures.append(f'{what}: {reason}')
            print('FAIL', self.failures[-1][:900], flush=True)
        else: self.passed += 1
        return not reason

    def convert(self, family, source, target, *arguments):
        done = subprocess.run([self.aoac, str(RULES / f'{family}.aoa'), '--run', '--quiet', '--from', source, '--to', target, *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        return '' if done.returncode == 0 else f'exit {done.returncode}: ' + ' '.join(done.stderr.split())[:2000]

    def refused(self, what, reason, foreseen):
        """Whether a conversion may be refused, for its message."""
        found = INDIVISIBLE.search(reason)
        whole, by, times, rest = map(int, found.groups()) if found else (0, 0, 0, 0)
        fair = foreseen and reason.startswith('exit 1') or NO_PLACE.search(reason) or found and rest and whole == by * times + rest
        if fair: self.refusals.setdefault(reason.split(' --> ')[0], []).append(what)
        return bool(fair)

    def model(self, family, case, folder):
        model, config = folder / 'model', folder / 'model' / 'config.json'
        own = save(case, model)
        want = tensors_of(model)
        label = f'{family} {case.name}'
        made, sides = [], tables.sides(RULES / f'{family}.aoa')
        home = sides[0]
        for side in sides:
            for mesh in MESHES.get(side, ALL if self.all else GRID):
                what, at = f'{label}: {side} {mesh}'.rstrip(), folder / f'{side} {mesh}'
                reason = self.convert(family, f'{home}:{model}', f'{side}:{at}', *(['--mesh-to', mesh] if mesh else []))
                if reason and self.refused(what, reason, side.startswith(case.refused)): continue
                if not self.judge(what + ' (there)', reason): continue
                if 'pp' not in mesh: self.unlike_expected(family, case, side, own, at, what)
                if case.head == 'normalised' and not (side in (home, 'whole') or side.startswith('mindformers')): continue  # one-way
                if self.back(family, case, f'{side}:{at}', home, config, folder / 'back', what, want): made.append((side, mesh, at))
        if self.all: self.chain(family, case, made, home, config, folder, label, want)
        if case.rewrite is None or not case.as_class: self.run_back(family, case, model, folder / f'{home} ', label)
        if case.as_class: self.run_class(case, own, folder, label)

    def unlike_expected(self, family, case, side, own, at, what):
        make = expected.EXPECTED.get(family, {}).get(side)
        if make is None or getattr(case.rewrite, '__qualname__', '').startswith('predicting'): return
        if case.head == 'normalised' and not side.startswith('mindformers'): own = own | {'lm_head.weight': normalised(own['lm_head.weight'])}
        files = sorted(at.glob('rank_*.safetensors')) or [at]
        ranks = make(own, case.config, len(files))
        if ranks is None: return
        self.judge(what + ' (expected)', next(filter(None, (f'rank {r}: {d}' if (d := difference(a, self.without(tensors_of(f), case.optional), ())) else ''
                                                             for r, (a, f) in enumerate(zip(ranks, files)))), ''))

    @staticmethod
    def without(tensors, endings):
        return {name: t for name, t in tensors.items() if not name.endswith(endings or '\0')}

    def back(self, family, case, source, home, config, at, what, want):
        subprocess.run(['rm', '-rf', str(at)], check=True)
        reason = self.convert(family, source, f'{home}:{at}', '--config', config)
        if not self.judge(what + ' (back)', reason): return False
        return self.judge(what + ' (bits)', difference(want, tensors_of(at), case.optional))

    def chain(self, family, case, made, home, config, folder, label, want):
        """Each layout to the next one, and from there back."""
        for (side, mesh, at), (other, other_mesh, _) in zip(made, made[1:] + made[:1]):
            what, there = f'{label}: {side} {mesh} to {other} {other_mesh}', folder / 'chained'
            subprocess.run(['rm', '-rf', str(there)], check=True)
            reason = self.convert(family, f'{side}:{at}', f'{other}:{there}', '--config', config, *(['--mesh-to', other_mesh] if other_mesh else []))
            if self.judge(what, reason): self.back(family, case, f'{other}:{there}', home, config, folder / 'back', what, want)

    def run_back(self, family, case, model, again, label):
        """The first side to itself: the folder that aoac wrote, configuration included, against the model's own."""
        if case.rewrite is not None and case.as_class == '' and family == 'internlm':  # Llama's class with another name of a key
            return self.judge(f'{label}: logits', self.compare(of_class(case, tensors_of(model)), of_class(case, tensors_of(again))))
        self.judge(f'{label}: logits', self.compare(loaded(model), loaded(again)))

    def run_class(self, case, own, folder, label):
        if case.head == 'normalised': own = own | {'lm_head.weight': normalised(own['lm_head.weight'])}
        self.judge(f'{label}: logits as {case.as_class}', self.compare(of_class(case, own), of_class(case, tensors_of(folder / f'{case.as_class} '))))

    @staticmethod
    def compare(a, b):
        x, y = logits(a), logits(b)
        worst = (x - y).abs().max().item()
        return '' if worst <= 1e-5 * max(1.0, x.abs().max().item()) else f'logits differ by {worst:g} of {x.abs().max().item():g}'


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac', required=True)
    p.add_argument('--all', action='store_true', help='more meshes, and layouts one after the other')
    p.add_argument('--verbose', action='store_true', help='list the refusals')
    p.add_argument('family', nargs='*', help='all, if none is given; FAMILY/CASE for one case')
    o = p.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    judge = Judge(str(Path(o.aoac).resolve()), o.all)
    chosen = [x.partition('/') for x in o.family] or [(family, '', '') for family in small_models.CASES]
    for family, _, one in chosen:
        for case in small_models.CASES[family]():
            if one and case.name != one: continue
            with tempfile.TemporaryDirectory(prefix='logits-') as folder:
                try: judge.model(family, case, Path(folder))
                except Exception as e: judge.judge(f'{family} {case.name}', f'{type(e).__name__}: {e}')
        print(f'{family}: {judge.passed} passed, {len(judge.failures)} failed so far', flush=True)
    if o.verbose:
        for reason, where in judge.refusals.items(): print(f'refused ({len(where)}): {reason}\n    {where[0]}')
    print(f'{judge.passed} passed, {len(judge.failures)} failed, {sum(map(len, judge.refusals.values()))} refused with reason')
    return 1 if judge.failures else 0


if __name__ == '__main__': sys.exit(main())
