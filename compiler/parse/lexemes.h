// A file as classified words: what an editor needs of a text that may be half typed.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "compiler/core/source.h"

namespace aoa::parse {

struct Lexeme {
  enum class Kind {
    kKeyword,      // of a line, of a declaration, of an expression
    kName,         // a tensor, a side, a format, a word after a keyword
    kIdentifier,   // a name in a type or an expression
    kConfigKey,    // config.a.b
    kFunction,     // max, pad
    kAttribute,    // of a statement: `scale` of `scale=2`, `copy`
    kString,       // with its quotes
    kNumber,       //
    kArrow,        //
    kOpenBlock,    // the `{` of a block; braces inside names are part of them
    kCloseBlock,   //
    kPunctuation,  // brackets, operators, commas
    kLineEnd,      // the end of a line that ends an item; empty
  };
  Kind kind = Kind::kName;
  uint32_t begin = 0;  // bytes of the source
  uint32_t end = 0;
};

// "keyword", "name", ...
std::string_view KindName(Lexeme::Kind kind);

// The words of a file in their order, comments left out. Mistakes are not reported: what could be read stands in the
// result.
std::vector<Lexeme> ReadLexemes(const SourceFile& source);

}  // namespace aoa::parse
