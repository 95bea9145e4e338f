"""The source of a run: its files, its mesh, and whole tensors gathered from them.

A rank file is a dictionary of tensors. `Global` is a tensor of the whole model without cuts and padding, as lists.
"""
import json, os
from . import axes as ax, dtypes, mesh, names, tensorfile
from .errors import Unsure, Wrong


class Global:
    """A whole tensor. `axes` may be None (untyped). `blocks`: per element the block that scales it, if any."""

    def __init__(self, dtype, shape, vals, deps=(), fill=None, blocks=None):
        self.dtype, self.shape, self.vals, self.deps = dtype, tuple(shape), vals, frozenset(deps)
        self.fill, self.blocks, self.mean = fill, blocks, False


def read_files(path, side, given):
    """-> ([{name: Tensor} per rank], {mesh axis: size} as the files say, or None, configuration)."""
    if not os.path.isdir(path): raise Wrong(f'{path}: no such folder', also=(2, 3))
    found, config = sorted(os.listdir(path)), None
    if side.format == 'hf' and 'config.json' in found: config = read_json(os.path.join(path, 'config.json'))
    if side.format not in ('hf', 'safetensors'): raise Unsure(f'format {side.format}')
    rank_files = [f for f in found if f.startswith('rank_') and f.endswith('.safetensors')]
    if side.mesh and side.format == 'safetensors':
        if not found: raise Wrong(f'{path}: an empty folder', also=(2, 3))
        if not rank_files: raise Unsure(f'{path}: no rank files for a side with a mesh')
        return read_ranks(path, rank_files, given) + (config,)
    if rank_files: raise Unsure(f'{path}: rank files for a side without a mesh')
    if given: raise Unsure('--mesh-from for a side without a mesh')
    index = [f for f in found if f.endswith('.safetensors.index.json')]
    files = ['model.safetensors']
    if side.format == 'hf' and index:
        files = sorted(set(read_json(os.path.join(path, index[0]))['weight_map'].values()))
    tensors = {}
    for f in files:
        if f not in found: raise Wrong(f'{path}: {f} is missing', also=(2, 3))
        tensors.update(tensorfile.read(os.path.join(path, f))[0])
    return [tensors], None, config


def read_json(path):
    try:
        with open(path, encoding='utf-8') as f: return json.load(f)
    except (OSError, ValueError) as e: raise Wrong(f'{path}: {e}')


def read_ranks(path, rank_files, given):
    ranks, said = {}, None
    for f in rank_files:
        tensors, meta = tensorfile.read(os.path.join(path, f))
        if 'aoa.mesh' in meta:
            sizes, _ = mesh.parse_sizes(meta['aoa.mesh'], f)
            if said is not None and said != sizes: raise Wrong(f'{path}: rank files of different meshes')
            said = sizes
        number = int(f[5:-12])
        if meta.get('aoa.rank', str(number)) != str(number): raise Wrong(f'{f}: says rank {meta["aoa.rank"]}')
        ranks[number] = tensors
    if said is None: raise Unsure(f'{path}: rank files that do not say their mesh')
    for m, n in given.items():
        if m in said and said[m] != n: raise Wrong(f'--mesh-from {m}={n}, the files say {said[m]}')
    if sorted(ranks) != list(range(len(ranks))): raise Wrong(f'{path}: ranks {sorted(ranks)}')
    return [ranks[i] for i in range(len(ranks))], said


class Source:
    """The tensors of the source by the names of the whole model."""

    def __init__(self, view, ranks, doubts, check_replicas=False):
        self.view, self.end, self.files, self.doubts, self.check = view, view.end, ranks, doubts, check_replicas
        self.consumed, self.cache, self.members = set(), {}, {}

    def all_names(self): return {n for f in self.files for n in f}

    def holders(self, member):
        """[(rank, coordinates, name in the file)] of the ranks that should hold a member."""
        on = member.decl.on if member.decl else ()
        return [(r, c, names.spell(member.pattern, self.end.local(member.values, c), self.end.extent))
                for r, c in enumerate(self.end.ranks) if self.end.holds(member.values, on, c)]

    def present(self, member):
        """Whether any rank has it; if some should and do not, the checkpoint is wrong."""
        holders = self.holders(member)
        there = [n in self.files[r] for r, _, n in holders]
        if any(there) and not all(there):
            typed = member.decl and self.view.decl_type(member.decl).axes
            if not typed or not any(True for a in typed for _ in ax.find(a, ('cut', 'dealt'))):
                self.doubts.note(f'{member.name}: a replica is missing')
            raise Wrong(f'{member.name} is missing on some ranks')
        return any(there)

    def consume(self, member):
        for r, _, n in self.holders(member): self.consumed.add((r, n))

    # -- gathering ----------------------------------------------------------------------------------------------------

    def parts(self, member):
        return [(r, c, self.files[r][n]) for r, c, n in self.holders(member) if n in self.files[r]]

    def weight(self, member, typed):
        key = (member.name, 'weight')
        if key not in self.cache:
            self.cache[key] = self.gather(member.name, self.parts(member), typed, bool(member.decl and member.decl.mean))
        return self.cache[key]

    def gather(self, name, parts, typed, mean=False):
        """Joins the parts of a tensor; parts: [(rank, coordinates, Tensor)] with shapes as the file holds the weight."""
        found = {t.dtype for _, _, t in parts}
        if len(found) > 1: raise Wrong(f'{name} has several dtypes: {sorted(found)}')
        dtype = parts[0][2].dtype
        if typed.dtype and typed.dtype != dtype: raise Wrong(f'{name} is {dtype}, its type says {typed.dtype}')
        if typed.axes is None: return self.gather_untyped(name, parts, dtype, mean)
        anys = any_extents(typed, parts[0][2].shape)
        whole = typed.query(None, anys)
        where = ax.index(typed.axes, whole)
        copies = [[] for _ in where]
        for _, coords, t in parts:
            q = typed.query(coords, anys)
            self.check_shape(name, typed, q, t)
            for i, k in enumerate(ax.elements(typed.axes, q)):
                if k is not ax.FILL: copies[where[k]].append(t.vals[i])
        if not all(copies): raise Wrong(f'{name}: the ranks do not hold all of it')
        shape = ax.shape(typed.axes, whole)
        return Global(dtype, shape, [self.pick(name, c, dtype, mean) for c in copies], {name})

    def check_shape(self, name, typed, q, t):
        want = ax.shape(typed.file_axes(), q)
        if want != t.shape: raise Wrong(f'{name} has shape {t.shape}, its type says {want}')
        if typed.stored is not None and count(want) != count(ax.shape(typed.axes, q)):
            raise Wrong(f'{name}: stored has {count(want)} elements, the type {count(ax.shape(typed.axes, q))}')

    def gather_untyped(self, name, parts, dtype, mean):
        if len({t.shape for _, _, t in parts}) > 1:
            self.doubts.note(f'{name}: untyped with different shapes on the ranks')
        first = parts[0][2]
        copies = zip(*[t.vals for _, _, t in parts if t.shape == first.shape])
        return Global(dtype, first.shape, [self.pick(name, list(c), dtype, mean) for c in copies], {name})

    def pick(self, name, copies, dtype, mean):
        """The element among its replicas: the lowest rank's, or the mean."""
        if mean:
            if len(copies) > 1 and len(copies) & (len(copies) - 1): self.doubts.note('a mean of a number of copies that is no power of two')
            total = dtypes.to_float(copies[0], dtype)          # not 0 + ...: -0 and -0 are -0
            for c in copies[1:]: total += dtypes.to_float(c, dtype)
            return dtypes.from_float(total / len(copies), dtype, 'error', name) if len(copies) > 1 else copies[0]
        if self.check and any(c != copies[0] for c in copies): raise Wrong(f'{name}: the copies differ')
        return copies[0]


def any_extents(typed, file_shape):
    """Extents of `_` axes from the shape of a file."""
    found = [n for a in typed.axes for n in ax.find(a, ('any',))]
    if not found: return {}
    if typed.stored is not None or any(a[0] != 'any' and any(True for _ in ax.find(a, ('any',))) for a in typed.axes):
        raise Unsure('_ inside an axis or beside stored')
    if len(file_shape) != len(typed.axes): raise Wrong(f'{len(file_shape)} axes, the type has {len(typed.axes)}')
    return {a[1]: n for a, n in zip(typed.axes, file_shape) if a[0] == 'any'}


def count(shape):
    n = 1
    for x in shape: n *= x
    return n
