// From a rule file and the headers of a checkpoint to a Program.
//
// Order of work. The path of sides is found; meshes get their sizes; equations are evaluated. Then shapes and names of
// the source are looked at, in rounds, because each may fix a dimension that lets a condition, a name or another shape
// be understood. When nothing changes any more, the source's tensors are listed, and the statements of every map on the
// path become instances, in run order, so that a statement may read what an earlier one made.
#pragma once

#include <optional>

#include "compiler/bind/program.h"
#include "compiler/bind/unit.h"
#include "compiler/core/schema.h"

namespace aoa::bind {

// Nothing if a diagnostic says that the run is impossible. The unit must be free of errors and outlive the program.
std::optional<Program> Bind(const Unit& unit, const Schema& source, const Request& request,
                            diag::Diagnostics& diagnostics);

// The bound program as text: dimensions with their origins, the sides' tensors and types, the statements with the
// number of their instances. `--emit=types`.
std::string Dump(const Program& program);

}  // namespace aoa::bind
