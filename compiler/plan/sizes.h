// Which sizes of a mesh axis cut all tensors of a target, for a message about one that does not.
#pragma once

#include <vector>

#include "compiler/bind/program.h"
#include "compiler/plan/layouts.h"

namespace aoa::plan {

// Adds to the last message about a cut, for each axis of the mesh that did not cut some tensor, the sizes that would
// do for every tensor of the target, unless that message has said them.
void HelpWithSizes(const bind::Program& program, const std::vector<Layouts::Refused>& refused,
                   diag::Diagnostics& diagnostics);

}  // namespace aoa::plan
