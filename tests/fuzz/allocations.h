// Counts what a program asks of the heap.
#pragma once

#include <cstddef>

namespace aoa::testing {

// The sum of all sizes that `new` was asked for so far, freed or not.
size_t AllocatedBytes();

}  // namespace aoa::testing
