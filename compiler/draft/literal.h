// JSON and Python literals: what people paste when they copy an `aoa_config` out of a file or a program.
//
// One grammar reads both: Python's dictionaries, lists, tuples, texts, numbers and constants, with comments, trailing
// commas, texts side by side, `+` between lists or texts, and a `NAME =` or `return` in front; true, false and null are
// JSON's. Nothing is carried out: a name, a call, a comprehension and a format string with fields are mistakes that
// say how to get at the values.
#pragma once

#include <optional>

#include "compiler/diag/diagnostic.h"
#include "compiler/draft/value.h"

namespace aoa::draft {

std::optional<Value> ReadLiteral(const SourceFile& source, diag::Diagnostics& diagnostics);

}  // namespace aoa::draft
