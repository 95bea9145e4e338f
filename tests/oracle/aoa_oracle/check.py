"""What can be said of a rule file without a checkpoint: every declaration and statement, also in branches and maps that a
run would not use. Extents are symbols, so only variables are compared.

A statement is left alone if the type of one of its tensors depends on a condition.
"""
import re
from . import axes as ax, mapping
from .ast import walk
from .dims import Dims
from .errors import Wrong
from .mesh import End
from .view import Typed


class Checker:
    def __init__(self, program, doubts):
        self.program, self.doubts, self.errors = program, doubts, []
        self.dims = Dims(program, {}, doubts)
        self.ends = {}
        for name, side in program.sides.items():
            self.dims.add_scope(f'side {name}', side)
            sizes = {m: 1 for m in side.mesh + [x for new, _ in side.overlays for x in new]}
            self.ends[name] = End(side, f'side {name}', sizes, {}, self.dims)

    def run(self):
        for name, side in self.program.sides.items():
            for _, d in walk(side.items, 'decl'): self.guard(self.declaration, self.ends[name], d)
        for m in self.program.maps:
            for _, st in walk(m.items, 'stmt'): self.guard(self.statement, m, st)
            for flipped in (False, True): self.guard(self.producers, m, flipped)
            for name, mine in ((m.a, 'lefts'), (m.b, 'rights')): self.guard(self.mentions, m, name, mine)
        return self.errors

    def guard(self, f, *args):
        try: f(*args)
        except Wrong as e: self.errors.append(str(e))

    def declaration(self, end, d):
        if d.type is None: return
        axes = ax.numbered([end.resolve(a) for a in d.type])
        ax.check(axes, d.pattern.vars(), d.where, self.doubts)
        if d.stored is not None: Typed(end, axes, tuple(end.resolve(a) for a in d.stored), None, d)

    def mentions(self, m, name, mine):
        """A tensor that a side always has stands in some statement of each of its maps."""
        loose = lambda p: ''.join(re.escape(s[1]) if s[0] == 'text' else r'\d+' for s in p.segs)
        spelled = lambda p: ''.join(s[1] if s[0] == 'text' else '7' for s in p.segs)
        terms = [t.pattern for _, st in walk(m.items, 'stmt') for t in getattr(st, mine) if t.pattern]
        for outer, d in walk(self.program.sides[name].items, 'decl'):
            if outer or d.optional or d.tied or d.blocks: continue
            if not any(re.fullmatch(loose(t), spelled(d.pattern)) or re.fullmatch(loose(d.pattern), spelled(t)) for t in terms):
                raise Wrong(f'{d.where}: no statement of {m.where} names {d.pattern.text}')

    def producers(self, m, flipped):
        """One name made by two statements of which none stands under a condition, and read by none."""
        made, read = {}, set()
        for outer, st in walk(m.items, 'stmt'):
            if st.arrow != '<->' and (st.arrow == '<-') != flipped: continue
            ins, outs = (st.rights, st.lefts) if flipped else (st.lefts, st.rights)
            read |= {t.pattern for t in ins if t.pattern}
            if not outer:
                for t in outs: made.setdefault(t.pattern, []).append(st)
        for p, found in made.items():
            if p and len(found) > 1 and p not in read: raise Wrong(f'{found[1].where}: {p.text} is made twice, also at {found[0].where}')

    def types(self, side, terms):
        """[axes or None or 'piece'] per term; raises LookupError if a condition decides."""
        out = []
        for t in terms:
            if t.pattern is None: out.append('piece')
            elif t.type is not None: out.append(t.type)
            else:
                found = [d for _, d in walk(self.program.sides[side].items, 'decl') if d.pattern == t.pattern]
                if not found and len(terms) > 1 and not self.spelled(side, t): raise KeyError(t.pattern.text)
                if len(found) != 1: raise LookupError
                if found[0].type is None: raise LookupError
                out.append(found[0].type)
        return out

    def spelled(self, side, t):
        """Whether some other pattern of the side could spell the same names."""
        loose = lambda p: ''.join(re.escape(s[1]) if s[0] == 'text' else r'\d+' for s in p.segs)
        return any(re.fullmatch(loose(d.pattern), ''.join(s[1] if s[0] == 'text' else '7' for s in t.pattern.segs))
                   or re.fullmatch(loose(t.pattern), ''.join(s[1] if s[0] == 'text' else '7' for s in d.pattern.segs))
                   for _, d in walk(self.program.sides[side].items, 'decl'))

    def statement(self, m, st):
        mapping.check_static(st)
        if any(t.transposed for t in st.lefts + st.rights) or any(k in st.attrs for k in mapping.MOVING): return
        self.dtypes(m, st)
        if st.arrow == '<->' and any([t.pattern is None for t in x] == [True] for x in (st.lefts, st.rights)): raise Wrong(f'{st.where}: _ alone under <->')
        for nothing, made, side in ((st.lefts, st.rights, m.b), (st.rights, st.lefts, m.a)):
            if [t.pattern is None for t in nothing] == [True] and (st.arrow == '->') == (made is st.rights): self.created(side, st, made)
        if any([t.pattern is None for t in x] == [True] for x in (st.lefts, st.rights)): return
        if any(t.pattern and t.pattern.has('star') for t in st.lefts + st.rights): return
        try: lefts, rights = self.types(m.a, st.lefts), self.types(m.b, st.rights)
        except KeyError as e:
            if 'copy' in st.attrs: return
            raise Wrong(f'{st.where}: {e} is untyped in a list')
        except LookupError: return
        if 'copy' in st.attrs:
            for i in range(len(st.lefts if st.arrow == '<-' else st.rights)):
                if st.arrow == '<-': self.match(m, st, st.lefts[i:i + 1], lefts[i:i + 1], st.rights, rights)
                else: self.match(m, st, st.lefts, lefts, st.rights[i:i + 1], rights[i:i + 1])
        else: self.match(m, st, st.lefts, lefts, st.rights, rights)

    def created(self, side, st, made):
        for t in made:
            declared = any(d.pattern == t.pattern for _, d in walk(self.program.sides[side].items, 'decl'))
            if t.pattern and t.type is None and not declared and not self.spelled(side, t): raise Wrong(f'{st.where}: {t.pattern.text} is created without a type')

    def dtypes(self, m, st):
        if st.arrow != '<->': return
        found = set()
        for terms, side in ((st.lefts, m.a), (st.rights, m.b)):
            for t in terms:
                decls = [d for _, d in walk(self.program.sides[side].items, 'decl') if t.pattern and d.pattern == t.pattern]
                if t.dtype or (len(decls) == 1 and decls[0].dtype): found.add((side, t.dtype or decls[0].dtype))
        for side, d in found:
            for other, e in found:
                if side != other and d != e: raise Wrong(f'{st.where}: {d} and {e} under <->')

    def match(self, m, st, lefts, ltypes, rights, rtypes):
        a, b = self.pieces(m.a, st, lefts, ltypes), self.pieces(m.b, st, rights, rtypes)
        anys = [sum(1 for t in x if t != 'piece' for axis in t for _ in raw_anys(axis)) for x in (ltypes, rtypes)]
        if anys[0] != anys[1]: raise Wrong(f'{st.where}: {anys[0]} and {anys[1]} axes _')
        if len(a) != len(b): raise Wrong(f'{st.where}: {len(a)} pieces on one side, {len(b)} on the other')
        for x, y in zip(a, b):
            if x is not None and y is not None and x != y: raise Wrong(f'{st.where}: a piece has {sorted(x)} here and {sorted(y)} there')

    def pieces(self, side, st, terms, types):
        out, at = [], 0
        for t, type_ in zip(terms, types):
            if type_ == 'piece':
                out.append(None)
                continue
            axes = ax.numbered([self.ends[side].resolve(a) for a in type_], at)
            at += sum(1 for a in axes for _ in ax.find(a, ('any',)))
            names = list(dict.fromkeys(t.pattern.vars()))
            ax.check(axes, names, st.where, self.doubts)
            out += [set(ax.name_of(v) for v in variables) | set(names) for _, variables, _ in ax.product_pieces(axes)]
        return out


def raw_anys(node):
    if node[0] == 'any': yield node
    for k in node[1] if node[0] in ('prod', 'sum') else (node[1],) if node[0] in ('pad', 'cut') else (): yield from raw_anys(k)


def errors(program, doubts): return Checker(program, doubts).run()
