// Tokens as the parser and the formatter see them.
#pragma once

#include <cstdint>
#include <vector>

namespace aoa::parse {

// The type of the last token, as ANTLR has it.
inline constexpr uint32_t kEof = static_cast<uint32_t>(-1);

struct Token {
  uint32_t type = 0;   // of AoaLexer, or kEof
  uint32_t begin = 0;  // bytes of the source
  uint32_t end = 0;
  uint32_t line = 0;  // which logical line it is of: an index into Tokens::broken
};

// A file as tokens. Line ends that end nothing are gone, those that do are END; the last one is EOF.
struct Tokens {
  std::vector<Token> all;
  // Whether a mistake in the logical line has been reported: what else is wrong with it may follow from that one. An
  // item's line starts after the END before it, after a `{` that opens a block, or with the `}` that closes one.
  std::vector<bool> broken;
};

}  // namespace aoa::parse
