"""Sides, declarations and statements of a random program, and their text."""
from .unparse import bare, type_text


class GTerm:
    """A tensor: name parts around its variables, axes (AST), dtype, modifiers. `pieces` are those of its type, names included."""

    def __init__(self, stem, names, axes, pieces):
        self.stem, self.names, self.axes, self.pieces = stem, names, axes, pieces
        self.dtype = self.stored = self.tied = self.blocks = None
        self.on_of = []                          # [(ends, mesh axis)]
        self.on, self.optional, self.mean, self.guard = (), False, False, None
        self.spelling, self.inline, self.quoted, self.untyped, self.group, self.number = {}, False, False, False, None, None

    def text(self):
        """The pattern as it stands in the rules."""
        if self.quoted: return '"' + self.stem + '"'
        return self.stem + self.rest()

    def rest(self):
        """What follows the stem: the variables, and a number made of an extent."""
        out = ''.join('.' + self.spelling.get(v, f'${v}') + f'.{v}0' for v in self.names)
        return out + (f'.${{={self.number}}}' if self.number else '')

    def type_part(self, naked=False):
        if self.axes is None or self.untyped: return f' : {self.dtype}' if self.dtype and not self.untyped else ''
        axes = [bare(a) for a in self.axes] if naked else self.axes
        out = ' ' + type_text(axes)
        if self.dtype: out += f' : {self.dtype}'
        if self.stored is not None and not naked: out += ' stored ' + type_text(self.stored)
        return out

    def declaration(self, naked=False):
        out = self.text()
        if self.blocks: out += f' blocks of {self.blocks[0].text()} [{" ".join(map(str, self.blocks[1]))}]'
        else: out += self.type_part(naked)
        if naked: return out + (' optional' if self.optional else '')
        if self.on: out += ' on ' + ', '.join(self.on)
        for ends, axis in self.on_of: out += f' on {", ".join(ends)} of {axis}'
        if self.optional: out += ' optional'
        if self.tied: out += f' tied {self.tied.text()}'
        if self.mean: out += ' replicas mean'
        if self.group: out += f' group {self.group}'
        return out

    def in_statement(self): return self.text() + (self.type_part() if self.inline else '')


PIECE = None


class Unit:
    """One statement with the tensors that it joins, and the block that encloses statement and declarations."""

    def __init__(self, lefts, rights):
        self.lefts, self.rights = lefts, rights
        self.attrs, self.one_way, self.wrap, self.pair, self.left_text, self.braces = [], False, None, False, None, False

    def listed(self, terms):
        """Tensors of one side; neighbours that differ in their stems only share a brace now and then."""
        out = []
        for t in terms:
            text = '_' if t is PIECE else t.in_statement()
            if out and t is not PIECE and out[-1][1] is not PIECE and self.braces and mergeable(out[-1][1], t) and not t.inline:
                stems = out[-1][2] + [t.stem]
                text = '{' + ','.join(stems) + '}' + t.rest()
                out[-1] = (text, t, stems)
            else: out.append((text, t, [] if t is PIECE else [t.stem]))
        return ', '.join(x[0] for x in out)

    def terms(self): return [t for t in self.lefts + self.rights if t is not PIECE]

    def statement(self, flipped):
        """The statement; flipped when the map names the target side first."""
        left, right = self.left_text or self.listed(self.lefts), self.listed(self.rights)
        alone = [PIECE] in (self.lefts, self.rights)
        arrow = '->' if self.one_way or alone else '<->'
        if flipped: left, right, arrow = right, left, {'->': '<-', '<->': '<->'}[arrow]
        return ', '.join([f'{left} {arrow} {right}'] + self.attrs)


def mergeable(a, b):
    """Whether two tensors may be written with one brace."""
    return not (a.quoted or b.quoted or a.inline or b.inline) and a.rest() == b.rest()


class GSide:
    def __init__(self, name):
        self.name, self.mesh, self.sizes, self.overlay, self.places = name, [], {}, None, []
        self.states, self.scalars, self.zero, self.dims, self.config, self.counts = [], [], None, [], [], {}
        self.braces = False
        self.loose = []                      # declarations of no unit

    def head(self, naked=False):
        out = ['format safetensors']
        if not naked:
            if self.mesh: out.append('mesh ' + ', '.join(self.mesh))
            if self.overlay: out.append(f'overlay {", ".join(self.overlay[0])} on {", ".join(self.overlay[1])}')
            out += [p.text() for p in self.places]
            if self.zero: out.append(f'zero {self.zero[0]} by {self.zero[1]}')
        if self.dims and not naked: out += ['dims {'] + ['  ' + d for d in self.dims] + ['}']
        if self.config and not naked: out += ['config {'] + ['  ' + d for d in self.config] + ['}']
        for role, template, dtype in self.states: out.append(f'state {role} "{template}"' + (f' : {dtype}' if dtype else ''))
        for role, template, expr in self.scalars: out.append(f'scalar {role} "{template}"' + (f' = {expr}' if expr and not naked else ''))
        return out

    def text(self, units, which, naked=False):
        """`which` takes a unit to its terms on this side."""
        lines = self.head(naked)
        for u in units:
            found = [t for t in which(u) if t is not PIECE and not t.inline and not t.untyped]
            body = self.declarations(found, naked)
            lines += wrapped(u.wrap, body, u.wrap and f'{u.wrap.dead} [{u.wrap.dead}d]') if body else []
        for t in self.loose: lines += self.guarded(t, naked) if not naked or not t.tied else []
        return 'side %s {\n' % self.name + ''.join(f'  {x}\n' for x in lines) + '}\n'

    def declarations(self, terms, naked):
        """Declarations of some tensors; neighbours of one type share a brace now and then."""
        out, last = [], None
        for t in terms:
            lines = self.guarded(t, naked)
            alike = last and self.braces and mergeable(last, t) and len(lines) == 1 and not (last.guard or last.tied or last.blocks or t.tied or t.blocks) \
                and last.declaration(naked)[len(last.text()):] == t.declaration(naked)[len(t.text()):]
            if alike:
                stems.append(t.stem)
                out[-1] = '{' + ','.join(stems) + '}' + t.declaration(naked)[len(t.stem):]
            else:
                out += lines
                stems = [t.stem]
            last = t
        return out

    def guarded(self, t, naked):
        """A declaration, or two of which a condition over mesh sizes chooses one."""
        if not t.guard or naked: return [t.declaration(naked)]
        cond, other = t.guard
        return [f'if {cond} {{', '  ' + t.declaration(), '} else {', '  ' + other, '}']


class GPlace:
    def __init__(self, var, axis, rule, local): self.var, self.axis, self.rule, self.local = var, axis, rule, local

    def text(self): return f'place {self.var} on {self.axis}{self.rule}{" numbered locally" if self.local else ""}'


class Wrap:
    """A `for` or `if` around a unit. An `if` may hold dead lines in its other branch, and may stand the other way round."""

    def __init__(self, opening, dead=None, dead_first=None): self.opening, self.dead, self.dead_first = opening, dead, dead_first

    def around(self, lines, dead):
        indent = lambda block: ['  ' + x for x in block]
        if self.dead_first: return [self.dead_first + ' {'] + indent([dead]) + ['} else {'] + indent(lines) + ['}']
        if self.dead: return [self.opening + ' {'] + indent(lines) + ['} else {'] + indent([dead]) + ['}']
        return [self.opening + ' {'] + indent(lines) + ['}']


def wrapped(wrap, lines, dead): return wrap.around(lines, dead) if wrap else lines


def map_text(a, b, units, flipped):
    """A map of side a to side b whose units go from a to b; flipped: it is written b <-> a."""
    lines = []
    for u in units: lines += wrapped(u.wrap, [u.statement(flipped)], u.wrap and f'{u.wrap.dead} <-> {u.wrap.dead}')
    names = (b, a) if flipped else (a, b)
    return 'map %s <-> %s {\n' % names + ''.join(f'  {x}\n' for x in lines) + '}\n'
