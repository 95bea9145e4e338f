// YAML, by yaml-cpp.
#pragma once

#include <optional>

#include "compiler/diag/diagnostic.h"
#include "compiler/draft/value.h"

namespace aoa::draft {

// The first document of a file. No exception of the library leaves it.
std::optional<Value> ReadYaml(const SourceFile& source, diag::Diagnostics& diagnostics);

}  // namespace aoa::draft
