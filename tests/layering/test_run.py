#!/usr/bin/env python3
"""Tests run.py with small trees: a clean one, and one for each breach, which must be noticed."""
import sys, tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import PHASES, RUNTIME, breaches  # noqa: E402

CLEAN = {
    'compiler/core/a.h': '#include <vector>\n#include "compiler/core/b.h"\n',
    'compiler/bind/a.cpp': '#include <fmt/format.h>\n#include "compiler/parse/ast.h"\n// as Megatron and Llama do\nauto x = "Paddle drops it";\n',
    'compiler/parse/a.cpp': '#include <antlr4-runtime.h>\n',
    'compiler/driver/a.cpp': '#include "runtime/exec/executor.h"\n',
    'runtime/formats/a.cpp': '#include "runtime/io/file.h"\nauto x = "megatron";\n',
    'runtime/exec/a.cpp': '#include "compiler/core/plan.h"\n',
}
BREACHES = [
    ('compiler/core/x.h', '#include <fmt/format.h>\n', 'standard library only'),
    ('compiler/core/x.h', '#include <nlohmann/json.hpp>\n', 'standard library only'),
    ('compiler/core/x.h', '#include "compiler/diag/diagnostic.h"\n', 'layer above'),
    ('compiler/parse/x.cpp', '#include "compiler/bind/bind.h"\n', 'layer above'),
    ('compiler/plan/x.cpp', '#include "runtime/io/file.h"\n', 'layer above'),
    ('compiler/lsp/x.cpp', '#include "compiler/plan/build_plan.h"\n', 'layer above'),
    ('compiler/lsp/x.cpp', '#include "runtime/io/file.h"\n', 'layer above'),
    ('runtime/io/x.cpp', '#include "compiler/diag/diagnostic.h"\n', 'layer above'),
    ('runtime/io/x.cpp', '#include "runtime/exec/executor.h"\n', 'layer above'),
    ('compiler/driver/x.cpp', '#include <llvm/IR/Module.h>\n', 'only compiler/codegen'),
    ('tests/unit/x.cpp', '#include "antlr4-runtime.h"\n', 'only compiler/parse'),
    ('compiler/plan/x.cpp', '// fine\nauto x = "llama";\n', 'x.cpp:2: names the model family'),
    ('compiler/plan/x.cpp', 'auto x = "https://a" + Qwen2();\n', 'names the model family'),
    ('compiler/plan/x.cpp', 'void ReadMegatron();\n', 'names the framework'),
    ('compiler/plan/x.cpp', 'auto x = "paddle";\n', 'names the framework'),
    ('compiler/util/x.cpp', '', 'no layer'),
]


def found(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for top in [f'compiler/{p}' for p in PHASES] + [f'runtime/{r}' for r in RUNTIME] + ['tests']:
            (root / top).mkdir(parents=True)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return list(breaches(root))


wrong = [f'a clean tree: {line}' for line in found(CLEAN)]
for path, text, reason in BREACHES:
    lines = found({**CLEAN, path: text})
    if len(lines) != 1 or reason not in lines[0]: wrong.append(f'{path} {text!r}: {lines}, expected one with {reason!r}')
print('\n'.join(wrong) or f'{len(BREACHES) + 1} trees judged rightly')
sys.exit(1 if wrong else 0)
