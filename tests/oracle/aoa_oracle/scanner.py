"""Characters of a rule file, with the rules about line ends, comments and continuation.

The parser asks for what it expects next, so a brace, a minus sign or a slash means what its place says: part of a tensor
name here, a block or an operator there.
"""
import json, re
from .errors import Wrong

IDENT = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
SIDE = re.compile(r'[A-Za-z_][A-Za-z0-9_-]*')
NUMBER = re.compile(r'\d+(\.\d+)?([eE][+-]?\d+)?')
INTEGER = re.compile(r'\d+')
NAME_CHARS = set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-*')
BLANKS = ' \t\r'


class Scanner:
    def __init__(self, text, file):
        self.text, self.file, self.pos, self.depth = text, file, 0, 0

    def line(self): return self.text.count('\n', 0, self.pos) + 1

    def fail(self, text): raise Wrong(f'{self.file}:{self.line()}: {text}')

    # -- blanks -----------------------------------------------------------------------------------------------------

    def _skip_line_blanks(self, at):
        while at < len(self.text) and self.text[at] in BLANKS: at += 1
        if self.text.startswith('#', at):
            while at < len(self.text) and self.text[at] != '\n': at += 1
        return at

    def _skip_all(self, at):
        while True:
            at = self._skip_line_blanks(at)
            if not self.text.startswith('\n', at): return at
            at += 1

    def blank(self, lines=False):
        """Skips blanks and comments; line ends too inside brackets, if asked, or if the next line continues this one."""
        self.pos = self._skip_line_blanks(self.pos)
        if not self.text.startswith('\n', self.pos): return
        after = self._skip_all(self.pos)
        if lines or self.depth or self.text.startswith(('->', '<-', ','), after): self.pos = after

    def lines(self): self.blank(lines=True)

    # -- tokens -----------------------------------------------------------------------------------------------------

    def at_end(self): return self.pos >= len(self.text)

    def at_item_end(self):
        self.blank()
        return self.at_end() or self.text[self.pos] in '\n}'

    def peek(self, text):
        self.blank()
        return self.text.startswith(text, self.pos)

    def take(self, text):
        """Takes punctuation if it stands here."""
        if not self.peek(text): return False
        self.pos += len(text)
        return True

    def need(self, text, where=''):
        if not self.take(text): self.fail(f'expected {text!r} {where}, found {self.here()!r}')

    def open(self, text):
        self.need(text)
        self.depth += 1

    def close(self, text):
        self.need(text, '(a bracket is open)')
        self.depth -= 1

    def here(self): return self.text[self.pos:self.pos + 20].split('\n')[0]

    def match(self, pattern):
        self.blank()
        m = pattern.match(self.text, self.pos)
        return m.group() if m else None

    def accept(self, pattern):
        text = self.match(pattern)
        if text is not None: self.pos += len(text)
        return text

    def ident(self, what='a name'):
        text = self.accept(IDENT)
        if text is None: self.fail(f'expected {what}, found {self.here()!r}')
        return text

    def word(self, *choices):
        """Takes one of some words if it stands here as a whole."""
        text = self.match(IDENT)
        if text not in choices: return None
        after = self.text[self.pos + len(text):self.pos + len(text) + 1]
        if after and (after in NAME_CHARS or after == '$') and after != '-': return None
        self.pos += len(text)
        return text

    def string(self):
        """A double-quoted string with JSON escapes, on one line."""
        if not self.peek('"'): self.fail(f'expected a string, found {self.here()!r}')
        m = re.compile(r'"(?:[^"\\\n]|\\.)*"').match(self.text, self.pos)
        if not m: self.fail('a string is not closed')
        self.pos = m.end()
        try: return json.loads(m.group(), strict=False)
        except ValueError as e: self.fail(f'string: {e}')

    def quoted(self):
        """A string in either kind of quotes (values of Paddle's attributes)."""
        if self.peek('"'): return self.string()
        m = re.compile(r"'([^'\n]*)'").match(self.text, self.pos)
        if not m: self.fail('a string is not closed')
        self.pos = m.end()
        return m.group(1)

    def raw_name(self):
        """The characters of a bare tensor name, braces and variables included, or None."""
        self.blank()
        at, text = self.pos, self.text
        while at < len(text):
            c = text[at]
            if c == '-' and text.startswith('->', at): break
            if c in NAME_CHARS: at += 1
            elif c == '$': at = self._dollar(at)
            elif c == '{': at = self._brace(at)
            else: break
        if at == self.pos: return None
        out, self.pos = text[self.pos:at], at
        return out

    def _dollar(self, at):
        m = re.compile(r'\$([A-Za-z_]\w*|\{[^}\n]*\})').match(self.text, at)
        if not m: self.fail('a variable without a name')
        return m.end()

    def _brace(self, at):
        """Past a brace group of a name; blanks are not allowed inside."""
        depth = 0
        while at < len(self.text):
            c = self.text[at]
            if c == '$': at = self._dollar(at); continue
            if c == '{': depth += 1
            elif c == '}':
                depth -= 1
                if depth == 0: return at + 1
            elif c not in NAME_CHARS and c != ',': break
            at += 1
        self.fail('a brace in a name is not closed')
