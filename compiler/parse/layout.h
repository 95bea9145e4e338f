// Lines of formatted text whose columns are aligned with those of their neighbours.
#pragma once

#include <string>
#include <vector>

namespace aoa::parse {

struct LayoutLine {
  enum class Kind {
    kText,         // is aligned with nothing
    kDeclaration,  // name, type, attributes
    kRole,         // `state moment1`, the rest
    kComment,      // nothing but a comment
    kBlank,
  };
  Kind kind = Kind::kText;
  size_t indent = 0;
  std::vector<std::string> cells = {""};
  std::string comment;       // with its `#`; the whole line of a kComment
  bool opens_block = false;  // ends in the `{` of a block of several lines
};

// The lines as text. Cells stand below each other in a run of lines of one kind and indentation, comments behind lines
// in a run of lines that have one. Empty lines end a run, lines that are comments do not.
std::string Print(std::vector<LayoutLine> lines);

}  // namespace aoa::parse
