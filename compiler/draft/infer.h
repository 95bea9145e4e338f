// What a checkpoint tells about an imported configuration: the types of both sides, and the tensors that no statement
// reads.
#pragma once

#include <optional>

#include "compiler/core/schema.h"
#include "compiler/draft/import.h"
#include "compiler/draft/side.h"

namespace aoa::draft {

// `source` is where the statements take their tensors from, with the model's configuration (which may be null). Binds
// the statements to it by shapes alone; what does not fit is reported at the places of the configuration. Then
// `statements` with the sides that are returned has the same meaning, typed; those that names of the source make mean
// something else are reworded, and `traps` get what only the names tell. `texts` keeps what diagnostics point into.
std::optional<ImportedSides> InferSides(AoaConfig& statements, const Schema& source, const nlohmann::json* config,
                                        std::vector<Trap>& traps, SourceFiles& texts, diag::Diagnostics& diagnostics);

// The tensors of a checkpoint, each name once.
std::vector<NamedShape> TensorsOf(const Schema& schema);

}  // namespace aoa::draft
