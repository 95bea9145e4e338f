// What holds for the schema of every checkpoint that a reader accepts.
#pragma once

#include "compiler/core/schema.h"

namespace aoa::fuzz {

// Aborts where a number of a schema points beyond what it numbers, a tensor lies outside of its file, a stretch outside
// of its store, or a chunk outside of its whole tensor or of another type than the other chunks.
void CheckSchema(const Schema& schema);

}  // namespace aoa::fuzz
