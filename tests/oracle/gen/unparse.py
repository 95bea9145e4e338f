"""Text of axis types, as tuples of aoa_oracle.ast, the way rule writers put them."""


def type_text(axes): return '[' + ' '.join(axis(a) for a in axes) + ']'


def axis(n):
    kind = n[0]
    if kind == 'name': return n[1]
    if kind == 'lit': return f'{n[1]}:{n[2]}'
    if kind == 'slot': return '1'
    if kind == 'any': return '_'
    if kind == 'prod': return '(' + ' '.join(axis(k) for k in n[1]) + ')'
    if kind == 'sum': return '(' + ' + '.join(inner(k) for k in n[1]) + ')'
    if kind == 'pad': return f'pad({inner(n[1])}, {n[2]})'
    return f'{axis(n[1])}@{cut_text(n[2])}'


def inner(n):
    """What may stand without its own parentheses inside parentheses."""
    return ' '.join(axis(k) for k in n[1]) if n[0] == 'prod' else axis(n)


def cut_text(cuts):
    mode = cuts[0][1]
    return '.'.join(m for m, _ in cuts) + ('' if mode == 'even' else f'~{mode}')


def uncut(n):
    if n[0] == 'cut': return uncut(n[1])
    if n[0] in ('prod', 'sum'): return (n[0], tuple(uncut(k) for k in n[1]))
    if n[0] == 'pad': return ('pad', uncut(n[1]), n[2])
    return n


def bare(n):
    """Without cuts and padding."""
    if n[0] in ('cut', 'pad'): return bare(n[1])
    if n[0] in ('prod', 'sum'): return (n[0], tuple(bare(k) for k in n[1]))
    return n
