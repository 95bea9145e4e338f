// What an editor shows beside a name.
#pragma once

#include <optional>
#include <string>

#include "compiler/lsp/extents.h"

namespace aoa::lsp {

struct Hover {
  std::string markdown;
  SourceRange where;
};

// A tensor's type and extents, a dimension's equation and value, a side's formats: of the name at `offset`.
// `checkpoint` may be null; `extents` are of both.
std::optional<Hover> HoverAt(const Analysis& analysis, const Checkpoint* checkpoint, Extents& extents, uint32_t offset);

}  // namespace aoa::lsp
