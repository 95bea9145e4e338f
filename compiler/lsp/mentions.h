// Every name of a file with its place and its meaning: what hover and "go to definition" look up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/parse/ast.h"

namespace aoa::lsp {

struct Mention {
  enum class Kind {
    kTensor,     // a tensor's name: of a declaration, a statement, `tied`, `blocks of`, `remove`
    kDimension,  // in a type, an expression, a tensor's name (`$l`), or where an equation begins
    kAxis,       // of a mesh
    kSide,
    kImport,  // the path
    kConfig,  // config.a.b
  };
  Kind kind = Kind::kTensor;
  SourceRange where;
  std::string name;                   // of the dimension, axis or side; the path
  std::vector<std::string> sides;     // in whose scope it stands: none, one, or both of a map
  const ast::Name* tensor = nullptr;  // kTensor
  SourceRange loop = {};              // kDimension: the variable of the `for` around it that has this name
};

std::vector<Mention> MentionsOf(const ast::File& file);

// The smallest one that holds the place, or touches it on its left or right.
std::optional<Mention> MentionAt(const ast::File& file, uint32_t offset);

}  // namespace aoa::lsp
