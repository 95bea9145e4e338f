// Bounds on what a rule file may ask the compiler to write out.
#pragma once

#include "compiler/bind/unit.h"

namespace aoa::bind {

// Aliases and sums multiply: a few lines can stand for more factors and pieces than memory holds. They are counted
// before anything is written out. False, with diagnostics, if a type is too large or an alias stands for itself; then
// the unit must not be looked at any further.
bool CheckLimits(const Unit& unit, diag::Diagnostics& diagnostics);

}  // namespace aoa::bind
