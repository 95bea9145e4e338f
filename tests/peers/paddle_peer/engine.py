"""Paddle's own engine over arrays in memory.

`convert` runs the step with which Paddle loads a checkpoint under an `aoa_config` (`load_state_dict._handle_aoa`: lexer,
macros, parser, engine, plan, post-processing) for every rank of the destination in turn. Only the reading of files is
replaced, by slices of the arrays.
"""
import contextlib, importlib, inspect, logging, os
from dataclasses import dataclass

os.environ.setdefault('GLOG_v', '0')
os.environ.setdefault('GLOG_minloglevel', '3')
import numpy as np  # noqa: E402
import paddle  # noqa: E402
from paddle.distributed.flex_checkpoint.aoa import aoa_engine  # noqa: E402
from paddle.distributed.flex_checkpoint.dcp.metadata import LocalTensorMetadata, Metadata  # noqa: E402
from paddle.distributed.flex_checkpoint.dcp.sharded_weight import ShardedWeight, ShardedWeightDesc  # noqa: E402

loader = importlib.import_module('paddle.distributed.flex_checkpoint.dcp.load_state_dict')
logging.disable(logging.WARNING)

TYPES = {'F32': ('float32', np.dtype('<f4')), 'F16': ('float16', np.dtype('<f2')), 'BF16': ('bfloat16', np.dtype('<u2')),
         'I32': ('int32', np.dtype('<i4')), 'U8': ('uint8', np.dtype('u1'))}
FILLS = (b'\xa5', b'\x5a')


@dataclass
class Stored:
    """A tensor: dtype as safetensors spell it, the bits, and the axis that ranks cut (None: whole on every rank)."""
    dtype: str
    bits: np.ndarray
    cut: int | None = None


@dataclass
class Wanted:
    dtype: str
    shape: tuple
    cut: int | None = None


class Refused(Exception):
    """Paddle does not accept the configuration; the text says why."""


def box(shape, cut, ranks, rank):
    """(local shape, offset) of a rank's block."""
    local, offset = list(shape), [0] * len(shape)
    if cut is not None:
        local[cut] //= ranks
        offset[cut] = rank * local[cut]
    return tuple(local), tuple(offset)


def descriptions(tensors, ranks):
    found = {}
    for name, t in tensors.items():
        shape = tuple(t.bits.shape) if isinstance(t, Stored) else tuple(t.shape)
        boxes = {box(shape, t.cut, ranks, r) for r in range(ranks)}
        found[name] = [ShardedWeightDesc(key=name, local_shape=local, global_shape=shape, global_offset=offset, dtype=TYPES[t.dtype][0])
                       for local, offset in sorted(boxes, key=lambda b: b[1])]
    return found


def metadata(sources, ranks):
    state = {}
    for name, t in sources.items():
        boxes = sorted({box(t.bits.shape, t.cut, ranks, r) for r in range(ranks)}, key=lambda b: b[1])
        state[name] = [LocalTensorMetadata(global_offset=offset, local_shape=local, dtype=TYPES[t.dtype][0], global_shape=tuple(t.bits.shape))
                       for local, offset in boxes]
    return Metadata(state_dict_metadata=state, storage_metadata={}, flat_mapping={})


def tensor_of(bits, dtype):
    name, kind = TYPES[dtype]
    out = paddle.to_tensor(np.ascontiguousarray(bits).view(kind), dtype=None if dtype == 'BF16' else name)
    assert str(out.dtype) == f'paddle.{name}', (out.dtype, name)
    return out


def bits_of(tensor, dtype):
    return np.ascontiguousarray(tensor.numpy()).view(TYPES[dtype][1])


@contextlib.contextmanager
def quiet():
    with open(os.devnull, 'w') as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing): yield


class Reading:
    """In place of the reader of files."""

    def __init__(self, sources): self.sources = sources

    def __call__(self, state_dict, *_, **__):
        for weight in state_dict.values():
            source = self.sources[weight.key]
            where = tuple(slice(o, o + n) for o, n in zip(weight.global_offset, weight.local_shape))
            paddle.assign(tensor_of(source.bits[where], source.dtype), weight.local_tensor)


def unwritten_shard(name, t, ranks, rank, fill):
    local, offset = box(t.shape, t.cut, ranks, rank)
    kind = TYPES[t.dtype][1]
    empty = np.frombuffer(fill * (int(np.prod(local)) * kind.itemsize), kind).reshape(local)
    return ShardedWeight(key=name, local_tensor=tensor_of(empty, t.dtype), local_shape=local, global_shape=tuple(t.shape), global_offset=offset)


def one_rank(config, sources, source_ranks, targets, ranks, rank, fill):
    """The bits of the targets on one rank; what is not written keeps `fill`."""
    loads = {name: unwritten_shard(name, t, ranks, rank, fill) for name, t in targets.items()}
    loader._metadata_manager.clear()
    loader._metadata_manager.set_metadata_list([metadata(sources, source_ranks)])
    known = {'load_dict': loads, 'destination_state_shard_info': descriptions(targets, ranks), 'path': '', 'process_group': None,
             'worker_groups': None, 'coordinator_rank': 0, 'unique_id': None, 'offload': False, 'aoa_config': config, 'safetensors': False,
             'comm_method': 'broadcast'}
    taken = inspect.signature(loader._handle_aoa).parameters
    loader.load_state_dict_impl = Reading(sources)
    with quiet(): loader._handle_aoa(**{k: v for k, v in known.items() if k in taken})
    return {name: bits_of(loads[name].local_tensor, t.dtype) for name, t in targets.items()}


def convert(config, sources, source_ranks, targets, ranks):
    """-> (one {name: bits} per rank, names of targets of which something was never written). Raises Refused."""
    made, unwritten = [], set()
    for rank in range(ranks):
        results = [attempt(one_rank, config, sources, source_ranks, targets, ranks, rank, fill) for fill in FILLS]
        unwritten |= differing(targets, *results)
        made.append(results[0])
    return made, unwritten


def meant(config, sources, source_ranks, targets, ranks):
    """As `convert`, but every piece of the engine's plan is carried out by itself: what the statements mean, without what
    the loader mixes up where two pieces are made of one block of a source."""
    with quiet():
        engine = attempt(aoa_engine.AOAEngine, aoa_config=config, source_state_shard_info=descriptions(sources, source_ranks),
                         destination_state_shard_info=descriptions(targets, ranks))
    made, unwritten = [], set()
    for rank in range(ranks):
        results = [{name: attempt(one_target, engine, sources, name, t, ranks, rank, fill) for name, t in targets.items()} for fill in FILLS]
        unwritten |= differing(targets, *results)
        made.append(results[0])
    return made, unwritten


def one_target(engine, sources, name, t, ranks, rank, fill):
    target = unwritten_shard(name, t, ranks, rank, fill)
    for piece in engine.find_shard_sources(loader.build_shard_desc(target)):
        block = piece.source_slice
        source = sources[block.key]
        where = tuple(slice(o, o + n) for o, n in zip(block.global_offset, block.local_shape))
        shard = ShardedWeight(key=block.key, local_tensor=tensor_of(source.bits[where], source.dtype), local_shape=block.local_shape,
                              global_shape=block.global_shape, global_offset=block.global_offset)
        loader.assign_sharded_slice(block, shard, piece.target_slice, target, piece.postprocess_list)
    return bits_of(target.local_tensor, t.dtype)


def attempt(step, *arguments, **named):
    try: return step(*arguments, **named)
    except Exception as e: raise Refused(f'{type(e).__name__}: {" ".join(str(e).split())[-300:]}') from e


def differing(targets, one, other):
    return {n for n in targets if not np.array_equal(one[n].view('u1'), other[n].view('u1'))}


def exported(config, sources):
    """{name: Wanted} of what the engine makes where no destination is given. Raises Refused."""
    with quiet():
        made = attempt(aoa_engine.AOAEngine, aoa_config=config, source_state_shard_info=descriptions(sources, 1), destination_state_shard_info=None)
    spelled = {name: dtype for dtype, (name, _) in TYPES.items()}
    found = {}
    for name, tensor in made.output_vars.items():
        casts = [step for *_, steps in tensor.slices for step in steps or [] if step in spelled]
        found[name] = Wanted(spelled[casts[-1] if casts else tensor.dtype], tuple(tensor.shape))
    return found
