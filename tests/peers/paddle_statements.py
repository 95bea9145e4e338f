#!/usr/bin/env python3
"""Carries out statements of Paddle's `aoa_config` with Paddle itself and with aoac, and compares. Not part of the test run.

    python3 -m venv VENV && VENV/bin/pip install paddlepaddle==3.3.1
    VENV/bin/python tests/peers/paddle_statements.py --aoac build/release/bin/aoac [--seed 1] [--count 500] [--only SEED] [--keep DIR]

Every case is a random configuration with its tensors (`paddle_peer/generate.py`), carried out by Paddle's engine for every
rank of the destination, by aoac with the statements as they are in the map of a rule file, and, for whole checkpoints, by
`aoac import-aoa --from-checkpoint` and the rules that it writes. They agree where

  - Paddle writes every element, and aoac writes the same bits;
  - Paddle refuses, and so does aoac;
  - Paddle's loader mixes up pieces that are made of one block of a source, and aoac makes what the engine's plan says of
    each of them (`mixed`);
  - the plan itself leaves elements unwritten (`lossy`): a strict compiler may say what it likes, as long as it ends in order.

What does not agree is listed, and kept in DIR as a case folder with `made-by-paddle/`.
"""
import argparse, collections, shutil, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from paddle_peer import case as cases  # noqa: E402
from paddle_peer import models  # noqa: E402
from paddle_peer.engine import Refused, Stored, Wanted, exported, meant  # noqa: E402
from paddle_peer.generate import generate  # noqa: E402
from paddle_peer.listed import listed  # noqa: E402


AGREE = ('same', 'mixed', 'refused', 'lossy')
DISAGREE = ('crash', 'accepted', 'strict', 'wrong', 'import')


def judge(case, options, folder):
    """(kind, text): kind is one of AGREE, or what did not agree."""
    made, reason, mixed = paddle_made(case)
    status, said, got = case.run(options.aoac, folder)
    if status not in (0, 1): return 'crash', f'exit status {status}: {said}'
    if made is None: return ('refused' if status else 'lossy' if mixed else 'accepted', f'{reason}\n{said}')
    keep_made(case, made, folder)
    if status: return 'strict', said
    wrong = cases.difference(case, made, got, set(case.sources))  # a result that hides a source is written, even if it is read again
    if wrong: return 'wrong', wrong
    if case.source_ranks == case.ranks == 1 and not case.types:
        status, said, got = case.imported(options.aoac, folder)
        if status: return 'import', said
        wrong = cases.difference(case, made, got, set(case.sources))
        if wrong: return 'import', wrong
    return ('mixed' if mixed else 'same'), ''


def paddle_made(case):
    """(what the statements mean to Paddle, else why it refuses, whether its loader makes something else of them)."""
    try: made, unwritten = case.paddle(meant)
    except Refused as e: return None, str(e), False
    if unwritten: return None, f'never written: {sorted(unwritten)}', True
    try: loaded, unwritten = case.paddle()
    except Refused: return made, None, True
    return made, None, bool(unwritten) or any(a[n].tobytes() != b[n].tobytes() for a, b in zip(made, loaded) for n in a)


def keep_made(case, made, folder):
    for rank, tensors in enumerate(made):
        parts = {n: Stored(case.targets[n].dtype, bits) for n, bits in tensors.items()}
        name = 'model.safetensors' if case.ranks == 1 else f'rank_{rank:05}.safetensors'
        (folder / 'made-by-paddle').mkdir(exist_ok=True)
        (folder / 'made-by-paddle' / name).write_bytes(cases.safetensors({n: (t.dtype, t.bits) for n, t in parts.items()}))


def show(seed, kind, case, text):
    print(f'{kind.upper()} {seed}:')
    for line in case.rules().splitlines(): print('    | ' + line)
    print('    source: ' + ', '.join(f'{n} {t.dtype}{list(t.bits.shape)}{"" if t.cut is None else f"@{t.cut}"}' for n, t in case.sources.items()))
    print('    target: ' + ', '.join(f'{n} {t.dtype}{list(t.shape)}{"" if t.cut is None else f"@{t.cut}"}' for n, t in case.targets.items()))
    print('    ' + text.strip().replace('\n', '\n    '), flush=True)


def judge_published(title, statements, sources, options):
    """What the engine makes of `sources` where no destination is given, against `import-aoa` with the checkpoint."""
    case = cases.Case(statements['aoa_statements'], sources, {}, reverse=statements.get('aoa_config_reverse', False))
    folder = cases.workspace()
    try:
        case.targets, reason = exported(case.config(), sources), ''
        case.targets = {n: t for n, t in case.targets.items() if not n.startswith('fused_')}  # left over from macros
        for name in identities(case.statements):  # the engine exports nothing that is read again, but the model has it
            if name in sources: case.targets.setdefault(name, Wanted(sources[name].dtype, sources[name].bits.shape))
    except Refused as e: reason = str(e)
    case.save(folder)
    status, said, got = case.imported(options.aoac, folder)
    if reason: kind, text = ('refused' if status else 'accepted'), f'{reason}\n{said}'
    elif status: kind, text = 'import', said
    else:
        made, unwritten = case.paddle(meant)
        text = f'never written: {sorted(unwritten)}' if unwritten else cases.difference(case, made, got)
        kind = 'wrong' if text else 'same'
    print(f'{kind.upper():8} {title}: {len(case.statements)} statements, {len(sources)} tensors, folder {folder}')
    if kind != 'same': print('    ' + text.strip().replace('\n', '\n    '), flush=True)
    return kind, ({n: Stored(case.targets[n].dtype, b) for n, b in made[0].items()} if kind == 'same' else None)


def identities(statements):
    """The names X of statements `X -> X`."""
    sides = [[part.strip() for part in s.split('->')] for s in statements]
    return [side[0] for side in sides if len(side) == 2 and side[0] == side[1]]


def main_published(options):
    tally = collections.Counter()
    for title, config, absent, forward, inverse in models.published(options.formers):
        sources = models.checkpoint(forward['aoa_statements'], config, absent)
        kind, made = judge_published(title, forward, sources, options)
        tally[kind] += 1
        if made and inverse: tally[judge_published(title + ' (inverse)', inverse, made, options)[0]] += 1
    return tally


def main_listed(options):
    tally = collections.Counter()
    for line, case in listed():
        folder = cases.workspace()
        kind, text = judge(case, options, folder)
        tally[kind] += 1
        if kind in options.show: print(f'{kind.upper():8} {line}\n    ' + text.strip().replace('\n', '\n    '), flush=True)
        shutil.rmtree(folder)
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--aoac', required=True, type=lambda p: str(Path(p).resolve()))
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--count', type=int, default=500)
    parser.add_argument('--only', type=int)
    parser.add_argument('--keep', type=Path, help='where the folders of disagreements go')
    parser.add_argument('--show', nargs='*', default=list(DISAGREE), help='kinds of outcomes to list')
    parser.add_argument('--listed', action='store_true', help='the cases of paddle_peer/listed.py in place of random ones')
    parser.add_argument('--formers', type=Path, help='the folder `paddleformers/transformers` of an unpacked wheel: its models in place of random cases')
    options = parser.parse_args()
    if options.formers: return finish(main_published(options))
    if options.listed: return finish(main_listed(options))
    tally = collections.Counter()
    seeds = [options.only] if options.only is not None else range(options.seed, options.seed + options.count)
    for seed in seeds:
        case, folder = generate(seed), cases.workspace()
        kind, text = judge(case, options, folder)
        tally[kind] += 1
        listed = kind in options.show or options.only is not None
        if listed: show(seed, kind, case, text)
        if listed and options.keep: shutil.move(folder, options.keep / f'{kind}-{seed}')
        else: shutil.rmtree(folder)
    finish(tally)


def finish(tally):
    print(', '.join(f'{n} {kind}' for kind, n in sorted(tally.items())))
    sys.exit(any(tally[kind] for kind in DISAGREE))


if __name__ == '__main__': main()
