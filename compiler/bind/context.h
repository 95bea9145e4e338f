// What may stand under conditions and in loops, as far as the text alone decides it.
#pragma once

#include "compiler/bind/unit.h"

namespace aoa::bind {

// What is no tensor cannot be there for some numbers only.
void CheckChosenOnce(SourceRange where, const Context& context, diag::Diagnostics& diagnostics);

// A condition may ask about the number of one variable, inside its `for`. `context` is that of the `if`.
void CheckVariables(const ast::Expr& condition, const Context& context, diag::Diagnostics& diagnostics);

// Two lines under the same conditions without ranges of their own.
bool SameContext(const Context& a, const Context& b);

}  // namespace aoa::bind
