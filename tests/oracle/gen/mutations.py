"""Single mutations of a case: of its rules, its command line or its source. Each takes (rng, Case) and gives (Case, what) or None."""
import re
from .case import Case
from ..aoa_oracle.dtypes import SPELLING, WIDTH
from ..aoa_oracle.tensorfile import Tensor, serialise

IDENT = r'[A-Za-z_][A-Za-z0-9_]*'


def with_rules(case, text): return Case(text, case.command, case.sources, case.files)


def pick(rng, pattern, text):
    """A random match outside comments."""
    found = [m for m in re.finditer(pattern, text) if '#' not in text[text.rfind('\n', 0, m.start()) + 1:m.start()]]
    return rng.choice(found) if found else None


def replace(text, span, new): return text[:span[0]] + new + text[span[1]:]


def rules_lines(text): return [i for i, x in enumerate(text.split('\n')) if x.strip() and not x.strip().startswith('#')]


# -- types ----------------------------------------------------------------------------------------------------------


def a_type(rng, text): return pick(rng, r'\[[^\[\]\n]*[A-Za-z][^\[\]\n]*\]', text)


def swap_variables(rng, case):
    m = a_type(rng, case.rules)
    if not m: return None
    names = list(re.finditer(IDENT, m.group()))
    if len(names) < 2: return None
    a, b = sorted(rng.sample(range(len(names)), 2))
    t = m.group()
    new = t[:names[a].start()] + names[b].group() + t[names[a].end():names[b].start()] + names[a].group() + t[names[b].end():]
    return with_rules(case, replace(case.rules, m.span(), new)), f'{t} becomes {new}'


def swap_axes(rng, case):
    """Two factors, whole, change places."""
    m = a_type(rng, case.rules)
    if not m: return None
    parts = m.group()[1:-1].split(' ')
    if len(parts) < 2: return None
    i = rng.randrange(len(parts) - 1)
    parts[i], parts[i + 1] = parts[i + 1], parts[i]
    new = '[' + ' '.join(parts) + ']'
    return with_rules(case, replace(case.rules, m.span(), new)), f'{m.group()} becomes {new}'


def other_variable(rng, case):
    m = a_type(rng, case.rules)
    if not m: return None
    name = rng.choice(list(re.finditer(IDENT, m.group())))
    others = sorted({x for t in re.findall(r'\[[^\[\]\n]*\]', case.rules) for x in re.findall(IDENT, t)} - {name.group()})
    new_name = rng.choice(others + [name.group() + 'x'])
    at = m.start() + name.start()
    return with_rules(case, replace(case.rules, (at, at + len(name.group())), new_name)), f'{name.group()} becomes {new_name} in {m.group()}'


def drop_variable(rng, case):
    m = a_type(rng, case.rules)
    if not m: return None
    name = rng.choice(list(re.finditer(rf'{IDENT} |1 ', m.group())) or [None])
    if name is None: return None
    at = m.start() + name.start()
    return with_rules(case, replace(case.rules, (at, at + len(name.group())), '')), f'{name.group()}leaves {m.group()}'


def change_operator(rng, case):
    m = a_type(rng, case.rules)
    if not m or ' + ' not in m.group(): return None
    at = rng.choice([x.start() for x in re.finditer(r' \+ ', m.group())]) + m.start()
    return with_rules(case, replace(case.rules, (at, at + 3), ' ')), f'a + leaves {m.group()}'


def drop_cut(rng, case):
    m = pick(rng, r'@[\w.]+(~\w+)?', case.rules)
    return m and (with_rules(case, replace(case.rules, m.span(), '')), f'{m.group()} is gone')


def add_cut(rng, case):
    axes = re.findall(r'\n\s*mesh ([^\n#]*)', case.rules)
    m = a_type(rng, case.rules)
    if not m or not axes: return None
    name = rng.choice(list(re.finditer(rf'{IDENT}|\)', m.group())))
    cut = '@' + rng.choice(re.findall(IDENT, ','.join(axes)))
    at = m.start() + name.end()
    return with_rules(case, replace(case.rules, (at, at), cut)), f'{cut} in {m.group()}'


def other_mesh_axis(rng, case):
    axes = sorted(set(re.findall(IDENT, ','.join(re.findall(r'\n\s*(?:mesh|overlay) ([^\n#]*)', case.rules)))) - {'on'})
    m = pick(rng, rf'@({IDENT})', case.rules)
    if not m or not axes: return None
    new = rng.choice(axes + ['qq'])
    return (with_rules(case, replace(case.rules, m.span(1), new)), f'@{m.group(1)} becomes @{new}') if new != m.group(1) else None


def change_mode(rng, case):
    m = pick(rng, rf'@{IDENT}(~ceil|~front)?(?![\w.~])', case.rules)
    if not m: return None
    base = m.group().split('~')[0]
    new = base + rng.choice(['', '~ceil', '~front', '~floor'])
    return (with_rules(case, replace(case.rules, m.span(), new)), f'{m.group()} becomes {new}') if new != m.group() else None


# -- text -----------------------------------------------------------------------------------------------------------


def delete_line(rng, case):
    lines = case.rules.split('\n')
    found = [i for i in rules_lines(case.rules) if not lines[i].rstrip().endswith('{') and not lines[i].strip().startswith('}')]
    if not found: return None
    i = rng.choice(found)
    return with_rules(case, '\n'.join(lines[:i] + lines[i + 1:])), f'without the line {lines[i].strip()}'


def duplicate_line(rng, case):
    lines = case.rules.split('\n')
    found = [i for i in rules_lines(case.rules) if not lines[i].rstrip().endswith('{') and not lines[i].strip().startswith('}')]
    if not found: return None
    i = rng.choice(found)
    return with_rules(case, '\n'.join(lines[:i + 1] + lines[i:])), f'twice the line {lines[i].strip()}'


def swap_lines(rng, case):
    lines = case.rules.split('\n')
    found = [i for i in rules_lines(case.rules) if i + 1 < len(lines) and lines[i + 1].strip() and not any('{' in x or '}' in x for x in lines[i:i + 2])]
    if not found: return None
    i = rng.choice(found)
    lines[i], lines[i + 1] = lines[i + 1], lines[i]
    return with_rules(case, '\n'.join(lines)), f'line {i + 1} and {i + 2} change places'


def delete_bracket(rng, case):
    m = pick(rng, r'[\[\](){}]', case.rules)
    return m and (with_rules(case, replace(case.rules, m.span(), '')), f'a {m.group()} is gone at {case.rules.count(chr(10), 0, m.start()) + 1}')


def change_arrow(rng, case):
    m = pick(rng, r'(?<=\s)(<->|->|<-)(?=\s)', case.rules)
    if not m: return None
    new = rng.choice([a for a in ('<->', '->', '<-') if a != m.group()])
    return with_rules(case, replace(case.rules, m.span(), new)), f'{m.group()} becomes {new} at line {case.rules.count(chr(10), 0, m.start()) + 1}'


def swap_terms(rng, case):
    """Two names of a list, or of a brace, change places."""
    m = pick(rng, r'\{[\w.,-]+,[\w.,-]+\}', case.rules)
    if m and rng.random() < 0.5:
        parts = m.group()[1:-1].split(',')
        i = rng.randrange(len(parts) - 1)
        parts[i], parts[i + 1] = parts[i + 1], parts[i]
        return with_rules(case, replace(case.rules, m.span(), '{' + ','.join(parts) + '}')), f'{m.group()} in another order'
    lines = case.rules.split('\n')
    found = [i for i in rules_lines(case.rules) if re.search(r'->|<-', lines[i]) and ', ' in lines[i] and '{' not in lines[i]]
    if not found: return None
    i = rng.choice(found)
    parts = re.split(r'(, | <-> | -> | <- )', lines[i].strip())
    places = [k for k in range(0, len(parts) - 2, 2) if parts[k + 1] == ', ' and '=' not in parts[k + 2]]
    if not places: return None
    k = rng.choice(places)
    parts[k], parts[k + 2] = parts[k + 2], parts[k]
    return with_rules(case, '\n'.join(lines[:i] + ['  ' + ''.join(parts)] + lines[i + 1:])), f'{parts[k]} and {parts[k + 2]} change places'


def misspell(text, rng):
    i = rng.randrange(len(text))
    x = rng.random()
    if x < 0.4 and len(text) > 2: return text[:i] + text[i + 1:]
    if x < 0.7 and i + 1 < len(text): return text[:i] + text[i + 1] + text[i] + text[i + 2:]
    return text[:i] + rng.choice('qzx') + text[i:]


WORDS = r'\b(format|mesh|place|overlay|state|scalar|zero|side|map|dims|import|on|optional|tied|stored|by|interleave|surplus|numbered|locally|first|last|' \
        r'if|else|for|in|copy|fill|scale|offset|normalize|cast|axis|permute|reshape|dtype|fused_qkv|fused_ffn|fused_qkv_old|num_heads|num_kv_heads|' \
        r'replicas|mean|blocks|of|group|pad|config|saturate|inf|and|or|not|true|false|max|min|ceil|flat|whole|value|remove)\b(?![.\w-])'


def misspell_word(rng, case):
    m = pick(rng, WORDS, case.rules)
    if not m: return None
    new = misspell(m.group(), rng)
    return (with_rules(case, replace(case.rules, m.span(), new)), f'{m.group()} becomes {new}') if new != m.group() and new else None


def misspell_name(rng, case):
    m = pick(rng, r'(?m)(?<=^  )[A-Za-z][\w.$-]+(?=[ ,\[])|(?<=[>,] )[A-Za-z][\w.$-]+', case.rules)
    if not m: return None
    new = misspell(m.group(), rng)
    return (with_rules(case, replace(case.rules, m.span(), new)), f'{m.group()} becomes {new}') if new != m.group() else None


def other_dtype(rng, case):
    m = pick(rng, r'(?<=: )(' + '|'.join(SPELLING) + r')\b', case.rules)
    if not m:
        lines = [i for i in rules_lines(case.rules) if case.rules.split('\n')[i].endswith(']')]
        if not lines: return None
        all_lines, i, d = case.rules.split('\n'), rng.choice(lines), rng.choice(list(SPELLING))
        all_lines[i] += f' : {d}'
        return with_rules(case, '\n'.join(all_lines)), f': {d} in line {i + 1}'
    new = rng.choice([d for d in SPELLING if d != m.group()] + [''])
    return with_rules(case, replace(case.rules, m.span(), new)), f'{m.group()} becomes {new or "nothing"}'


def change_number(rng, case):
    m = pick(rng, r'(?<![\w.$-])\d+(?![\w.])', case.rules)
    if not m: return None
    n = int(m.group())
    new = str(rng.choice([n + 1, max(0, n - 1), n * 2, 0]))
    return (with_rules(case, replace(case.rules, m.span(), new)), f'{n} becomes {new} at line {case.rules.count(chr(10), 0, m.start()) + 1}') if new != m.group() else None


def remove_else(rng, case):
    m = pick(rng, r' else \{[^{}]*\}', case.rules)
    return m and (with_rules(case, replace(case.rules, m.span(), '')), 'an else is gone')


def negate(rng, case):
    m = pick(rng, r'(?<=if )(?!not )[^\n{]*(?= \{)', case.rules)
    return m and (with_rules(case, replace(case.rules, m.span(), f'not ({m.group()})')), f'not {m.group()}')


def change_comparison(rng, case):
    m = pick(rng, r'(?<=[\w)"] )(==|!=|<=|>=|<|>)(?= )', case.rules)
    if not m: return None
    new = rng.choice([o for o in ('==', '!=', '<', '<=', '>', '>=') if o != m.group()])
    return with_rules(case, replace(case.rules, m.span(), new)), f'{m.group()} becomes {new}'


def drop_modifier(rng, case):
    m = pick(rng, r' (optional|on (first|last)(, (first|last))?( of \w+)?|numbered locally|surplus (first|last)|interleave \w+|by \[[^\]]*\]|tied [^\s#]+|replicas mean'
             r'|stored \[[^\]]*\]|, (fill|scale|offset|cast|axis|normalize)=[^\s,]+|, copy|, fused_\w+)', case.rules)
    return m and (with_rules(case, replace(case.rules, m.span(), '')), f'without{m.group()}')


def change_place(rng, case):
    m = pick(rng, r'\b(first|last)\b', case.rules)
    return m and (with_rules(case, replace(case.rules, m.span(), 'last' if m.group() == 'first' else 'first')), f'{m.group()} turned round')


def change_offset(rng, case):
    m = pick(rng, r'\$(\w+)(?=\.)|\$\{(\w+)\+(\d)\}', case.rules)
    if not m: return None
    new = '${%s+1}' % m.group(1) if m.group(1) else '${%s+%d}' % (m.group(2), int(m.group(3)) + 1)
    return with_rules(case, replace(case.rules, m.span(), new)), f'{m.group()} becomes {new}'


def add_attribute(rng, case):
    lines = case.rules.split('\n')
    found = [i for i in rules_lines(case.rules) if re.search(r' (<->|->|<-) ', lines[i]) and '{' != lines[i].strip()[-1] and '#' not in lines[i]]
    if not found: return None
    i, a = rng.choice(found), rng.choice(['fill=1', 'scale=2', 'offset=1', 'copy', 'axis=0', 'cast=saturate', 'fused_ffn', 'optional', 'scales=2'])
    lines[i] += ', ' + a
    return with_rules(case, '\n'.join(lines)), f'{a} in line {i + 1}'


# -- the command ----------------------------------------------------------------------------------------------------


def command(rng, case):
    """Another number on the command line: a mesh size, a dimension."""
    words = case.command[:]
    found = [(i, m) for i, w in enumerate(words) if i > 3 and words[i - 1] in ('--mesh-to', '--mesh-from', '-D') for m in re.finditer(r'(?<=[=\[,])\d+', w)]
    if not found: return None
    i, m = rng.choice(found)
    n = int(m.group())
    words[i] = replace(words[i], m.span(), str(rng.choice([n + 1, n * 2, max(1, n - 1), 3])))
    return (Case(case.rules, words, case.sources, case.files), f'{case.command[i]} becomes {words[i]}') if words != case.command else None


def drop_option(rng, case):
    found = [i for i, w in enumerate(case.command) if w in ('-D', '--mesh-to')]
    if not found: return None
    i = rng.choice(found)
    return Case(case.rules, case.command[:i] + case.command[i + 2:], case.sources, case.files), f'without {case.command[i]} {case.command[i + 1]}'


# -- the source -----------------------------------------------------------------------------------------------------


def a_file(rng, case):
    found = [(d, f) for d, files in case.sources.items() for f, c in files.items() if not isinstance(c, bytes)]
    return rng.choice(found) if found else (None, None)


def changed(case, folder, file, content):
    sources = {d: dict(files) for d, files in case.sources.items()}
    if content is None: del sources[folder][file]
    else: sources[folder][file] = content
    return Case(case.rules, case.command, sources, case.files)


def tensor_of(rng, case):
    d, f = a_file(rng, case)
    if d is None or not case.sources[d][f][0]: return None
    tensors, meta = case.sources[d][f]
    return d, f, dict(tensors), meta, rng.choice(sorted(tensors))


def drop_tensor(rng, case):
    found = tensor_of(rng, case)
    if not found: return None
    d, f, tensors, meta, n = found
    del tensors[n]
    return changed(case, d, f, (tensors, meta)), f'{n} is gone from {f}'


def rename_tensor(rng, case):
    found = tensor_of(rng, case)
    if not found: return None
    d, f, tensors, meta, n = found
    new = re.sub(r'\d+', lambda m: str(int(m.group()) + 1), n, count=1) if rng.random() < 0.5 else misspell(n, rng)
    if new in tensors or new == n: return None
    tensors[new] = tensors.pop(n)
    return changed(case, d, f, (tensors, meta)), f'{n} is called {new} in {f}'


def extra_tensor(rng, case):
    found = tensor_of(rng, case)
    if not found: return None
    d, f, tensors, meta, n = found
    new = re.sub(r'\d+', lambda m: str(int(m.group()) + rng.randint(1, 9)), n, count=1) if rng.random() < 0.6 else n + '.more'
    if new in tensors: return None
    tensors[new] = tensors[n]
    return changed(case, d, f, (tensors, meta)), f'{new} is one more in {f}'


def reshape_tensor(rng, case):
    found = tensor_of(rng, case)
    if not found: return None
    d, f, tensors, meta, n = found
    t = tensors[n]
    shape = list(t.shape)
    how = rng.choice(['swap', 'flat', 'crop', 'slot'])
    vals = t.vals
    if how == 'swap' and len(shape) > 1:
        i = rng.randrange(len(shape) - 1)
        shape[i], shape[i + 1] = shape[i + 1], shape[i]
    elif how == 'flat': shape = [len(vals)]
    elif how == 'slot': shape.insert(rng.randint(0, len(shape)), 1)
    elif how == 'crop' and shape and shape[0] > 1: vals, shape = vals[:len(vals) // shape[0] * (shape[0] - 1)], [shape[0] - 1] + shape[1:]
    if tuple(shape) == t.shape: return None
    tensors[n] = Tensor(t.dtype, shape, vals)
    return changed(case, d, f, (tensors, meta)), f'{n} has shape {shape} in {f}'


def retype_tensor(rng, case):
    found = tensor_of(rng, case)
    if not found: return None
    d, f, tensors, meta, n = found
    t = tensors[n]
    same = [x for x in WIDTH if WIDTH[x] == WIDTH[t.dtype] and x != t.dtype and not x.startswith('U') and x != 'BOOL']
    if not same: return None
    tensors[n] = Tensor(rng.choice(same), t.shape, t.vals)
    return changed(case, d, f, (tensors, meta)), f'{n} is {tensors[n].dtype} in {f}'


def drop_file(rng, case):
    d, f = a_file(rng, case)
    if d is None: return None
    return changed(case, d, f, None), f'{f} is missing'


def truncate_file(rng, case):
    d, f = a_file(rng, case)
    if d is None: return None
    raw = serialise(*case.sources[d][f])
    cut = rng.choice([len(raw) - 1, len(raw) // 2, 7, 0])
    return changed(case, d, f, raw[:cut]), f'{f} ends after {cut} bytes'


TYPES = [swap_variables, swap_axes, other_variable, drop_variable, change_operator, drop_cut, add_cut, other_mesh_axis, change_mode]
TEXT = [delete_line, delete_line, duplicate_line, swap_lines, delete_bracket, change_arrow, swap_terms, misspell_word, misspell_name, other_dtype, change_number,
        remove_else, negate, change_comparison, drop_modifier, change_place, change_offset, add_attribute]
OTHER = [command, drop_option, drop_tensor, rename_tensor, extra_tensor, reshape_tensor, retype_tensor, drop_file, truncate_file]
ALL = TYPES * 2 + TEXT * 2 + OTHER
