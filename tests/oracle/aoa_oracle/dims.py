"""Extents of dimensions: who may say them, and the search for those that only shapes and names give.

A dimension is a key (scope, name); scope '' is the file, others are the ends of a run whose side (or -D from./to.) declares
the name itself. Sources are asked in turn until nothing new comes: -D, equations, configuration, shapes (each axis solved for
its last unknown), then names, at last defaults. Two that disagree are wrong, whoever says it first.
"""
from . import axes as ax, exprs
from .errors import Unknown, Wrong

SEARCH = 2000            # how far an equation is searched backwards


class Dims:
    def __init__(self, program, config, doubts):
        self.config, self.doubts = config, doubts
        self.equations = [('', e) for e in program.dims]
        self.locals, self.known, self.origin, self.overridden = {'': {e.name for e in program.dims}}, {}, {}, set()
        self.waiting, self.late = None, set()         # late: what only names or defaults say

    # -- scopes -------------------------------------------------------------------------------------------------------

    def add_scope(self, label, side, extra=()):
        self.locals[label] = {e.name for e in side.dims} | set(extra)
        self.equations += [(label, e) for e in side.dims]

    def key(self, label, name): return (label, name) if name in self.locals.get(label, ()) else ('', name)

    def mentioned(self, label, name): return self.key(label, name) in self.known or name in self.locals[''] | self.locals.get(label, set())

    def alias(self, label, name):
        """(scope of the alias, axis) if a name stands for an axis."""
        scope = self.key(label, name)[0]
        for s, e in self.equations:
            if s == scope and e.name == name and e.kind == 'alias':
                if s != label:
                    for f in names_in(e.body):
                        if self.key(label, f)[0] != s: self.doubts.note(f'alias {name} of names that a side hides')
                return s, e.body
        return None

    # -- values -------------------------------------------------------------------------------------------------------

    def say(self, key, value, why):
        if value < 0: raise Wrong(f'{key[1]} is {value} ({why})')
        if key in self.known:
            if self.known[key] != value: raise Wrong(f'{key[1]} is {self.known[key]} ({self.origin[key]}) and {value} ({why})')
            return False
        self.known[key], self.origin[key] = value, why
        return True

    def value(self, key):
        if key in self.known: return self.known[key]
        alias = self.alias(key[0], key[1])
        if alias: return self.product(alias[0], alias[1])
        raise Unknown(key)

    def product(self, scope, node):
        """The extent of an axis of an alias."""
        if node[0] == 'name': return self.value(self.key(scope, node[1]))
        if node[0] == 'lit': return node[2]
        if node[0] == 'slot': return 1
        if node[0] == 'sum': return sum(self.product(scope, k) for k in node[1])
        if node[0] == 'prod':
            out = 1
            for k in node[1]: out *= self.product(scope, k)
            return out
        raise Wrong('an alias of padding, cuts or unknown axes')

    def evaluate(self, scope, e, where, value=None):
        return exprs.extent(e, lambda n: (value or self.value)(self.key(scope, n)), self.config, where)

    # -- equations ----------------------------------------------------------------------------------------------------

    def forward(self):
        """Every equation whose right side is known says its name. True if something new was said."""
        new = False
        for scope, e in self.equations:
            if e.kind in ('?=', 'value'): continue
            key = (scope, e.name)
            try: v = self.product(scope, e.body) if e.kind == 'alias' else self.evaluate(scope, e.body, e.where)
            except Unknown: continue
            if e.kind == 'alias':
                if key in self.known: self.say(key, v, e.where)
            else: new |= self.say(key, v, e.where)
        return new

    def backward(self):
        """Equations solved for their last unknown: the contract only promises this for axes, so it leaves a doubt."""
        for scope, e in self.equations:
            key = (scope, e.name)
            if e.kind in ('?=', 'value') or key not in self.known: continue
            try: unknown = self._single_unknown(scope, e)
            except Unknown: continue
            if unknown is None: continue
            fits = [x for x in range(SEARCH) if self._holds(scope, e, unknown, x)]
            if len(fits) == 1:
                self.doubts.note(f'{unknown[1]} follows only by solving an equation')
                return self.say(unknown, fits[0], e.where)
        return False

    def _single_unknown(self, scope, e):
        probe = []

        def value(key):
            try: return self.value(key)
            except Unknown as u:
                if u.key not in probe: probe.append(u.key)
                return 1
        try: self._eval(scope, e, value)
        except Wrong: pass
        return probe[0] if len(probe) == 1 else None

    def _eval(self, scope, e, value):
        if e.kind != 'alias': return self.evaluate(scope, e.body, e.where, value)
        out = 1
        for k in names_in(e.body): out *= value(self.key(scope, k))
        return out

    def _holds(self, scope, e, unknown, x):
        def value(key): return x if key == unknown else self.value(key)
        try: return self._eval(scope, e, value) == self.known[(scope, e.name)]
        except (Wrong, Unknown): return False

    def defaults(self):
        new = [(s, e) for s, e in self.equations if e.kind == '?=' and (s, e.name) not in self.known]
        left = {(s, e.name) for s, e in new}
        if self.waiting is not None and self.waiting - left: self.doubts.note('one default gives another one a value')
        for scope, e in new:
            try: said = self.say((scope, e.name), self.evaluate(scope, e.body, e.where), e.where)
            except Unknown: continue
            self.waiting = left - {(scope, e.name)}
            self.late.add((scope, e.name))
            return said
        return False


def names_in(node):
    if node[0] == 'name': return [node[1]]
    kids = node[1] if node[0] in ('prod', 'sum') else (node[1],) if node[0] in ('pad', 'cut') else ()
    return [n for k in kids for n in names_in(k)]


# -- shapes ---------------------------------------------------------------------------------------------------------


class Fact:
    """The shapes of one tensor on the ranks that hold it, against its type."""

    def __init__(self, axes, end, shapes, label):
        self.axes, self.end, self.shapes, self.label = axes, end, shapes, label
        for _, s in shapes:
            if len(s) != len(axes): raise Wrong(f'{label} has {len(s)} axes, its type {len(axes)}')

    def unknowns(self, axis):
        """Unknown keys of an axis, or None if one of them is padded or a multiple."""
        out, hidden = set(), []

        def value(key):
            try: return self.end.value(key)
            except Unknown as u:
                out.add(u.key)
                return 1
        for node in ax.find(axis, ('var',)): value(node[2])
        for node in ax.find(axis, ('pad',)):
            before = set(out)
            inner = {n[2] for n in ax.find(node[1], ('var',))}
            try: self.end.extent(node[2], value)
            except Wrong: pass
            hidden += [k for k in out if k in inner or k not in before]
        return None if hidden else out

    def solve(self):
        """Says what an axis with one unknown fixes."""
        new = False
        for i, axis in enumerate(self.axes):
            if any(True for _ in ax.find(axis, ('any',))): continue
            unknown = self.unknowns(axis)
            if unknown is None or len(unknown) != 1: continue
            key, = unknown
            fits = self.fitting(axis, i, key)
            if fits is None: continue
            if not fits: raise Wrong(f'{self.label}: no {key[1]} fits axis {i} of {self.shapes[0][1]}')
            if len(fits) == 1: new |= self.end.dims.say(key, fits[0], f'axis {i} of {self.label}')
        return new

    def fitting(self, axis, i, key):
        factor = 1
        for node in ax.find(axis, ('cut',)):
            for m, _ in node[2]: factor *= self.end.sizes[m]
        for node in ax.find(axis, ('dealt',)): factor *= self.end.sizes[node[2].axis]
        out = []
        for x in range(max(s[i] for _, s in self.shapes) * factor + factor + 1):
            q = ax.Query(lambda k: x if k == key else self.end.value(k), self.end)
            try:
                if all(ax.extent(axis, q.at(c)) == s[i] for c, s in self.shapes): out.append(x)
            except Unknown: return None
            except Wrong: continue
        return out

    def verify(self):
        for i, axis in enumerate(self.axes):
            if any(True for _ in ax.find(axis, ('any',))): continue
            for coords, s in self.shapes:
                try: n = ax.extent(axis, ax.Query(self.end.value, self.end, coords))
                except Unknown as u:
                    self.end.dims.doubts.note(f'nothing fixes {u.key[1]}, and perhaps nobody asks')
                    continue
                if n != s[i]: raise Wrong(f'{self.label}: axis {i} is {s[i]}, its type says {n}')


def solve(dims, facts, families):
    """facts() -> [Fact]; families(unknown keys only) -> [(key, extent, why)], both for what is active by now."""
    while True:
        if dims.forward(): continue
        if any([f.solve() for f in facts()]): continue
        found = families()
        dims.late |= {x[0] for x in found}
        if any([dims.say(*x) for x in found]): continue
        if dims.backward(): continue
        if dims.defaults(): continue
        break
    for f in facts(): f.verify()
