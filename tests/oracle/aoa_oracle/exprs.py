"""Values of expressions: extents (whole numbers, exact division), conditions, and scalars of optimizers (float64)."""
import math
from fractions import Fraction
from .errors import Unsure, Wrong


class Absent(Exception):
    """A configuration key is absent or null."""

    def __init__(self, path): self.path = path


def config_value(config, path):
    at = config
    for key in path:
        if not isinstance(at, dict) or at.get(key) is None: raise Absent('.'.join(path))
        at = at[key]
    return at


def extent(e, lookup, config, where):
    """A dimension. lookup(name) gives a number or raises Unknown."""
    try: return _extent(e, lookup, config, where)
    except Absent as a: raise Wrong(f'{where}: the configuration has no {a.path}')


def _extent(e, lookup, config, where):
    kind, again = e[0], lambda x: _extent(x, lookup, config, where)
    if kind == 'num':
        if not isinstance(e[1], int): raise Wrong(f'{where}: {e[1]} is no extent')
        return e[1]
    if kind == 'name': return lookup(e[1])
    if kind == 'config': return whole(config_value(config, e[1]), e[1], where)
    if kind == 'neg': return -again(e[1])
    if kind == 'else':
        try: return again(e[1])
        except Absent: return again(e[2])
    if kind == 'op': return arithmetic(e[1], again(e[2]), again(e[3]), where)
    if kind == 'call':
        if e[1] in ('max', 'min'): return (max if e[1] == 'max' else min)(again(e[2][0]), again(e[2][1]))
        if e[1] == 'ceil':
            a, b = again(e[2][0][2]), again(e[2][0][3])
            if b == 0: raise Wrong(f'{where}: division by zero')
            return -(-a // b)
    raise Wrong(f'{where}: this is no extent')


def whole(v, path, where):
    if isinstance(v, float) and v == int(v): raise Unsure(f'{where}: {v} as a dimension')
    if isinstance(v, bool) or not isinstance(v, int): raise Wrong(f'{where}: config.{".".join(path)} is {v!r}, no whole number')
    return v


def arithmetic(op, a, b, where):
    if op in '+-*': return a + b if op == '+' else a - b if op == '-' else a * b
    if b == 0: raise Wrong(f'{where}: division by zero')
    if op == '%': return a % b
    if a % b: raise Wrong(f'{where}: {a} / {b} leaves a remainder')
    return a // b


ABSENT = object()


def condition(e, lookup, config, where):
    """Truth of a condition. lookup(name) gives a dimension or mesh size or raises Unknown."""
    return truth(_value(e, lookup, config, where))


def truth(v): return not (v is ABSENT or v is None or v is False or v == 0 or v == '' or v == [] or v == {})


def _value(e, lookup, config, where):
    kind, again = e[0], lambda x: _value(x, lookup, config, where)
    if kind in ('num', 'str', 'bool'): return e[1]
    if kind == 'name': return lookup(e[1])
    if kind == 'config':
        try: return config_value(config, e[1])
        except Absent: return ABSENT
    if kind == 'not': return not truth(again(e[1]))
    if kind == 'and': return truth(again(e[1])) and truth(again(e[2]))
    if kind == 'or': return truth(again(e[1])) or truth(again(e[2]))
    if kind == 'cmp': return compare(e[1], again(e[2]), again(e[3]))
    if kind == 'else':
        left = again(e[1])
        return again(e[2]) if left is ABSENT else left
    operands = [again(x) for x in ((e[1],) if kind == 'neg' else e[2:] if kind == 'op' else e[2])]
    if any(x is ABSENT for x in operands): return ABSENT
    if any(isinstance(x, bool) or not isinstance(x, (int, float)) for x in operands): raise Unsure(f'{where}: arithmetic on {operands}')
    if kind == 'neg': return -operands[0]
    if kind == 'op' and e[1] == '/' and (operands[1] == 0 or Fraction(operands[0]) % Fraction(operands[1])):
        raise Unsure(f'{where}: a fraction in a condition')
    if kind == 'op':
        if all(isinstance(x, int) for x in operands): return arithmetic(e[1], *operands, where)
        return {'+': lambda a, b: a + b, '-': lambda a, b: a - b, '*': lambda a, b: a * b, '/': lambda a, b: a / b,
                '%': lambda a, b: a % b}[e[1]](*operands)
    if e[1] in ('max', 'min'): return (max if e[1] == 'max' else min)(*operands)
    raise Unsure(f'{where}: {e[1]} in a condition')


def compare(op, a, b):
    if a is ABSENT or b is ABSENT or a is None or b is None: return False
    if isinstance(a, bool) != isinstance(b, bool): raise Unsure('a comparison of a truth value and another')
    number = lambda x: isinstance(x, (int, float))
    if number(a) != number(b): return op == '!='
    if not number(a) and not isinstance(a, str):
        raise Unsure('a comparison of lists or objects')
    return {'==': a == b, '!=': a != b, '<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b}[op]


def real(e, lookup, config, where):
    """A scalar of an optimizer in float64. lookup(name) gives a float."""
    try: return _real(e, lookup, config, where)
    except Absent as a: raise Wrong(f'{where}: the configuration has no {a.path}')
    except (ValueError, ZeroDivisionError, OverflowError) as x: raise Wrong(f'{where}: {x}')


def _real(e, lookup, config, where):
    kind, again = e[0], lambda x: _real(x, lookup, config, where)
    if kind == 'num': return float(e[1])
    if kind == 'name': return lookup(e[1])
    if kind == 'config':
        v = config_value(config, e[1])
        if isinstance(v, bool) or not isinstance(v, (int, float)): raise Wrong(f'{where}: {v!r} is no number')
        return float(v)
    if kind == 'neg': return -again(e[1])
    if kind == 'else':
        try: return again(e[1])
        except Absent: return again(e[2])
    if kind == 'op':
        a, b = again(e[2]), again(e[3])
        return {'+': lambda: a + b, '-': lambda: a - b, '*': lambda: a * b, '/': lambda: a / b, '%': lambda: math.fmod(a, b)}[e[1]]()
    if kind == 'call':
        args = [again(x) for x in e[2]]
        if e[1] == 'pow': return args[0] ** args[1]
        if e[1] == 'log': return math.log(args[0])
        if e[1] == 'round': return float(round(args[0]))
        if e[1] == 'ceil': return float(math.ceil(args[0]))
        return (max if e[1] == 'max' else min)(args)
    raise Wrong(f'{where}: this is no number')
