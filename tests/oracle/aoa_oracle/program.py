"""A rule file with its imports merged, and the checks that need no checkpoint."""
import os
from .ast import File, Side, walk
from .errors import Unsure, Wrong
from . import parser


class Program:
    def __init__(self, doubts):
        self.doubts, self.dims, self.sides, self.maps, self.default = doubts, [], {}, [], {}

    def side(self, name, status=2):
        if name not in self.sides: raise Wrong(f'no side {name}; there are {", ".join(self.sides)}', status)
        return self.sides[name]


def load(path, doubts, seen=()):
    path = os.path.normpath(path)
    if path in seen: raise Wrong(f'{path} imports itself')
    try:
        with open(path, encoding='utf-8', newline='') as f: text = f.read()
    except OSError: raise Wrong(f'{path}: cannot be read', also=(2, 3))
    except UnicodeDecodeError: raise Wrong(f'{path}: no UTF-8')
    own, program = parser.parse(text, path), Program(doubts)
    if len({name for name, _ in own.imports}) < len(own.imports): raise Unsure('one file is imported twice')
    for name, where in own.imports:
        merge(program, load(os.path.join(os.path.dirname(path), name), doubts, seen + (path,)))
    program.default = {}                                       # an imported file's does not count
    merge(program, own)
    return program


def merge(program, own):
    """Puts the declarations of a file (or of an imported program) over what is there."""
    names = {e.name for e in own.dims}
    program.dims = [e for e in program.dims if e.name not in names] + list(own.dims)
    removed = {}
    for name, side in own.sides.items():
        old = program.sides.get(name)
        if side.removes: removed[name] = check_removes(side, old)
        program.sides[name] = merge_side(old, side, removed.get(name, set())) if old else side
    for m in program.maps: m.items = without_removed(m, removed)
    pairs = [frozenset((m.a, m.b)) for m in own.maps] if isinstance(own, File) else []
    if len(set(pairs)) < len(pairs): raise Unsure('one map in two blocks of a file')
    for m in own.maps: merge_map(program, m)
    program.default.update(own.default)


def check_removes(side, old):
    declared = {d.pattern for _, d in walk(old.items, 'decl')} if old else set()
    for p, where in side.removes:
        if p not in declared: raise Wrong(f'{where}: {p.text if p else "_"} is not declared')
    return {p for p, _ in side.removes}


def prune(items, keep):
    """Items without the leaves that are not wanted; blocks stay."""
    out = []
    for it in items:
        if it[0] == 'for': out.append(it[:4] + (prune(it[4], keep),))
        elif it[0] == 'if':
            other = None if it[2] is None else prune(it[2], keep)
            out.append(('if', tuple((c, prune(b, keep)) for c, b in it[1]), other))
        elif keep(it[1]): out.append(it)
    return out


def merge_side(old, new, removed):
    again = {d.pattern for _, d in walk(new.items, 'decl')} | removed
    names = {e.name for e in new.dims}
    places = {p.var for p in new.places}
    roles = {r[0] for r in new.states + new.scalars}
    keys = {k for k, _ in new.config}
    return Side(new.name, new.format or old.format, new.mesh or old.mesh, old.overlays + new.overlays,
                [p for p in old.places if p.var not in places] + new.places,
                prune(old.items, lambda d: d.pattern not in again) + new.items,
                [s for s in old.states if s[0] not in roles] + new.states,
                [s for s in old.scalars if s[0] not in roles] + new.scalars, new.zero or old.zero,
                [e for e in old.dims if e.name not in names] + new.dims,
                [c for c in old.config if c[0] not in keys] + new.config, [], new.where)


def sided(m, st):
    """The tensors that a statement names: {(side, pattern)}."""
    return {(m.a, t.pattern) for t in st.lefts if t.pattern} | {(m.b, t.pattern) for t in st.rights if t.pattern}


def without_removed(m, removed):
    gone = {(side, p) for side, pats in removed.items() for p in pats}
    return prune(m.items, lambda st: not sided(m, st) & gone) if gone else m.items


def merge_map(program, m):
    old = next((x for x in program.maps if {x.a, x.b} == {m.a, m.b}), None)
    if old is None:
        program.maps.append(m)
        return
    if (old.a, old.b) != (m.a, m.b): raise Unsure(f'{m.where}: one map is written in two orders')
    again = {x for _, st in walk(m.items, 'stmt') for x in sided(m, st)}
    old.items = prune(old.items, lambda st: not sided(old, st) & again) + m.items
