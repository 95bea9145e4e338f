"""Questions about a whole rule file: which names it uses, which variables a side has in names, how maps join two sides."""
from .ast import walk
from .errors import Unsure, Wrong


def expr_names(e):
    if e[0] == 'name': return {e[1]}
    return set().union(*[expr_names(x) for x in flat(e[1:])]) if len(e) > 1 else set()


def flat(parts):
    for p in parts:
        if isinstance(p, tuple):
            if p and isinstance(p[0], str): yield p
            else: yield from flat(p)


def find_route(program, a, b):
    """[(map, flipped, side reached)], the shortest; None for a side to itself."""
    if a == b: return None
    paths, seen = [[]], {a}
    ends = {(): a}
    frontier = [(a, [])]
    while frontier:
        found, following = [], []
        for at, path in frontier:
            for m in program.maps:
                for flipped, here, there in ((False, m.a, m.b), (True, m.b, m.a)):
                    if here != at or there in seen: continue
                    step = path + [(m, flipped, there)]
                    (found if there == b else following).append((there, step))
        if len(found) > 1: raise Unsure('several routes')
        if found: return found[0][1]
        seen |= {x for x, _ in following}
        frontier = following
    raise Wrong(f'no map leads from {a} to {b}')


def names_with_variables(program, side):
    """Variables that some tensor of a side has in its name."""
    out = {v for _, d in walk(side.items, 'decl') for v in d.pattern.vars()}
    for m in program.maps:
        for _, st in walk(m.items, 'stmt'):
            for terms, name in ((st.lefts, m.a), (st.rights, m.b)):
                if name == side.name: out |= {v for t in terms if t.pattern for v in t.pattern.vars()}
    return out


def used_names(program, patterns=True):
    """Every name that stands in a type, an equation or (if asked) a tensor name of the file."""
    out = set()

    def of_axis(n):
        if n[0] == 'name': out.add(n[1])
        if n[0] == 'pad': out.update(expr_names(n[2]))
        for k in n[1] if n[0] in ('prod', 'sum') else (n[1],) if n[0] in ('pad', 'cut') else (): of_axis(k)
    for s in program.sides.values():
        for _, d in walk(s.items, 'decl'):
            for a in d.type or (): of_axis(a)
            if patterns: out.update(d.pattern.vars())
        for p in s.places:
            if isinstance(p.arg, tuple): out.update(expr_names(p.arg))
        for _, st in [(None, st) for m in program.maps for _, st in walk(m.items, 'stmt')]:
            for t in st.lefts + st.rights:
                for a in t.type or (): of_axis(a)
                if t.pattern and patterns: out.update(t.pattern.vars())
    for e in program.dims + [e for s in program.sides.values() for e in s.dims]:
        if e.kind == 'alias': of_axis(e.body)
        else: out.update(expr_names(e.body))
    return out


def names_in_numbers(program, side):
    """Dimensions that stand in `${=...}` of some name of a side."""
    patterns = [d.pattern for _, d in walk(side.items, 'decl')]
    for m in program.maps:
        for _, st in walk(m.items, 'stmt'):
            for terms, name in ((st.lefts, m.a), (st.rights, m.b)):
                if name == side.name: patterns += [t.pattern for t in terms if t.pattern]
    return {n for p in patterns for s in p.segs if s[0] == 'expr' for n in expr_names(s[1])}
