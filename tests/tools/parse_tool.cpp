// What the parse phase alone makes of a file: its tree, its canonical layout (--fmt), its words with their kinds
// (--lexemes), or what is wrong with it.
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "compiler/diag/render.h"
#include "compiler/parse/lexemes.h"
#include "compiler/parse/parse.h"

namespace {

// "keyword 0 6": the kind, and the bytes.
void PrintLexemes(const aoa::SourceFile& source) {
  for (const aoa::parse::Lexeme& lexeme : aoa::parse::ReadLexemes(source)) {
    std::string kind(aoa::parse::KindName(lexeme.kind));
    std::printf("%s %u %u\n", kind.c_str(), lexeme.begin, lexeme.end);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string mode = argc == 3 ? argv[1] : "";
  if (argc < 2 || argc > 3 || (argc == 3 && mode != "--fmt" && mode != "--quiet" && mode != "--lexemes")) {
    std::fputs("usage: parse_tool [--fmt|--quiet|--lexemes] FILE\n", stderr);
    return 2;
  }
  std::ifstream in(argv[argc - 1], std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", argv[argc - 1]);
    return 3;
  }
  std::stringstream text;
  text << in.rdbuf();
  aoa::SourceFile source(argv[argc - 1], text.str());
  aoa::diag::Diagnostics diagnostics;
  aoa::ast::File file = aoa::parse::Parse(source, diagnostics);
  std::fputs(aoa::diag::Render(diagnostics, {.color = false, .limit = 1000}).c_str(), stderr);
  if (diagnostics.HasErrors()) return 1;
  if (mode == "--fmt")
    std::fputs(aoa::parse::Format(source).c_str(), stdout);
  else if (mode == "--lexemes")
    PrintLexemes(source);
  else if (mode != "--quiet")
    std::fputs(aoa::parse::Dump(file).c_str(), stdout);
  return 0;
}
