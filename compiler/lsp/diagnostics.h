// Diagnostics as editors show them.
// https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#diagnostic
#pragma once

#include <nlohmann/json.hpp>

#include "compiler/lsp/analysis.h"

namespace aoa::lsp {

// Those of a file, in the order of their places. What is wrong in an imported file stands at the line that imports it,
// with the place as related information.
nlohmann::json DiagnosticsOf(const Analysis& analysis);

}  // namespace aoa::lsp
