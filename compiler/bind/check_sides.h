// What can be wrong with a side by itself, whatever the checkpoint: mesh axes, placements, types that use a variable or
// a cut twice, names that lines refer to.
#pragma once

#include <string>
#include <vector>

#include "compiler/bind/unit.h"

namespace aoa::bind {

// The mesh axes that a side may have, in any of its (conditional) meshes and overlays, each once.
std::vector<std::string> MeshAxesOf(const Side& side);

// Of a name that is no mesh axis of a side: those that the side has.
void HelpWithAxes(diag::Diagnostic& d, const std::string& name, const std::vector<std::string>& axes);

// Checks every side. `formats` are the names that exist.
void CheckSides(const Unit& unit, const std::vector<std::string>& formats, diag::Diagnostics& diagnostics);

}  // namespace aoa::bind
