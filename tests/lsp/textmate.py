"""As much of a TextMate grammar as ours uses: `match` with captures, `begin` and `end`, nested patterns, includes. The
regular expressions are kept to what Oniguruma and Python's `re` both know, so `re` runs them.
https://macromates.com/manual/en/language_grammars"""
import json
import re


class Grammar:
    def __init__(self, path):
        self.rules = json.loads(path.read_text())
        self.compiled = {}
        for rule in self.walk(self.rules):
            for key in ("match", "begin", "end"):
                if key in rule: self.pattern(rule[key])

    def walk(self, rule):
        yield rule
        for child in rule.get("patterns", []): yield from self.walk(child)
        for child in rule.get("repository", {}).values(): yield from self.walk(child)

    def pattern(self, text):
        if text not in self.compiled: self.compiled[text] = re.compile(text)
        return self.compiled[text]

    def expand(self, patterns):
        """The rules that can match, includes resolved."""
        for rule in patterns:
            if "include" in rule: rule = self.rules["repository"][rule["include"][1:]]
            if "match" in rule or "begin" in rule:
                yield rule
            else:
                yield from self.expand(rule.get("patterns", []))

    def scopes(self, text):
        """The innermost scope of every character of the text, or None."""
        out = [None] * len(text)
        stack = [{"patterns": self.rules["patterns"]}]
        start = 0
        for line in text.split("\n"):
            self.line(line, start, stack, out)
            start += len(line) + 1
        return out

    def line(self, line, start, stack, out):
        at, empty = 0, set()
        while True:
            top = stack[-1]
            best = self.pattern(top["end"]).search(line, at) if "end" in top else None
            rule = None  # the end, which wins among equals
            for other in self.expand(top.get("patterns", [])):
                found = self.pattern(other.get("match") or other["begin"]).search(line, at)
                if found and (best is None or found.start() < best.start()): best, rule = found, other
            if best is None: return
            key = (best.start(), best.end(), id(rule), len(stack))
            if best.start() == best.end() and key in empty: return
            empty.add(key)
            if rule is None:
                self.paint(best, top.get("endCaptures") or top.get("captures") or {}, None, start, out)
                stack.pop()
            elif "begin" in rule:
                self.paint(best, rule.get("beginCaptures") or rule.get("captures") or {}, rule.get("name"), start, out)
                stack.append(rule)
            else:
                self.paint(best, rule.get("captures", {}), rule.get("name"), start, out)
            at = best.end()
            if at > len(line): return

    @staticmethod
    def paint(found, captures, name, start, out):
        if name:
            for i in range(*found.span()): out[start + i] = name
        for group, scope in captures.items():
            if found.group(int(group)) is None: continue
            for i in range(*found.span(int(group))): out[start + i] = scope["name"]
