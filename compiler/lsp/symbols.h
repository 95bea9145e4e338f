// The outline of a file: dimensions, sides with their tensors, maps with their statements.
#pragma once

#include <nlohmann/json.hpp>

#include "compiler/lsp/analysis.h"

namespace aoa::lsp {

// As the protocol's DocumentSymbol, nested.
nlohmann::json SymbolsOf(const Analysis& analysis);

}  // namespace aoa::lsp
