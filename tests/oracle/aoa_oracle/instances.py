"""Statements before they are typed: stars and placeholders are replaced, variables get their numbers, tensors are looked up."""
import itertools, re
from . import names
from .ast import Pattern, Term
from .errors import Unknown, Unsure, Wrong
from .view import Member

IDS = ('LAYER_ID', 'EXPERT_ID', 'LAYER_ID_OFFSET')


class Ref:
    """A tensor that a statement reads: the result of an earlier statement, or a tensor of what is upstream."""

    def __init__(self, member, result, supply):
        self.member, self.result, self.supply, self.name = member, result, supply, member.name

    def present(self): return self.result.exists() if self.result else self.supply.present(self.member)

    def optional(self): return not self.result and bool(self.member.decl and self.member.decl.optional)

    def fetch(self, typed, role): return self.result.value(role) if self.result else self.supply.fetch(self.member, typed, role)


def placeholder(pat): return any(v in IDS for v in pat.vars())


def expand_stars(terms, known, where, doubts):
    out = []
    for t in terms:
        if t.pattern is None or not t.pattern.has('star'):
            out.append(t)
            continue
        if t.pattern.vars() or sum(s[0] == 'star' for s in t.pattern.segs) > 1: raise Unsure(f'{where}: a star beside a variable or another star')
        regex = ''.join(r'(\d+)' if s[0] == 'star' else re.escape(s[1]) for s in t.pattern.segs)
        found = sorted((int(m.group(1)), m.group(1), n) for n in known() for m in [re.fullmatch(regex, n)] if m)
        if not found: raise Wrong(f'{where}: {t.pattern.text} matches nothing')
        if len({f[0] for f in found}) < len(found) or any(str(a) != b for a, b, _ in found): doubts.note('numbers with leading zeros')
        out += [Term(names.literal(n), t.transposed, t.type, t.stored, t.dtype) for _, _, n in found]
    return out


def lower_offset(terms):
    """$LAYER_ID_OFFSET is n - 1 on the right."""
    out = []
    for t in terms:
        if t.pattern is not None and 'LAYER_ID_OFFSET' in t.pattern.vars():
            segs = tuple(('var', s[1], s[2] - 1, s[3]) if s[:2] == ('var', 'LAYER_ID_OFFSET') else s for s in t.pattern.segs)
            t = Term(Pattern(segs, t.pattern.text), t.transposed, t.type, t.stored, t.dtype)
        out.append(t)
    return out


def id_numbers(ins, outs, known, results, where, doubts):
    """Numbers of placeholders: those that the source holds for the first name that has them."""
    first = next((t.pattern for t in ins if t.pattern is not None and placeholder(t.pattern)), None)
    if first is None: raise Unsure(f'{where}: a placeholder only on the right')
    wanted = [v for v in dict.fromkeys(first.vars()) if v in IDS]
    for t in ins + outs:
        if t.pattern is not None and not set(wanted) <= set(t.pattern.vars()): raise Wrong(f'{where}: {t.pattern.text} lacks {wanted}')
    if any(v in IDS and v not in wanted for t in ins + outs if t.pattern is not None for v in t.pattern.vars()): raise Unsure(f'{where}: several placeholders')
    if any(s[0] == 'var' and s[1] in IDS and s[2:] != (0, 0) for t in ins + outs if t.pattern is not None for s in t.pattern.segs):
        doubts.note('a placeholder with an offset or a width')
    match = names.matcher(first)
    found = [m for n in known for m in [match(n)] if m is not None]
    made = [m for n in results for m in [match(n)] if m is not None and n not in known]
    if made: doubts.note('a placeholder over intermediate results')
    if not found and not made: raise Wrong(f'{where}: {first.text} matches nothing')
    return {v: sorted({m[v] for m in found + made}) for v in wanted}


class Lowered:
    """A statement in the direction of the run, stars and placeholders replaced."""

    def __init__(self, st, flipped, fors, run):
        self.st, self.flipped, self.fors, self.where, self.attrs, self.run = st, flipped, fors, st.where, st.attrs, run
        ins, outs = (st.rights, st.lefts) if flipped else (st.lefts, st.rights)
        self.ins = expand_stars(ins, run.supply.names, st.where, run.doubts)
        self.outs = expand_stars(outs, run.dst.members_by_name, st.where, run.doubts)
        self.ids = {}
        if any(t.pattern is not None and placeholder(t.pattern) for t in self.ins + self.outs):
            if flipped: run.doubts.note('placeholders backwards')
            self.ids = id_numbers(self.ins, self.outs, run.supply.names(), run.results, st.where, run.doubts)
            self.outs = lower_offset(self.outs)

    def numbers(self, var):
        """The values of a name variable, from the end that has it in a name."""
        if var in self.ids: return self.ids[var]
        spans = []
        for view, terms in ((self.run.src, self.ins), (self.run.dst, self.outs)):
            if any(t.pattern is not None and var in t.pattern.vars() for t in terms): spans.append(list(view.range(var, self.fors)))
        if any(s != spans[0] for s in spans): raise Wrong(f'{self.where}: {var} has {len(spans[0])} and {len(spans[-1])} values')
        return spans[0]

    def restricted(self, var): return var in self.ids or any(f[0] == var for f in self.fors)

    def assignments(self, pattern):
        """Every numbering of a pattern's variables."""
        variables = list(dict.fromkeys(pattern.vars()))
        return [dict(zip(variables, c)) for c in itertools.product(*[self.numbers(v) for v in variables])]

    def name(self, view, pattern, values): return names.spell(pattern, values, view.end.extent)

    def target(self, term, values):
        """The member of the target side that a term names."""
        name = self.name(self.run.dst, term.pattern, values)
        return self.run.dst.declared(term.pattern, values, name) or Member(term.pattern, values, name, None)

    def source(self, term, values):
        """The tensor that a term reads, by the rule about chains."""
        name = self.name(self.run.src, term.pattern, values)
        member = self.run.src.declared(term.pattern, values, name) or Member(term.pattern, values, name, None)
        result = self.run.results.get(name)
        if result and member.decl is None and not (self.st.arrow == '<->' and self.run.supply.holds(name)):
            return Ref(member, result, self.run.supply)
        return Ref(member, None, self.run.supply)


def one_type(view, lowered, term):
    """The type of a term: written in the statement, or that of the declarations of its members, which must be one."""
    found = {}
    try: members = [view.declared(term.pattern, v, lowered.name(view, term.pattern, v)) for v in lowered.assignments(term.pattern)]
    except Unknown: raise
    for m in members: found[m and (m.decl.type, m.decl.stored, m.decl.dtype)] = m
    if len(found) > 1: raise Unsure(f'{lowered.where}: members of {term.pattern.text} have different types')
    decl = next(iter(found.values())).decl if found and next(iter(found.values())) else None
    if not members: decl = next((d for d, _ in view.decls if d.pattern == term.pattern), None)
    if term.type is None and term.dtype is None: return view.decl_type(decl) if decl else view.resolve(None, None, None, None)
    if decl and (decl.type is not None or decl.dtype is not None): raise Unsure(f'{lowered.where}: {term.pattern.text} has a type here and in its side')
    return view.resolve(term.type, term.stored, term.dtype, decl)
