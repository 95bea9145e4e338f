// Formatting as an editor applies it.
#pragma once

#include <nlohmann/json.hpp>

#include "compiler/core/source.h"

namespace aoa::lsp {

// The protocol's list of TextEdit that gives the file its canonical layout: none if it has it, else one of the lines
// that change. Null for a file with mistakes of spelling: its layout is not known.
nlohmann::json FormatEdits(const SourceFile& source);

}  // namespace aoa::lsp
