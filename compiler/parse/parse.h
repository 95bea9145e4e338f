// Text to ast::File. The only folder that sees ANTLR; no exception leaves it.
#pragma once

#include <string>

#include "compiler/diag/diagnostic.h"
#include "compiler/parse/ast.h"

namespace aoa::parse {

// Parses a whole file. All mistakes of the file are reported, each once, in words of our own; what could be understood
// is in the result even then. A file that is too long (16 MiB, two million words) or nests too deep (64 brackets), or
// is no UTF-8, is one diagnostic; nothing behind that place is read.
ast::File Parse(const SourceFile& source, diag::Diagnostics& diagnostics);

// Parses an expression that stands inside a bare name, as the `l+3` of `${=l+3}`. `where` is its place in the file.
// Null after a mistake, which is reported.
ast::ExprPtr ParseExpression(SourceRange where, diag::Diagnostics& diagnostics);

// The tree as text, one node a line, indented: `--emit=ast`.
std::string Dump(const ast::File& file);

// The file in its canonical layout: two blanks a level, one blank between words, types and attributes of the lines of a
// block aligned, comments kept where they stand, at most one empty line in a row. A fixed point, and the same tree.
// Only for a source that Parse found no error in.
std::string Format(const SourceFile& source);

}  // namespace aoa::parse
