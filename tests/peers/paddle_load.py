#!/usr/bin/env python3
"""Loads checkpoints that aoac wrote with PaddlePaddle itself, and compares every tensor. Not part of the test run.

    python3 -m venv VENV && VENV/bin/pip install paddlepaddle==3.3.1 tbb
    LD_LIBRARY_PATH=VENV/lib VENV/bin/python tests/peers/paddle_load.py --aoac build/release/bin/aoac --rules rules \\
        --fixtures FIXTURES [PATTERN]

FIXTURES is a folder of checkpoints with a cases.json (of each case: rules, side, path, args, write). For every case of
Paddle that can be written, aoac writes it from the whole model, and

  - `paddle.load` reads each file of ranks: the same files hold the same weights and states as the original ones, bit by
    bit, also the padding;
  - `paddle.load` reads the metadata of flex checkpoints: the same blocks and windows in the same files; and each file
    holds what the original one holds;
  - `paddle.distributed.load_state_dict` loads the whole model from them, in one process: equal to what it loads from
    the original.
"""
import os, sys

os.environ.setdefault('GLOG_minloglevel', '2')
import numpy as np  # noqa: E402
import paddle  # noqa: E402
import paddle.distributed as dist  # noqa: E402

import written  # noqa: E402
from written import Differs  # noqa: E402

NAMES = 'StructuredToParameterName@@'
STATES = ('moment1_0', 'moment2_0', 'beta1_pow_acc_0', 'beta2_pow_acc_0')


class Differs(Exception):
    """The text says where."""


def bits(tensor):
    array = np.ascontiguousarray(np.asarray(tensor))
    return array.dtype.str, array.shape, array.tobytes()


def same(what, want, got):
    if set(want) != set(got): raise Differs(f'{what}: names: {sorted(map(str, set(want) ^ set(got)))[:3]}')
    wrong = [name for name in want if want[name] != got[name]]
    if wrong: raise Differs(f'{what}: {len(wrong)} of {len(want)} differ, {wrong[0]}: {str(want[wrong[0]])[:200]}, not {str(got[wrong[0]])[:200]}')


def weights(path):
    """{structured name: bits}, {parameter's name: structured name}"""
    found = paddle.load(str(path), return_numpy=True, keep_name_table=True)
    names = found.pop(NAMES)
    return {name: bits(array) for name, array in found.items()}, {own: name for name, own in names.items()}


def states(path, names):
    """{(structured name, state, whether it is marked as a slice): bits}; masters are of state w_0."""
    found = paddle.load(str(path), return_numpy=True)
    found.pop(NAMES, None)
    found.pop('LR_Scheduler', None)
    masters = found.pop('master_weights', {})
    out = {}
    for key, value in [*found.items(), *((f'{own}_w_0', value) for own, value in masters.items())]:
        state = next(s for s in (*STATES, 'w_0') if key.endswith('_' + s))
        own, sliced = key[:-len(state) - 1], key.startswith('slice@')
        own = own.removeprefix('slice@')
        master = own.endswith('_fp32_master_0')
        array = value[1] if isinstance(value, tuple) else value
        out[names[own.removesuffix('_fp32_master_0')], state, sliced, master] = bits(array)
    return out


def files(folder, *endings):
    return {p.name: p for p in folder.iterdir() if p.name.endswith(endings)}


def compare_ranks(ours, theirs):
    same('files', dict.fromkeys(files(theirs, '.pdparams', '.pdopt')), dict.fromkeys(files(ours, '.pdparams', '.pdopt')))
    names = {}
    for name, path in files(theirs, '.pdparams').items():
        want, own = weights(path)
        got, mine = weights(ours / name)
        same(name, want, got)
        names[name.removeprefix('model_state').removesuffix('.pdparams')] = own, mine
    for name, path in files(theirs, '.pdopt').items():
        rank = name.removeprefix('optimizer').removesuffix('.pdopt')
        rank = '' if rank.startswith('.shard') else rank.split('_shard')[0]
        own, mine = names[rank]
        same(name, states(path, own), states(ours / name, mine))


def facts(folder):
    """What the metadata say: {(name, block, window): file}, {name: {(block, type, whole shape, window)}}"""
    metadata = paddle.load(str(folder / '0.metadata'))
    numbers = lambda t: None if t is None else tuple(map(int, t))  # noqa: E731
    places = {(i.tensor_key, numbers(i.global_offset), numbers(i.local_shape), bool(i.is_flattened), numbers(i.flattened_range),
               i.replica_id): file for i, file in metadata.storage_metadata.items()}
    tensors = {name: {(numbers(b.global_offset), numbers(b.local_shape), b.dtype, numbers(b.global_shape), bool(b.is_flattened),
                       numbers(b.flattened_range)) for b in blocks} for name, blocks in metadata.state_dict_metadata.items()}
    return places, tensors, {name: tuple(keys) for name, keys in metadata.flat_mapping.items()}


def load_file(path):
    if path.suffix == '.safetensors':
        found = paddle.load(str(path), safetensors=True)
        return {name: bits(t.numpy()) for name, t in found.items()}
    found = paddle.load(str(path), return_numpy=True)
    found.pop(NAMES, None)
    return {name: bits(array) for name, array in found.items()}


def load_whole(folder, tensors):
    """Paddle's own loader, into whole tensors."""
    safetensors = bool(files(folder, '.safetensors'))
    model = {name: paddle.zeros(list(next(iter(blocks))[3]), dtype=next(iter(blocks))[2]) for name, blocks in tensors.items()}
    dist.load_state_dict(model, str(folder), safetensors=safetensors)
    return {name: bits(t.numpy()) for name, t in model.items()}


def compare_flex(ours, theirs):
    places, tensors, mapping = facts(ours)
    their_places, their_tensors, their_mapping = facts(theirs)
    same('blocks', their_tensors, tensors)
    same('flat_mapping', their_mapping, mapping)
    same('windows', dict.fromkeys(their_places), dict.fromkeys(places))
    same('files', dict.fromkeys(files(theirs, '.distcp', '.safetensors')), dict.fromkeys(files(ours, '.distcp', '.safetensors')))
    moved = sum(their_places[k] != places[k] for k in places)  # replicas, where Paddle's order of names is another
    if not moved:
        for name, path in files(theirs, '.distcp', '.safetensors').items(): same(name, load_file(path), load_file(ours / name))
    same('loaded', load_whole(theirs, their_tensors), load_whole(ours, tensors))
    return f'{moved} replicas of {len(places)} blocks in other files' if moved else ''


def check(case):
    out, _ = case.write()
    if case.facts['write']['variant'].startswith('pdparams'): return compare_ranks(out, case.path)
    found = {p.name: p for p in case.path.iterdir() if (p / '0.metadata').exists() and p.name in ('model_state', 'master_weight', 'optimizer_state')}
    if not found: found = {'model_state': case.path}
    same('folders', dict.fromkeys(found), dict.fromkeys(p.name for p in out.iterdir() if p.is_dir()))
    return '; '.join(filter(None, (compare_flex(out / name, path) for name, path in sorted(found.items()))))


if __name__ == '__main__':
    sys.exit(written.main('paddle', check))
