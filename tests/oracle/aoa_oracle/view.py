"""A side at one end of a run: which declarations are active, what a name's type is, which numbers its variables take."""
import itertools
from . import axes as ax, names
from .errors import Unknown, Wrong


def active(items, kind, end, doubts=None):
    """([(thing, enclosing fors)], pending): what conditions let through; pending if one of them is not decided yet."""
    out, pending = [], False
    for it in items:
        if it[0] == kind: out.append((it[1], ()))
        elif it[0] == 'for':
            inner, p = active(it[4], kind, end)
            out += [(x, (it[1:4],) + f) for x, f in inner]
            pending |= p
        elif it[0] == 'if':
            chosen = it[2] or []
            for cond, body in it[1]:
                try: hit = end.condition(cond)
                except Unknown:
                    pending, chosen = True, []
                    break
                if hit:
                    chosen = body
                    break
            inner, p = active(chosen, kind, end)
            out += inner
            pending |= p
    return out, pending


class Typed:
    """The type of one tensor at one end, resolved; axes None: untyped."""

    def __init__(self, end, axes, stored, dtype, decl):
        self.end, self.axes, self.dtype, self.decl = end, axes, dtype, decl
        self.stored = ax.stored_axes(stored, axes) if stored is not None else None

    def query(self, coords=None, anys=None): return ax.Query(self.end.value, self.end, coords, anys)

    def file_axes(self): return self.stored if self.stored is not None else self.axes

    def stripped(self): return Typed(self.end, tuple(ax.strip(a) for a in self.axes), None, None, self.decl)


class Member:
    """One tensor of the whole model: a pattern with numbers for its variables."""

    def __init__(self, pattern, values, name, decl): self.pattern, self.values, self.name, self.decl = pattern, values, name, decl


class View:
    def __init__(self, end, doubts):
        self.end, self.doubts, self.types = end, doubts, {}
        self.refresh()

    def refresh(self):
        """Decides again which declarations are active; the dimensions known by now may have grown."""
        self.decls, self.pending = active(self.end.side.items, 'decl', self.end)

    def number(self, e):
        try: return self.end.extent(e)
        except Unknown: return None

    # -- types --------------------------------------------------------------------------------------------------------

    def resolve(self, type_, stored, dtype, decl):
        r = lambda axes: ax.numbered([self.end.resolve(a) for a in axes])
        if type_ is None: return Typed(self.end, None, None, dtype, decl)
        return Typed(self.end, r(type_), r(stored) if stored is not None else None, dtype, decl)

    def decl_type(self, d):
        if id(d) not in self.types:
            t = self.types[id(d)] = self.resolve(d.type, d.stored, d.dtype, d)
            if t.axes is not None:
                ax.check(t.axes, d.pattern.vars(), d.where, self.doubts)
                self.note_overlays(d, t.axes)
        return self.types[id(d)]

    def note_overlays(self, d, axes):
        """A cut by an overlay axis beside a cut or a placement by an axis that it covers: the contract is silent."""
        end = self.end
        fixed = [end.placements[v].axis for v in d.pattern.vars() if v in end.placements]
        fixed += [axis or end.side.places[0].axis for _, axis in d.on if axis or end.side.places]
        for _, _, marked in ax.product_pieces(axes):
            cuts = [m.replace('dealt ', '') for m in marked]
            seen = [m for c in cuts + fixed for m in end.physical(c)]
            if len(set(seen)) < len(seen) and any(end.physical(c) != {c} for c in cuts): self.doubts.note(f'{d.pattern.text}: an overlay axis beside one that it covers')

    # -- members ------------------------------------------------------------------------------------------------------

    def range(self, var, fors):
        """The numbers of a name variable under some fors; Unknown if nothing says."""
        own = [f for f in fors if f[0] == var]
        if len(own) > 1: self.doubts.note(f'{var} is restricted twice')
        if not own: return range(self.end.value(self.end.key(var)))
        low, high = self.end.extent(own[-1][1]), self.end.extent(own[-1][2])
        try:
            if high > self.end.value(self.end.key(var)): self.doubts.note(f'{var} ranges beyond its extent')
        except Unknown: pass
        if low > high: self.doubts.note(f'{var} ranges backwards')
        return range(low, high)

    def members(self, d, fors):
        variables = list(dict.fromkeys(d.pattern.vars()))
        for combo in itertools.product(*[self.range(v, fors) for v in variables]):
            values = dict(zip(variables, combo))
            name = names.spell(d.pattern, values, self.end.extent)
            yield Member(d.pattern, values, name, d)

    def all_members(self):
        """{name: Member} of every active declaration, in declared order. Two of one name are wrong."""
        out = {}
        for d, fors in self.decls:
            try:
                for m in self.members(d, fors):
                    if m.name in out: raise Wrong(f'{d.where}: {m.name} is declared twice')
                    out[m.name] = m
            except Unknown:
                if not d.optional: raise
                self.doubts.note(f'{d.pattern.text}: an optional family of unknown extent')
        return out

    def members_by_name(self): return self.all_members()

    def in_range(self, values, fors):
        try: return all(n in self.range(v, fors) for v, n in values.items())
        except Unknown: return True

    def declared(self, pattern, values, name):
        """The declaration of a member: that of the same pattern, else one that spells its whole name."""
        for d, fors in self.decls:
            if d.pattern == pattern:
                if self.in_range(values, fors): return Member(pattern, values, name, d)
                self.doubts.note(f'{name} is outside the range that its side declares')
        for d, fors in self.decls:
            found = names.matcher(d.pattern, self.number)(name)
            if found is not None and self.in_range(found, fors): return Member(d.pattern, found, name, d)
        return None

    def candidates(self, name):
        """Declarations (with fors and values) that could spell a file's name by now."""
        out = []
        for d, fors in self.decls:
            found = names.matcher(d.pattern, self.number)(name)
            if found is not None: out.append((d, fors, found))
        return out
