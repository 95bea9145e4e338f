"""Parser of whole rule files: dims, sides, maps, statements. Any mistake raises Wrong with its place."""
import re
from . import names
from .ast import Decl, Equation, File, Map, Place, Side, Statement, Term
from .dtypes import SPELLING
from .errors import Unsure
from .exprparse import condition, expression, type_list, axis
from .scanner import IDENT, INTEGER, NUMBER, SIDE, Scanner

FLAGS = ('copy', 'fused_qkv', 'fused_qkv_old', 'fused_ffn')
KEYS = {'fill': 'number or last', 'scale': 'number', 'offset': 'number', 'normalize': 'word', 'cast': 'word', 'axis': 'integer',
        'permute': 'string', 'reshape': 'string', 'dtype': 'string', 'src_dtype': 'string', 'dst_dtype': 'string',
        'num_heads': 'integer', 'num_key_value_groups': 'integer', 'num_kv_heads': 'integer'}
CASTS = ('error', 'saturate', 'inf')


def parse(text, file):
    return FileParser(Scanner(text, file)).file()


class FileParser:
    def __init__(self, scanner): self.s = scanner

    def where(self): return f'{self.s.file}:{self.s.line()}'

    def end_item(self):
        if not self.s.at_item_end(): self.s.fail(f'unexpected {self.s.here()!r}')

    def block(self, item):
        """`{` items `}`, one item a line."""
        s, out = self.s, []
        s.need('{', 'of a block')
        while True:
            s.lines()
            if s.at_end(): s.fail('a block is not closed')
            if s.take('}'): return out
            out += item()
            self.end_item()

    # -- top level ----------------------------------------------------------------------------------------------------

    def file(self):
        s, f = self.s, File()
        while True:
            s.lines()
            if s.at_end(): return f
            word = s.accept(IDENT)
            if word == 'family': s.accept(SIDE) or s.fail('family needs a name')
            elif word == 'import': f.imports.append((s.string(), self.where()))
            elif word == 'dims': self.dims(f.dims)
            elif word == 'side': self.side(f)
            elif word == 'map': self.map(f)
            elif word == 'default': self.default(f)
            else: s.fail(f'unknown keyword {word or s.here()!r}')
            self.end_item()

    def default(self, f):
        s = self.s
        s.need('{')
        s.lines()
        while not s.take('}'):
            end = s.word('from', 'to') or s.fail('from or to')
            side = s.accept(SIDE) or s.fail('a side')
            self.once(end in f.default, end)
            f.default[end] = (side, s.string())
            s.lines()

    # -- dims ---------------------------------------------------------------------------------------------------------

    def dims(self, out):
        def item():
            eq = self.equation()
            same = [e for e in out if e.name == eq.name]
            if same and '?=' in (same[0].kind, eq.kind): raise Unsure(f'{eq.where}: a default beside an equation')
            if same: self.s.fail(f'{eq.name} has two equations')
            out.append(eq)
            return []
        self.block(item)

    def equation(self):
        s, where = self.s, self.where()
        word = s.ident('a dimension')
        if word in ('axis', 'value') and s.match(IDENT):
            name = s.ident()
            s.need('=')
            if word == 'axis': return Equation(name, 'alias', axis(s), where)
            return Equation(name, 'value', condition(s), where)
        if s.take('?='): return Equation(word, '?=', expression(s), where)
        s.need('=')
        factors = re.compile(r'\(\s*([A-Za-z_]\w*(\s+[A-Za-z_]\w*)+)\s*\)').match(s.text, self._start())
        if factors and 'else' not in factors.group(1).split():
            s.pos = factors.end()
            return Equation(word, 'alias', ('prod', tuple(('name', n) for n in factors.group(1).split())), where)
        return Equation(word, '=', expression(s), where)

    def _start(self):
        self.s.blank()
        return self.s.pos

    # -- blocks with conditions ---------------------------------------------------------------------------------------

    def control(self, item):
        """A `for` or `if` block, or None."""
        s = self.s
        if s.word('for'):
            var = s.ident('a variable')
            s.word('in') or s.fail('expected in')
            low = expression(s)
            s.need('..')
            high = expression(s)
            return ('for', var, low, high, self.block(item))
        if not s.word('if'): return None
        branches, other = [(condition(s), self.block(item))], None
        while s.word('else'):
            if s.word('if'): branches.append((condition(s), self.block(item)))
            else:
                other = self.block(item)
                break
        return ('if', tuple(branches), other)

    # -- names --------------------------------------------------------------------------------------------------------

    def patterns(self):
        """One name with its braces expanded: a list of patterns; None for `_`."""
        s = self.s
        if s.peek('"'): return [names.literal(s.string())]
        raw = s.raw_name()
        if raw is None: s.fail(f'expected a tensor name, found {s.here()!r}')
        if raw == '_': return [None]
        return [names.pattern(r, s) for r in names.expand_braces(raw)]

    def dtype(self):
        text = self.s.accept(re.compile(r'\w+'))
        if text not in SPELLING: self.s.fail(f'unknown dtype {text}')
        return SPELLING[text]

    # -- sides --------------------------------------------------------------------------------------------------------

    def side(self, f):
        s, where = self.s, self.where()
        name = s.accept(SIDE) or s.fail('a side needs a name')
        if name in f.sides: raise Unsure(f'{where}: side {name} in two blocks of a file')
        side = f.sides[name] = Side(name, where=where)
        side.items = self.block(lambda: self.side_item(side))

    def side_item(self, side, nested=False):
        node = self.control(lambda: self.side_item(side, True))
        if node: return [node]
        if not nested:
            word = self.s.match(IDENT)
            handler = getattr(self, f'side_{word}', None) if word in SIDE_WORDS else None
            if handler and self._is_keyword(word):
                self.s.pos += len(word)
                handler(side)
                return []
        return self.declaration(side)

    def _is_keyword(self, word):
        """A keyword is followed by a blank and something that is not a type, a dtype or the end of the line."""
        rest = self.s.text[self.s.pos + len(word):].split('\n')[0]
        if word in ('dims', 'config'): return rest.strip().startswith('{')
        return bool(re.match(r'[ \t]+["A-Za-z_]|[ \t]+\$|[ \t]+\{', rest))

    def once(self, there, what):
        if there: raise Unsure(f'{self.where()}: {what} is said twice')

    def side_format(self, side):
        self.once(side.format, 'format')
        side.format = self.s.ident('a format')
        self.s.accept(SIDE)

    def name_list(self):
        out = [self.s.ident('a mesh axis')]
        while self.s.take(','):
            self.s.lines()
            out.append(self.s.ident('a mesh axis'))
        return out

    def side_mesh(self, side):
        self.once(side.mesh, 'mesh')
        side.mesh = self.name_list()
        twice = [m for m in side.mesh if side.mesh.count(m) > 1]
        if twice: self.s.fail(f'mesh axis {twice[0]} is listed twice')

    def side_overlay(self, side):
        new = self.name_list()
        self.s.word('on') or self.s.fail('overlay needs on')
        side.overlays.append((new, self.name_list()))

    def side_place(self, side):
        s = self.s
        p = Place(s.ident('a variable'), '', where=self.where())
        s.word('on') or s.fail('place needs on')
        p.axis = s.ident('a mesh axis')
        while not s.at_item_end():
            word = s.word('interleave', 'by', 'surplus', 'numbered') or s.fail(f'unknown word {s.here()!r}')
            if word == 'numbered':
                s.word('locally') or s.fail('numbered locally')
                p.local = True
                continue
            if p.rule != 'even': s.fail(f'{word} beside {p.rule}')
            if word == 'interleave': p.rule, p.arg = 'interleave', self._count()
            elif word == 'by': p.rule, p.arg = 'by', self._counts()
            else: p.rule = s.word('first', 'last') or s.fail('surplus first or last')
        self.once(any(q.var == p.var for q in side.places), f'the place of {p.var}')
        side.places.append(p)

    def _count(self):
        text = self.s.accept(INTEGER)
        return ('num', int(text)) if text else ('name', self.s.ident('a number of rounds'))

    def _counts(self):
        s, out = self.s, []
        s.open('[')
        while True:
            out.append(int(s.accept(INTEGER) or s.fail('a count')))
            if not s.take(','): break
        s.close(']')
        return out

    def side_state(self, side):
        role, template, dtype = self.s.ident('a role'), self.s.string(), None
        if self.s.take(':'): dtype = self.dtype()
        self._template(role, template, side)
        side.states.append((role, template, dtype))

    def side_scalar(self, side):
        role, template, expr = self.s.ident('a role'), self.s.string(), None
        if self.s.take('='): expr = expression(self.s)
        self._template(role, template, side)
        side.scalars.append((role, template, expr))

    def _template(self, role, template, side):
        if template.count('{}') != 1: self.s.fail(f'the template of {role} needs one {{}}')
        if role in [x[0] for x in side.states + side.scalars]: raise Unsure(f'{self.where()}: role {role} is declared twice')

    def side_zero(self, side):
        self.once(side.zero, 'zero')
        axis_name = self.s.ident('a mesh axis')
        self.s.word('by') or self.s.fail('zero needs by')
        side.zero = (axis_name, self.s.ident('flat, whole or a partition'))

    def side_dims(self, side): self.dims(side.dims)

    def side_config(self, side):
        def item():
            keys = [self.s.ident('a key')]
            while self.s.text.startswith('.', self.s.pos):
                self.s.pos += 1
                keys.append(self.s.ident('a key'))
            self.s.need('=')
            self.once(any(k == tuple(keys) for k, _ in side.config), '.'.join(keys))
            side.config.append((tuple(keys), self.s.ident('a dimension')))
            return []
        self.block(item)

    def side_remove(self, side):
        while True:
            side.removes += [(p, self.where()) for p in self.patterns()]
            if not self.s.take(','): return
            self.s.lines()

    def declaration(self, side):
        s, where = self.s, self.where()
        pats = self.patterns()
        if None in pats: s.fail('_ cannot be declared')
        type_, stored, dtype = self.type_part()
        modifiers = self.modifiers(len(pats))
        out = []
        for i, p in enumerate(pats):
            own = {k: (v[i] if k in ('tied',) else (v[0][i], v[1]) if k == 'blocks' else v) for k, v in modifiers.items()}
            out.append(('decl', Decl(p, type_, stored, dtype, where, **own)))
        return out

    def type_part(self):
        """[axes] : dtype stored [axes], everything optional, the last two in either order."""
        s, type_, stored, dtype = self.s, None, None, None
        if s.peek('['): type_ = type_list(s)
        while True:
            if dtype is None and s.peek(':'):
                s.take(':')
                dtype = self.dtype()
            elif stored is None and type_ is not None and s.word('stored'):
                if not s.peek('['): s.fail('stored needs a shape')
                stored = type_list(s)
            else: return type_, stored, dtype

    def modifiers(self, count):
        s, out, said = self.s, {}, set()
        while not s.at_item_end():
            word = s.word('on', 'optional', 'tied', 'replicas', 'blocks', 'group') or s.fail(f'unknown word {s.here()!r}')
            if word != 'on': self.once(word in said, word)
            said.add(word)
            if word == 'optional': out['optional'] = True
            elif word == 'on':
                ends = [s.word('first', 'last') or s.fail(f'on first or last, not {s.here()!r}')]
                while s.take(','): ends.append(s.word('first', 'last') or s.fail('on first, last'))
                axis = s.ident('a mesh axis') if s.word('of') else None
                self.once(any(other == axis for _, other in out.get('on', ())), 'on')
                out['on'] = out.get('on', ()) + ((tuple(ends), axis),)
            elif word == 'tied': out['tied'] = self.reference(count)
            elif word == 'replicas':
                s.word('mean') or s.fail('replicas mean')
                out['mean'] = True
            elif word == 'group': out['group'] = s.ident('a group')
            else:
                s.word('of') or s.fail('blocks of')
                out['blocks'] = (self.reference(count), self._block_sizes())
        return out

    def reference(self, count):
        """The name another declaration refers to: one for all, or one for each."""
        pats = self.patterns()
        if len(pats) not in (1, count) or None in pats: self.s.fail('one name, or as many as are declared')
        return pats if len(pats) == count else pats * count

    def _block_sizes(self):
        s, out = self.s, []
        s.open('[')
        while not s.peek(']'): out.append(int(s.accept(INTEGER) or s.fail('a block size')))
        s.close(']')
        if 0 in out or not out: s.fail('a block of nothing')
        return tuple(out)

    # -- maps ---------------------------------------------------------------------------------------------------------

    def map(self, f):
        s, where = self.s, self.where()
        a = s.accept(SIDE) or s.fail('a map needs two sides')
        if not s.take('<->'):
            if s.take('->') or s.take('<-'): raise Unsure(f'{where}: a map of one direction')
            s.need('<->')
        b = s.accept(SIDE) or s.fail('a map needs two sides')
        f.maps.append(Map(a, b, self.block(self.map_item), where))

    def map_item(self):
        node = self.control(self.map_item)
        return [node] if node else [('stmt', self.statement())]

    def statement(self):
        s, where = self.s, self.where()
        lefts = self.terms()
        while s.take(','):
            s.lines()
            lefts += self.terms()
        arrow = next((a for a in ('<->', '->', '<-') if s.take(a)), None) or s.fail(f'expected an arrow, found {s.here()!r}')
        s.lines()
        rights, attrs = self.terms(), {}
        while s.take(','):
            s.lines()
            if not self.attribute(attrs):
                if attrs: raise Unsure(f'{self.where()}: a tensor after an attribute')
                rights += self.terms()
        return Statement(lefts, arrow, rights, attrs, where)

    def terms(self):
        """One name of a statement with what follows it; braces make it several terms."""
        s = self.s
        pats = self.patterns()
        transposed = array = False
        if s.text.startswith('^', s.pos):
            if not re.match(r'\^T(?![\w.])', s.text[s.pos:]): s.fail('only ^T may follow a name')
            s.pos += 2
            transposed = True
        m = re.compile(r'\[\s*(\d+)\s*:\s*(\d+)\s*\]').match(s.text, s.pos)
        if m:
            s.pos = m.end()
            pats = [self._indexed(p, i) for p in pats for i in range(int(m.group(1)), int(m.group(2)))]
            if not pats: s.fail('an empty range of names')
        type_, stored, dtype = self.type_part()
        if None in pats and (transposed or m or type_ is not None or dtype): s.fail('_ has no type')
        return [Term(p, transposed, type_, stored, dtype) for p in pats]

    def _indexed(self, p, i):
        if p is None: self.s.fail('_ has no range')
        return names.pattern(f'{p.text}_{i}', self.s)

    def attribute(self, attrs):
        """One attribute after a comma; False when a tensor stands there."""
        s = self.s
        m = re.compile(r'([A-Za-z_]\w*)[ \t]*(=(?!=))?').match(s.text, self._start())
        if not m: return False
        word = m.group(1)
        if m.group(2):
            s.pos = m.end()
            if word not in KEYS: s.fail(f'unknown attribute {word}')
            if word in attrs: raise Unsure(f'{self.where()}: {word} is given twice')
            attrs[word] = self.value(word, KEYS[word])
            return True
        after = s.text[m.end():m.end() + 1]
        if word == 'optional' and not (after and after in '.$-/*[^{'): raise Unsure(f'{self.where()}: an optional statement')
        if word not in FLAGS or (after and after in '.$-/*[^{'): return False
        s.pos += len(word)
        if word in attrs: raise Unsure(f'{self.where()}: {word} is given twice')
        attrs[word] = True
        return True

    def value(self, key, kind):
        s = self.s
        if kind == 'string': return s.quoted()
        if kind == 'integer':
            text = s.accept(INTEGER)
            return int(text) if text else s.fail(f'{key} needs a number')
        if kind == 'word':
            word = s.ident(f'a word after {key}=')
            if key == 'cast' and word not in CASTS: s.fail(f'unknown cast {word}')
            return word
        if kind == 'number or last' and s.word('last'): return 'last'
        sign = -1 if s.take('-') else 1
        text = s.accept(NUMBER) or s.fail(f'{key} needs a number')
        return sign * (int(text) if text.isdigit() else float(text))


SIDE_WORDS = ('format', 'mesh', 'overlay', 'place', 'state', 'scalar', 'zero', 'dims', 'config', 'remove')
