"""Making a failing case smaller: lines of the rules, options, tensors and elements of types are left out one after the other.

A smaller case counts only if the oracle is still certain about it and it fails in the same way.
"""
import re
from .case import Case
from ..aoa_oracle import names


def candidates(case):
    """Smaller cases, the boldest first."""
    lines = case.rules.split('\n')
    for i, j in blocks(lines): yield Case('\n'.join(lines[:i] + lines[j + 1:]), case.command, case.sources, case.files)
    for i, line in enumerate(lines):
        if line.strip() and not line.rstrip().endswith('{') and not line.strip().startswith('}'):
            yield Case('\n'.join(lines[:i] + lines[i + 1:]), case.command, case.sources, case.files)
    for i, j in blocks(lines):
        if re.match(r'\s*(if|for)\b', lines[i]) and 'else' not in lines[j]:
            yield Case('\n'.join(lines[:i] + lines[i + 1:j] + lines[j + 1:]), case.command, case.sources, case.files)
    for i in range(6, len(case.command)):
        if case.command[i] in ('-D', '--mesh-to', '--mesh-from', '--only', '--ranks', '--dtype', '--config'):
            yield Case(case.rules, case.command[:i] + case.command[i + 2:], case.sources, case.files)
        elif case.command[i].startswith('--'):
            yield Case(case.rules, case.command[:i] + case.command[i + 1:], case.sources, case.files)
    for name in sorted(tensor_names(case)): yield without_tensor(case, name)


def tokens(line):
    """The tensor names of a line of a map or a side, as written."""
    text = re.sub(r"'[^']*'|\[[^\]]*\]", ' ', line)
    if re.search(r'<->|->|<-', text): parts = re.split(r',\s|<->|->|<-', re.sub(r',(?=[^{}]*\})', ';', text))
    else: parts = text.split()[:1]
    out = set()
    for p in parts:
        word = (re.match(r'\s*("[^"]*"|\S+)', p) or [''])[0].strip().replace(';', ',').replace('^T', '')
        if word and '=' not in word and word != '_': out |= set(names.expand_braces(word)) if '{' in word and not word.startswith('"') else {word}
    return out


KEYWORDS = re.compile(r'\s*(format|mesh|overlay|place|state|scalar|zero|dims|config|side|map|if|for|family|import|\}|#|\w+ \??=|axis |value )')


def components(case):
    """Without a statement, what is declared for it, other statements about the same tensors, and their tensors in the source."""
    lines = case.rules.split('\n')
    named = {i: tokens(x) for i, x in enumerate(lines) if x.strip() and not KEYWORDS.match(x) and not x.rstrip().endswith('{')}
    left = set(named)
    while left:
        group, words = set(), set(named[min(left)])
        while True:
            more = {i for i in left - group if named[i] & words}
            if not more: break
            group |= more
            words |= set().union(*[named[i] for i in more])
        left -= group or {min(left)}
        if not any('->' in lines[i] or '<-' in lines[i] for i in group): continue
        out = Case('\n'.join(x for i, x in enumerate(lines) if i not in group), case.command, case.sources, case.files)
        for n in matching(words, case): out = without_tensor(out, n)
        yield out


def matching(words, case):
    """Tensors of the source that some names may spell, optimizer states included."""
    patterns = []
    for w in words:
        text = w[1:-1] if w.startswith('"') else re.sub(r'\\\$\\\{[^}]*\\\}|\\\$\w+|\\\*', r'\\d+', re.escape(w))
        patterns.append(re.compile((re.escape(text) if w.startswith('"') else text)))
    return [n for n in sorted(tensor_names(case)) if any(p.search(n) for p in patterns)]


def tidy(case):
    """Without comments and odd line ends."""
    lines = [re.sub(r'\s*#.*', '', x.replace('\r', '').replace('\t', '  ')) if '"' not in x else x.replace('\r', '') for x in case.rules.split('\n')]
    yield Case('\n'.join(lines) + '\n', case.command, case.sources, case.files)


def blocks(lines):
    """(first, last) line of every block, outer ones first."""
    out, stack = [], []
    for i, line in enumerate(lines):
        if line.strip().startswith('}') and stack: out.append((stack.pop(), i))
        if line.rstrip().endswith('{'): stack.append(i)
    ends = dict(out)
    for i, j in list(out):                       # an `if` with all its branches
        while 'else' in lines[j] and j in ends:
            j = ends[j]
            out.append((i, j))
    return sorted(out, key=lambda b: b[0] - b[1])


def tensor_names(case):
    return {n for files in case.sources.values() for c in files.values() if not isinstance(c, bytes) for n in c[0]}


def without_tensor(case, name):
    sources = {d: {f: c if isinstance(c, bytes) else ({n: t for n, t in c[0].items() if n != name}, c[1]) for f, c in files.items()}
               for d, files in case.sources.items()}
    return Case(case.rules, case.command, sources, case.files)


def shrink(case, outcome, fails, budget):
    """-> (smaller case, its outcome). fails(case, outcome) runs the compiler; at most `budget` times."""
    for smaller in tidy(case):
        out = smaller.outcome()
        if out.certain() and out.status == outcome.status and fails(smaller, out): case, outcome = smaller, out
    for step in (components, candidates):
        progress = True
        while progress and budget > 0:
            progress = False
            for smaller in step(case):
                out = smaller.outcome()
                if not out.certain() or out.status != outcome.status: continue
                budget -= 1
                if fails(smaller, out):
                    case, outcome, progress = smaller, out, True
                    break
                if budget <= 0: break
    return case, outcome
