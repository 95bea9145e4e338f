"""Tensor names: brace expansion, the segments of a pattern, spelling a member and matching one."""
import re
from .ast import Pattern
from .errors import Unsure
from .exprparse import expression
from .scanner import Scanner

VAR = re.compile(r'([A-Za-z_]\w*)([+-]\d+)?(?::0(\d+))?$')


def expand_braces(raw):
    """Like a shell, left to right; `${...}` is no group."""
    at = 0
    while at < len(raw):
        if raw[at] == '$' and raw.startswith('{', at + 1): at = raw.index('}', at) + 1; continue
        if raw[at] == '{':
            end, parts = _group(raw, at)
            return [raw[:at] + p + rest for part in parts for p in expand_braces(part) for rest in expand_braces(raw[end:])]
        at += 1
    return [raw]


def _group(raw, at):
    parts, depth, start, i = [], 0, at + 1, at
    while True:
        c = raw[i]
        if c == '$' and raw.startswith('{', i + 1): i = raw.index('}', i) + 1; continue
        if c == '{': depth += 1
        if c == '}': depth -= 1
        if depth == 0 or (depth == 1 and c == ','):
            parts.append(raw[start:i])
            start = i + 1
        i += 1
        if depth == 0: return i, parts


def pattern(raw, s):
    """The segments of a brace-free bare name."""
    segs = []
    for m in re.finditer(r'\$\{([^}]*)\}|\$([A-Za-z_]\w*)|(\*)|([^$*]+)', raw):
        if m.group(1) is not None: segs.append(_braced(m.group(1), s))
        elif m.group(2): segs.append(('var', m.group(2), 0, 0))
        elif m.group(3): segs.append(('star',))
        else: segs.append(('text', m.group(4)))
    return Pattern(tuple(segs), raw)


def _braced(text, s):
    if text.startswith('='):
        sub = Scanner(text[1:], s.file)
        out = expression(sub)
        if not sub.at_end(): s.fail(f'unexpected text in ${{{text}}}')
        return ('expr', out)
    m = VAR.match(text)
    if not m and re.match(r'[A-Za-z_]\w*([+-]\d+)?:', text): raise Unsure(f'${{{text}}}')
    if not m: s.fail(f'${{{text}}} is no variable')
    return ('var', m.group(1), int(m.group(2) or 0), int(m.group(3) or 0))


def literal(text):
    return Pattern((('text', text),) if text else (), text)


def spell(pat, values, number=lambda e: None):
    """The name of a member; values: variable -> number, number(expr) evaluates an extent."""
    out = ''
    for seg in pat.segs:
        if seg[0] == 'text': out += seg[1]
        elif seg[0] == 'var': out += str(values[seg[1]] + seg[2]).zfill(seg[3])
        elif seg[0] == 'expr': out += str(number(seg[1]))
        else: out += '*'
    return out


def matcher(pat, number=None):
    """A function from a name to {variable: number} or None. number(expr) may return None: no match then."""
    regex, groups = '', []
    for seg in pat.segs:
        if seg[0] == 'text': regex += re.escape(seg[1])
        elif seg[0] == 'star': regex += r'\d+'
        elif seg[0] == 'expr':
            n = number(seg[1]) if number else None
            if n is None: return lambda name: None
            regex += str(n)
        else:
            regex += r'(\d+)'
            groups.append(seg)
    compiled = re.compile(regex + r'\Z')

    def match(name):
        m = compiled.match(name)
        if not m: return None
        values = {}
        for seg, text in zip(groups, m.groups()):
            n = int(text) - seg[2]
            if n < 0 or text != str(int(text)).zfill(max(seg[3], 1)): return None
            if values.setdefault(seg[1], n) != n: return None
        return values
    return match
