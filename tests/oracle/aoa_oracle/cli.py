"""The command line of a run, as aoac takes it. What is misspelt there is status 2."""
import os, re
from .dtypes import SPELLING
from .errors import Unsure, Wrong

WITH_VALUE = {'--from', '--to', '--config', '--mesh-from', '--mesh-to', '--layout-from', '--layout-to', '--dtype', '--max-shard-size',
              '--memory', '--threads', '--backend', '--only', '--ranks', '--part', '-D', '--as'}
FLAGS = {'--run', '--plan', '--resume', '--states', '--strict-states', '--verify', '--sync', '--force', '--quiet', '--json', '--check-replicas'}


class Options:
    """What the rest of the oracle asks about a run. `doubts` collects what the contract leaves open."""

    def __init__(self, doubts):
        self.doubts, self.rules, self.set, self.values, self.defines = doubts, None, set(), {}, []
        self.tied_targets = set()

    def has(self, flag): return flag in self.set

    @property
    def only(self): return self.values.get('--only')

    @property
    def dtype(self):
        text = self.values.get('--dtype')
        return SPELLING[text] if text else None


def parse(argv, doubts):
    o, at = Options(doubts), 0
    while at < len(argv):
        a = argv[at]
        at += 1
        if a.startswith('--emit'): raise Unsure(a)
        if a in FLAGS: o.set.add(a)
        elif a in WITH_VALUE or (a.startswith('--') and a.split('=')[0] in WITH_VALUE):
            key, eq, value = a.partition('=') if a.startswith('--') else (a, '', '')
            if not eq:
                if at >= len(argv): raise Wrong(f'{a} needs a value', 2)
                value, at = argv[at], at + 1
            if key == '-D': o.defines.append(value)
            elif key in o.values: raise Unsure(f'{key} twice')
            else: o.values[key] = value
        elif a.startswith('-'): raise Wrong(f'unknown option {a}', 2)
        elif o.rules is None: o.rules = a
        else: raise Wrong(f'unexpected {a}', 2)
    if o.rules is None: raise Wrong('no rules', 2)
    check(o)
    return o


def check(o):
    v = o.values
    if v.get('--backend', 'cpu') not in ('cpu', 'cuda', 'reference'): raise Wrong(f'--backend {v["--backend"]}', 2)
    if '--threads' in v and not re.fullmatch(r'[1-9]\d*', v['--threads']): raise Wrong(f'--threads {v["--threads"]}', 2)
    for k in ('--memory', '--max-shard-size'):
        if k in v and not re.fullmatch(r'\d+(\.\d+)?[KMGT]?B?', v[k]): raise Wrong(f'{k} {v[k]}', 2)
    if '--dtype' in v and v['--dtype'] not in SPELLING: raise Wrong(f'--dtype {v["--dtype"]}', 2)
    if '--part' in v:
        m = re.fullmatch(r'(\d+)/(\d+)', v['--part'])
        if not m or not 1 <= int(m.group(1)) <= int(m.group(2)): raise Wrong(f'--part {v["--part"]}', 2)
    for k in ('--layout-from', '--layout-to'):
        if k in v: raise Unsure(k)
    for d in o.defines:
        if not re.fullmatch(r'(from\.|to\.)?[A-Za-z_]\w*=\d+', d): raise Wrong(f'-D {d}', 2)


def end(o, program, which):
    """(side name, path) of one end, completed by the default block of the rules."""
    text = o.values.get(f'--{which}')
    side, path = (text.split(':', 1) + [None])[:2] if text else (None, None)
    default = program.default.get(which)
    if default and side in (None, default[0]):
        side, path = default[0], path or os.path.join(os.path.dirname(o.rules), default[1])
    if side and '+' in side: raise Unsure('a variant')
    if not side or not path: raise Wrong(f'--{which} is missing', 2)
    return side, path


def ranks(o, count):
    """The ranks to write."""
    text = o.values.get('--ranks')
    if text is None: return set(range(count))
    out = set()
    for part in text.split(','):
        m = re.fullmatch(r'(\d+)(?:-(\d+))?', part.strip())
        if not m: raise Wrong(f'--ranks {text}', 2)
        out |= set(range(int(m.group(1)), int(m.group(2) or m.group(1)) + 1))
    if not out or max(out) >= count: raise Wrong(f'--ranks {text}: the target has {count} ranks', also=(2,))
    return out
