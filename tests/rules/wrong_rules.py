#!/usr/bin/env python3
"""Small models of data/rules given to rule files of other families.

    wrong_rules.py --aoac PATH [--all] [FAMILY...]

`aoac identify` must name the model's own rule file first. A rule file that is not its own must refuse the model,
and say which rule file fits, unless it holds all of the model, which then is copied without a difference. Without --all a model is given to one neighbour of its family.
"""
import argparse, concurrent.futures, json, subprocess, sys, tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / 'rules'))
import tables  # noqa: E402

RULES = TESTS.parent / 'rules'
NEAR = {'baichuan': 'llama2', 'bloom': 'gpt', 'chatglm': 'chatglm2', 'chatglm2': 'chatglm', 'deepseek_v3': 'glm4_moe', 'glm': 'glm4',
        'glm130b': 'chatglm', 'glm4': 'glm', 'glm4_moe': 'deepseek_v3', 'gpt': 'bloom', 'gpt_neox': 'gpt', 'internlm2': 'llama2', 'llama2': 'qwen3',
        'mistral': 'llama2', 'mixtral': 'qwen2_moe', 'opt': 'gpt', 'qwen': 'qwen2', 'qwen2': 'llama2', 'qwen2_moe': 'qwen3_moe', 'qwen3': 'qwen2',
        'qwen3_moe': 'qwen2_moe'}


class Judge:
    def __init__(self, aoac):
        self.aoac, self.passed, self.failures, self.held = aoac, 0, [], []

    def judge(self, what, reason):
        if reason: self.failures.append(f'{what}: {reason}')
        else: self.passed += 1

    def call(self, *arguments):
        done = subprocess.run([self.aoac, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, ' '.join(done.stderr.split())

    def identified(self, what, model, own):
        code, said, errors = self.call('identify', model, '--rules', RULES, '--json')
        first = Path(json.loads(said)[0]['rules']).stem if code == 0 else None
        self.judge(f'identify {what}', '' if first == own else f'names {first}, not {own}: {errors[:300]}')

    def given(self, what, model, own, rules, folder):
        """The model under another family's rules: to itself, and what came out compared."""
        side, out = tables.sides(rules)[0], folder / f'{rules.stem}-{what.replace(" ", "-")}'
        code, _, errors = self.call(rules, '--run', '--quiet', '--from', f'{side}:{model}', '--to', f'{side}:{out}')
        if code == 0:
            code, said, errors = self.call('diff', model, out)
            self.held.append((what, rules.stem))
            return self.judge(f'{what} under {rules.stem}', said[-300:] + errors if code else '')
        reason = f'exit status {code}: {errors[:400]}'
        if code == 1 and f'of {RULES / own}.aoa' in errors and 'the checkpoint fits side' in errors: reason = ''
        self.judge(f'{what} under {rules.stem}', reason)


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--aoac', required=True)
    p.add_argument('--all', action='store_true', help='every model to every rule file')
    p.add_argument('--verbose', action='store_true', help='list the pairs that hold')
    p.add_argument('family', nargs='*', help='of the models; all, if none is given')
    o = p.parse_args()
    aoac = str(Path(o.aoac).resolve())
    judge = Judge(aoac)
    with tempfile.TemporaryDirectory(prefix='wrong-') as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        work = []
        for own in o.family or tables.families():
            cases = json.loads((TESTS / 'data' / 'rules' / own / 'cases.json').read_text())
            for name, case in cases.items():
                if 'made' in case: continue  # without a model_type nothing tells families of one set of names apart
                model = TESTS / 'data' / 'rules' / own / name
                work.append(pool.submit(judge.identified, f'{own} {name}', model, own))
                for rules in sorted(RULES.glob('*.aoa')):
                    if rules.stem != own and (o.all or rules.stem == NEAR.get(own)): work.append(pool.submit(judge.given, f'{own} {name}', model, own, rules, Path(folder)))
        for done in work: done.result()
    for line in sorted(judge.failures): print('FAIL', line)
    if o.verbose:
        for what, rules in judge.held: print(f'{what} is held by {rules} too')
    print(f'{judge.passed} passed, {len(judge.failures)} failed')
    return 1 if judge.failures else 0


if __name__ == '__main__': sys.exit(main())
