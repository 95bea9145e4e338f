"""Parser of expressions and conditions, and of axis types. They share the scanner with the rest of the parser."""
from .errors import Unsure
from .scanner import INTEGER, NUMBER

MODES = ('ceil', 'front')


def expression(s):
    """`else` binds weakest: everything to its right is the replacement."""
    left = additive(s)
    if s.word('else'): return ('else', left, expression(s))
    return left


def additive(s):
    left = multiplicative(s)
    while True:
        if s.peek('->'): return left
        for op in '+-':
            if s.take(op):
                left = ('op', op, left, multiplicative(s))
                break
        else: return left


def multiplicative(s):
    left = unary(s)
    while True:
        for op in '*/%':
            if s.take(op):
                left = ('op', op, left, unary(s))
                break
        else: return left


def unary(s):
    if s.take('-'): return ('neg', unary(s))
    return primary(s)


def primary(s):
    if s.peek('('):
        s.open('(')
        inner = condition(s)
        s.close(')')
        return inner
    if s.peek('"'): return ('str', s.string())
    text = s.accept(NUMBER)
    if text is not None: return ('num', int(text) if text.isdigit() else float(text))
    name = s.ident('a number, a name or a parenthesis')
    if name == 'config': return config_key(s)
    if name in ('true', 'false'): return ('bool', name == 'true')
    if s.text.startswith('(', s.pos): return call(s, name)
    return ('name', name)


def config_key(s):
    keys = []
    while s.text.startswith('.', s.pos):
        s.pos += 1
        keys.append(s.ident('a key'))
    if not keys: s.fail('config needs a key')
    return ('config', tuple(keys))


def call(s, name):
    if name not in ('max', 'min', 'ceil', 'pow', 'log', 'round'): s.fail(f'unknown function {name}')
    s.open('(')
    args = [expression(s)]
    while s.take(','): args.append(expression(s))
    s.close(')')
    if len(args) != {'max': 2, 'min': 2, 'pow': 2}.get(name, 1): s.fail(f'{name} of {len(args)} arguments')
    if name == 'ceil' and args[0][:2] != ('op', '/'): s.fail('ceil wants a quotient')
    return ('call', name, tuple(args))


def condition(s):
    left = conjunction(s)
    while s.word('or'): left = ('or', left, conjunction(s))
    return left


def conjunction(s):
    left = negation(s)
    while s.word('and'): left = ('and', left, negation(s))
    return left


def negation(s):
    if s.word('not'): return ('not', negation(s))
    left = expression(s)
    for op in ('==', '!=', '<=', '>='):
        if s.take(op): return ('cmp', op, left, expression(s))
    if not s.peek('<-') and s.take('<'): return ('cmp', '<', left, expression(s))
    if s.take('>'): return ('cmp', '>', left, expression(s))
    return left


# -- axis types -----------------------------------------------------------------------------------------------------


def type_list(s):
    """`[axis ...]`; the opening bracket stands here."""
    s.open('[')
    out = []
    while not s.peek(']'): out.append(axis(s))
    s.close(']')
    return tuple(out)


def axis_sum(s):
    """What may stand in parentheses: products joined by +."""
    parts = [axis_product(s)]
    while s.take('+'): parts.append(axis_product(s))
    return parts[0] if len(parts) == 1 else ('sum', tuple(parts))


def axis_product(s):
    factors = [axis(s)]
    while not any(s.peek(c) for c in ')],+'): factors.append(axis(s))
    return factors[0] if len(factors) == 1 else ('prod', tuple(factors))


def axis(s):
    node = axis_primary(s)
    while s.take('@'):
        if node[0] == 'cut': raise Unsure('a cut of a cut')
        node = ('cut', node, cut_axes(s))
    return node


def cut_axes(s):
    names = [s.ident('a mesh axis')]
    while s.text.startswith('.', s.pos):
        s.pos += 1
        names.append(s.ident('a mesh axis'))
    mode = 'even'
    if s.take('~'):
        mode = s.ident('ceil or front')
        if mode not in MODES: s.fail(f'unknown rounding {mode}: ceil or front')
    return tuple((n, mode) for n in names)


def axis_primary(s):
    if s.peek('('):
        s.open('(')
        node = axis_sum(s)
        s.close(')')
        return node
    number = s.accept(INTEGER)
    if number is not None:
        if number != '1': s.fail(f'{number} is no axis')
        return ('slot',)
    name = s.ident('an axis')
    if name == '_': return ('any',)
    if name == 'pad' and s.peek('('):
        s.open('(')
        inner = axis_sum(s)
        s.need(',')
        multiple = expression(s)
        s.close(')')
        return ('pad', inner, multiple)
    if s.take(':'):
        extent = s.accept(INTEGER)
        if extent is None: s.fail('a literal axis needs a number')
        if int(extent) == 0: raise Unsure(f'{name}:0')
        return ('lit', name, int(extent))
    return ('name', name)
