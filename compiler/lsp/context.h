// Where the cursor stands in a text that is being typed: found from the words before it alone, for the line itself may
// not parse yet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/parse/lexemes.h"

namespace aoa::lsp {

struct CursorContext {
  enum class Block { kFile, kDims, kSide, kMap, kConfig, kDefault };
  Block block = Block::kFile;
  std::string side;               // kSide, and what is inside of it: its name
  std::string left, right;        // kMap: its sides
  std::vector<std::string> line;  // the words of the line before the one that is being typed
  bool in_type = false;           // inside [ ]
  bool in_comment = false;        // nothing is to be completed; the same inside an import's string
  std::string typed;              // the word before the cursor, or empty
  uint32_t begin = 0;             // where it begins

  bool Has(std::string_view word) const;  // in `line`
  std::string_view First() const { return line.empty() ? std::string_view() : line.front(); }
  std::string_view Last() const { return line.empty() ? std::string_view() : line.back(); }
  bool HasArrow() const { return Has("<->") || Has("->") || Has("<-"); }
};

CursorContext ContextAt(std::string_view text, uint32_t offset);

}  // namespace aoa::lsp
