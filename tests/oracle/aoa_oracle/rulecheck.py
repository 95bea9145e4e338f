"""Mistakes of a rule file that need no checkpoint: unknown sides, mesh axes and references; tensors declared twice."""
from . import mesh
from .ast import walk
from .errors import Unsure, Wrong


def check_program(program, doubts):
    for m in program.maps:
        for s in (m.a, m.b):
            if s not in program.sides: raise Wrong(f'{m.where}: no side {s}')
        if m.a == m.b: raise Unsure(f'{m.where}: a map of a side to itself')
        for _, st in walk(m.items, 'stmt'): check_means(program, m, st)
    for s in program.sides.values(): check_side(s, doubts)


def check_means(program, m, st):
    if st.arrow != '<->': return
    for terms, name in ((st.lefts, m.a), (st.rights, m.b)):
        for t in terms:
            if t.pattern and any(d.mean and d.pattern == t.pattern for _, d in walk(program.sides[name].items, 'decl')):
                raise Wrong(f'{st.where}: replicas mean is one-way')


def check_side(s, doubts):
    known = mesh.axes_of(s)
    for m in known:
        if known.count(m) > 1: raise Wrong(f'{s.where}: mesh axis {m} twice')
    for new, old in s.overlays:
        for m in old:
            if m not in s.mesh: raise Wrong(f'{s.where}: overlay on {m}, which is no mesh axis')
        if not s.mesh: raise Wrong(f'{s.where}: an overlay without a mesh')
    for p in s.places:
        if p.axis not in s.mesh:
            if p.axis in known: raise Unsure('a place on an overlay axis')
            raise Wrong(f'{p.where}: no mesh axis {p.axis}')
        if [q.var for q in s.places].count(p.var) > 1: raise Wrong(f'{p.where}: {p.var} is placed twice')
    if s.zero and s.zero[0] not in known: raise Wrong(f'{s.where}: zero {s.zero[0]}, which is no mesh axis')
    if s.zero and s.zero[1] not in ('flat', 'whole'): raise Unsure(f'zero by {s.zero[1]}')
    declared, plain = {}, set()
    for outer, d in walk(s.items, 'decl'):
        if d.pattern in declared:
            if outer and outer == declared[d.pattern]: doubts.note(f'{d.where}: {d.pattern.text} is declared twice in one block')
            if not outer and not declared[d.pattern]: raise Wrong(f'{d.where}: {d.pattern.text} is declared twice')
        declared[d.pattern] = outer
        check_cuts(s, d, known)
    for _, d in walk(s.items, 'decl'):
        for other in [d.tied] + ([d.blocks[0]] if d.blocks else []):
            if other is not None and other not in declared: raise Wrong(f'{d.where}: {other.text} is not declared')
        if d.tied and d.tied == d.pattern: raise Wrong(f'{d.where}: tied to itself')
        for _, axis in d.on:
            if not s.places and axis is None: raise Wrong(f'{d.where}: on without place')
            if axis is not None and axis not in known: raise Wrong(f'{d.where}: no mesh axis {axis}')


def check_cuts(s, d, known):
    def axis(n):
        if n[0] == 'cut':
            for m, _ in n[2]:
                if m not in known: raise Wrong(f'{d.where}: no mesh axis {m}')
        for k in n[1] if n[0] in ('prod', 'sum') else (n[1],) if n[0] in ('pad', 'cut') else (): axis(k)
    for a in d.type or (): axis(a)
    for a in d.stored or ():
        def no_cut(n):
            if n[0] == 'cut': raise Unsure(f'{d.where}: @ after stored')
            for k in n[1] if n[0] in ('prod', 'sum') else (n[1],) if n[0] == 'pad' else (): no_cut(k)
        no_cut(a)
