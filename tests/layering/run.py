#!/usr/bin/env python3
"""Checks the tree against CONTRIBUTING.md: who may include whom, and what C++ may name. One line per breach.

    run.py [ROOT]

Looks at every .cpp and .h below compiler/ and runtime/ (and, for ANTLR and LLVM, everywhere).
"""
import re, sys
from pathlib import Path

# Data flows down: a folder includes itself and those before it.
PHASES = ['core', 'diag', 'parse', 'bind', 'prove', 'index', 'plan', 'draft', 'codegen', 'lsp', 'driver']
RUNTIME = ['io', 'formats', 'exec']
CORE_LIBRARY = re.compile(r'[a-z_0-9]+')          # headers of the standard library have no dot and no slash
OWNERS = {'antlr4': 'compiler/parse', 'llvm': 'compiler/codegen', 'yaml-cpp': 'compiler/draft'}

FAMILIES = re.compile(r'\b(llama\d?|alpaca|qwen\w*|baichuan\w*|chatglm\w*|glm\w*|bloom|mistral|mixtral|gpt\w*|internlm\w*|gemma\w*|'
                      r'deepseek\w*|smollm\w*)\b', re.I)
FRAMEWORKS = re.compile(r'paddle|megatron|deepspeed|internevo|mindspore|mindformers|colossal|fairscale', re.I)
# What users read as examples of what to type is no knowledge of a family or a framework.
EXAMPLES = {'compiler/driver/help.h'}
# Paddle's statements are part of the language (docs/language.md), so its phases may speak of them.
STATEMENTS = ('compiler/parse/', 'compiler/bind/', 'compiler/prove/', 'compiler/draft/')

INCLUDE = re.compile(r'^\s*#\s*include\s*(<([^>]+)>|"([^"]+)")', re.M)


def layer(path):
    """('compiler'|'runtime', folder) of a path of ours, else None."""
    parts = path.split('/')
    return tuple(parts[:2]) if len(parts) > 2 and parts[0] in ('compiler', 'runtime') else None


# Beside the phases: what editors ask needs no more than the rules.
LIMITS = {'lsp': ('core', 'diag', 'parse', 'bind', 'prove', 'lsp')}


def may_include(source, target):
    if source[0] == 'compiler':
        if target[0] == 'runtime': return source[1] == 'driver'
        if source[1] in LIMITS: return target[1] in LIMITS[source[1]]
        return PHASES.index(target[1]) <= PHASES.index(source[1])
    if target[0] == 'compiler': return target[1] == 'core'
    return RUNTIME.index(target[1]) <= RUNTIME.index(source[1])


def without_comments(text):
    """Comments become blanks; line numbers stay."""
    token = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
    return token.sub(lambda m: re.sub(r'[^\n]', ' ', m[0]) if m[0].startswith('/') else m[0], text)


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def check_includes(path, text):
    source = layer(path)
    for m in INCLUDE.finditer(text):
        name, where = m[2] or m[3], f'{path}:{line_of(text, m.start(1))}'
        for library, owner in OWNERS.items():
            if name.lower().startswith(library) and not path.startswith(owner + '/'):
                yield f'{where}: includes <{name}>; only {owner} may'
        if not source: continue
        target = layer(name)
        if target and (target[1] not in PHASES + RUNTIME or not may_include(source, target)):
            yield f'{where}: {"/".join(source)} includes {name}, of a layer above it'
        if source == ('compiler', 'core') and not target and not (m[2] and CORE_LIBRARY.fullmatch(name)):
            yield f'{where}: compiler/core includes {name}; it needs the standard library only'


def check_names(path, text):
    if not layer(path) or path in EXAMPLES: return
    code = without_comments(text)
    for m in FAMILIES.finditer(code):
        yield f'{path}:{line_of(code, m.start())}: names the model family {m[0]}; families live in rules/'
    if path.startswith('runtime/formats/'): return
    for m in FRAMEWORKS.finditer(code):
        if m[0].lower() == 'paddle' and path.startswith(STATEMENTS): continue
        yield f'{path}:{line_of(code, m.start())}: names the framework {m[0]}; frameworks live in runtime/formats and rules/'


def check_folders(root):
    for top, known in (('compiler', PHASES), ('runtime', RUNTIME)):
        for folder in sorted(p.name for p in (root / top).iterdir() if p.is_dir()):
            if folder not in known: yield f'{top}/{folder}: is no layer that tests/layering/run.py knows'


def breaches(root):
    yield from check_folders(root)
    for top in ('compiler', 'runtime', 'tests'):
        for file in sorted((root / top).rglob('*')):
            if file.suffix not in ('.cpp', '.h'): continue
            path, text = file.relative_to(root).as_posix(), file.read_text()
            yield from check_includes(path, text)
            yield from check_names(path, text)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
    found = list(breaches(root))
    for line in found: print(line)
    files = sum(1 for top in ('compiler', 'runtime') for f in (root / top).rglob('*') if f.suffix in ('.cpp', '.h'))
    print(f'{files} files, {len(found)} breaches')
    return 1 if found or not files else 0


if __name__ == '__main__': sys.exit(main())
