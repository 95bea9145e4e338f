// Whatever the bytes: the parser ends, throws nothing and builds a tree that can be walked. Text without a mistake has
// a canonical layout that is a fixed point and means the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "compiler/diag/render.h"
#include "compiler/parse/parse.h"
#include "tests/fuzz/harness.h"

namespace {

void Require(bool holds, const char* what, const std::string& text) {
  if (holds) return;
  std::fprintf(stderr, "%s for:\n%s\n", what, text.c_str());
  std::abort();
}

}  // namespace

void aoa::fuzz::Test(std::string_view input) {
  aoa::SourceFile source("fuzz.aoa", std::string(input));
  aoa::diag::Diagnostics diagnostics;
  aoa::ast::File file = aoa::parse::Parse(source, diagnostics);
  std::string dump = aoa::parse::Dump(file);
  aoa::diag::Render(diagnostics, {.limit = 1 << 20});
  aoa::diag::Diagnostics of_expression;
  aoa::parse::ParseExpression({&source, 0, static_cast<uint32_t>(input.size())}, of_expression);
  if (diagnostics.HasErrors()) return;

  aoa::SourceFile formatted("formatted.aoa", aoa::parse::Format(source));
  aoa::diag::Diagnostics none;
  aoa::ast::File again = aoa::parse::Parse(formatted, none);
  Require(!none.HasErrors(), "formatting makes a mistake", source.text() + "\n--- into\n" + formatted.text());
  Require(aoa::parse::Dump(again) == dump, "formatting changes the tree",
          source.text() + "\n--- into\n" + formatted.text());
  std::string twice = aoa::parse::Format(formatted);
  Require(twice == formatted.text(), "formatting is no fixed point", formatted.text() + "\n--- into\n" + twice);
}

const std::vector<std::string>& aoa::fuzz::Words() {
  static const std::vector<std::string> words = {"{",       "}",        "[",
                                                 "]",       "(",        ")",
                                                 " -> ",    " <-> ",    "<-",
                                                 ",",       "\n",       "\"",
                                                 "'",       "#",        "side ",
                                                 "map ",    "dims ",    "if ",
                                                 "else ",   "else if",  "for l in 0..",
                                                 "${",      "$l",       "^T",
                                                 "@tp",     " : f32",   "axis ",
                                                 "pad(",    "not ",     "copy",
                                                 "{a,b}",   "\r\n",     "\xEF\xBB\xBF",
                                                 "*",       "_",        "\\u0",
                                                 "config.", " stored ", " optional",
                                                 "..",      "==",       "?=",
                                                 "1.5e3",   "\xC3\xA9"};
  return words;
}
