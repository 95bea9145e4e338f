"""What the parser makes of a rule file.

Axes and expressions are plain tuples, first the kind:

axes   ('name', n)  ('lit', n, k)  ('slot',)  ('any',)  ('prod', (a, ...))  ('sum', (a, ...))  ('pad', a, expr)
       ('cut', a, ((mesh axis, mode), ...))            mode: even, ceil, front
exprs  ('num', x)  ('str', s)  ('bool', b)  ('name', n)  ('config', (key, ...))  ('call', f, (e, ...))  ('neg', e)
       ('op', o, a, b)  ('else', a, b)  ('cmp', o, a, b)  ('and', a, b)  ('or', a, b)  ('not', a)
"""
from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(frozen=True)
class Pattern:
    """A tensor name. Segments: ('text', s), ('var', name, offset, width), ('expr', e), ('star',)."""
    segs: tuple
    text: str = field(compare=False)

    def vars(self): return [s[1] for s in self.segs if s[0] == 'var']

    def has(self, kind): return any(s[0] == kind for s in self.segs)


@dataclass
class Term:
    """One tensor of a statement; pattern None is `_`."""
    pattern: Optional[Pattern]
    transposed: bool = False
    type: Optional[tuple] = None
    stored: Optional[tuple] = None
    dtype: Optional[str] = None


@dataclass
class Statement:
    lefts: list
    arrow: str
    rights: list
    attrs: dict
    where: str


@dataclass
class Decl:
    """One declared tensor of a side, braces expanded."""
    pattern: Pattern
    type: Optional[tuple]
    stored: Optional[tuple]
    dtype: Optional[str]
    where: str
    on: tuple = ()
    optional: bool = False
    tied: Optional[Pattern] = None
    mean: bool = False
    blocks: Optional[tuple] = None            # (pattern, (sizes))
    group: Optional[str] = None


@dataclass
class Place:
    var: str
    axis: str
    rule: str = 'even'                        # even, interleave, by, first, last
    arg: Any = None
    local: bool = False
    where: str = ''


@dataclass
class Equation:
    name: str
    kind: str                                 # '=', '?=', 'alias', 'value'
    body: Any
    where: str


# Blocks of sides and maps hold items: ('decl', Decl) ('stmt', Statement) ('for', var, lo, hi, items)
# ('if', ((cond, items), ...), else items or None)


@dataclass
class Side:
    name: str
    format: Optional[str] = None
    mesh: list = field(default_factory=list)
    overlays: list = field(default_factory=list)     # (new axes, old axes)
    places: list = field(default_factory=list)
    items: list = field(default_factory=list)
    states: list = field(default_factory=list)       # (role, template, dtype)
    scalars: list = field(default_factory=list)      # (role, template, expr or None)
    zero: Optional[tuple] = None                     # (axis, how)
    dims: list = field(default_factory=list)
    config: list = field(default_factory=list)       # (key path, name)
    removes: list = field(default_factory=list)      # (pattern, where)
    where: str = ''


@dataclass
class Map:
    a: str
    b: str
    items: list
    where: str


@dataclass
class File:
    dims: list = field(default_factory=list)
    sides: dict = field(default_factory=dict)
    maps: list = field(default_factory=list)
    imports: list = field(default_factory=list)
    default: dict = field(default_factory=dict)      # 'from' / 'to' -> (side, path)


def walk(items, kind, outer=()):
    """Yields (enclosing blocks, thing) for every declaration or statement, in order; a branch is ('if', i-th, node)."""
    for it in items:
        if it[0] == kind: yield outer, it[1]
        elif it[0] == 'for': yield from walk(it[4], kind, outer + (it,))
        elif it[0] == 'if':
            for i, (_, body) in enumerate(it[1]): yield from walk(body, kind, outer + (('if', i, it),))
            if it[2] is not None: yield from walk(it[2], kind, outer + (('if', len(it[1]), it),))
