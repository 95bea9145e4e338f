#!/usr/bin/env python3
"""The TextMate grammar against the lexer: every word of rule files gets the scope of its kind.

    grammar_check.py --tool PARSE_TOOL FILE...

The keywords of the grammar are those of grammar/AoaLexer.g4, and the first file uses each of them.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

from textmate import Grammar

ROOT = pathlib.Path(__file__).resolve().parents[2]
VSCODE = ROOT / "docs" / "editors" / "vscode"
# What the lexer calls a word, and the scopes that it may have.
SCOPES = {
    "keyword": r"keyword\.(control|other)",
    "name": r"entity\.name|support\.type|constant\.other\.value|variable\.other\.dimension",
    "identifier": r"variable\.other\.dimension",
    "config": r"variable\.language\.config",
    "function": r"support\.function",
    "attribute": r"entity\.other\.attribute-name",
    "string": r"string\.quoted",
    "number": r"constant\.(numeric|other\.value)",
    "arrow": r"keyword\.operator\.arrow",
    "block": r"punctuation\.section\.block",
    "punctuation": r"punctuation\.|keyword\.operator",
}
# Types of tokens that stand for many words, or for none.
NO_WORDS = {"END", "KEY", "FLAG", "FUNCTION", "PAD"}
SPELLING = {"ELSE_IF": "else if", "OTHERWISE": "else"}


def keywords():
    text = (ROOT / "grammar" / "AoaLexer.g4").read_text()
    tokens = re.sub(r"//.*", "", re.search(r"^tokens \{(.*?)^\}", text, re.S | re.M)[1])
    return {SPELLING.get(t, t.lower()) for t in re.findall(r"\w+", tokens) if t not in NO_WORDS}


def lexemes(tool, path):
    run = subprocess.run([tool, "--lexemes", str(path)], capture_output=True, text=True)
    if run.returncode: raise SystemExit(f"{path}: {run.stderr}")
    for line in run.stdout.splitlines():
        kind, begin, end = line.split()
        if kind != "end": yield kind, int(begin), int(end)


def check(tool, grammar, path):
    """What differs, and the keywords that the file uses."""
    data = path.read_bytes()
    text = data.decode()
    scopes = grammar.scopes(text)
    wrong, used = [], set()
    for kind, begin, end in lexemes(tool, path):
        first, last = len(data[:begin].decode()), len(data[:end].decode())
        word = text[first:last]
        if kind == "keyword": used.add(" ".join(word.split()))
        found = {scopes[i] for i in range(first, last) if not text[i].isspace()}
        if any(scope is None or not re.match(SCOPES[kind], scope) for scope in found):
            line = text.count("\n", 0, first) + 1
            wrong.append(f"{path.name}:{line}: `{word}` is {kind} for the lexer, {sorted(map(str, found))} for the grammar")
    return wrong, used


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    for file in ("package.json", "language-configuration.json"): json.loads((VSCODE / file).read_text())
    grammar = Grammar(VSCODE / "syntaxes" / "aoa.tmLanguage.json")
    wrong = []
    for i, path in enumerate(arguments.files):
        found, used = check(arguments.tool, grammar, path)
        wrong += found
        if i == 0 and used != keywords(): wrong.append(f"{path.name}: keywords used and keywords of the lexer differ by {used ^ keywords()}")
    print("\n".join(wrong[:40]) or f"{len(arguments.files)} files are coloured as they are read")
    return 1 if wrong else 0


if __name__ == "__main__": sys.exit(main())
