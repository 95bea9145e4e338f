"""Typing of a statement: both lists of pieces, matched one by one."""
from . import axes as ax
from .errors import Unsure, Wrong


class Plan:
    """Which piece of which source term every piece of a target term is."""

    def __init__(self, lowered, in_types, out_types):
        self.lowered, self.doubts = lowered, lowered.run.doubts
        self.in_types, self.out_types = self.renumber(in_types), self.renumber(out_types)
        self.in_vars = [list(dict.fromkeys(t.pattern.vars())) if t.pattern is not None else [] for t in lowered.ins]
        counts = [sum(1 for t in types if t is not None for a in t.axes for _ in ax.find(a, ('any',))) for types in (in_types, out_types)]
        if counts[0] != counts[1] and all(t.pattern is not None for t in lowered.ins + lowered.outs):
            raise Wrong(f'{lowered.where}: {counts[0]} and {counts[1]} axes _')
        self.in_piece_vars, self.matches, self.readers = {}, {}, {}
        self.match(self.pieces(lowered.ins, self.in_types), self.pieces(lowered.outs, self.out_types))

    def renumber(self, types):
        """`_` axes count over all tensors of one side."""
        from .view import Typed
        out, at = [], 0
        for t in types:
            if t is not None:
                u = Typed(t.end, ax.numbered(t.axes, at), None, t.dtype, t.decl)
                u.stored = t.stored
                at += sum(1 for a in t.axes for _ in ax.find(a, ('any',)))
                t = u
            out.append(t)
        return out

    def pieces(self, terms, types):
        """[(term, path, {variable: extent or None}, node by name)]; a term `_` is one piece without variables."""
        out = []
        for k, (term, typed) in enumerate(zip(terms, types)):
            if term.pattern is None:
                out.append((k, None, None, None))
                continue
            where, names = self.lowered.where, list(dict.fromkeys(term.pattern.vars()))
            ax.check(typed.axes, names, where, self.doubts)
            for path, variables, _ in ax.product_pieces(typed.axes):
                found = {}
                for v in variables: found[ax.name_of(v)] = None if v[0] == 'any' else ax.extent(v, typed.query())
                for n in names:
                    found[n] = len(self.lowered.numbers(n))
                out.append((k, path, found, {ax.name_of(v): v for v in variables}))
        return out

    def match(self, ins, outs):
        where = self.lowered.where
        if len(ins) != len(outs): raise Wrong(f'{where}: {len(ins)} pieces on one side, {len(outs)} on the other')
        for (k, path, a, na), (j, path2, b, nb) in zip(ins, outs):
            if a is None and b is None: raise Unsure(f'{where}: _ against _')
            if a is not None: self.in_piece_vars[(k, path)] = [n for n in na]
            if b is None: continue
            if a is None:
                self.matches[(j, path2)] = None
                continue
            if set(a) != set(b): raise Wrong(f'{where}: a piece has variables {sorted(a)} here and {sorted(b)} there')
            for n in a:
                if a[n] is not None and b[n] is not None and a[n] != b[n]: raise Wrong(f'{where}: {n} is {a[n]} here and {b[n]} there')
                self.check_variable(n, na.get(n), nb.get(n))
            self.matches[(j, path2)] = (k, path)
            self.readers.setdefault(j, set()).add(k)

    def check_variable(self, n, left, right):
        if (left is None) != (right is None) and self.lowered.restricted(n):
            raise Unsure(f'{self.lowered.where}: {n} is restricted and an axis')
        if left and right and left[0] != right[0]: self.doubts.note(f'{n} is a literal and a dimension')

    def pieces_of(self, j):
        return {path: m for (k, path), m in self.matches.items() if k == j}
