// Diagnostics as text for a terminal.
#pragma once

#include <string>

#include "compiler/diag/diagnostic.h"

namespace aoa::diag {

struct RenderOptions {
  bool color = false;
  int limit = 20;  // errors shown; the rest is counted
};

// One diagnostic, ending in a line end:
//
//   error[AOA0402]: piece 1 of `w` and piece 1 of `v` have different variables
//    --> rules.aoa:16:3
//      |
//   16 |   w <-> v
//      |   ^     - [m h]
//      = expected: ...
//      = help: ...
//
// Control characters of the source are shown as blanks, long lines through a window. Never fails, whatever the ranges.
std::string Render(const Diagnostic& diagnostic, const RenderOptions& options);

// All of them in order, and a closing line "2 errors, 1 warning" if there was an error.
std::string Render(const Diagnostics& diagnostics, const RenderOptions& options);

}  // namespace aoa::diag
