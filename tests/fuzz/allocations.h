// Counts what a program asks of the heap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/harness.h"

namespace aoa::testing {

// The sum of all sizes that `new` was asked for so far, freed or not.
size_t AllocatedBytes();

// What is asked for in a scope must stay below a bound, in bytes.
class AllocationBound {
 public:
  explicit AllocationBound(size_t most) : end_(AllocatedBytes() + most) {}
  AllocationBound(const AllocationBound&) = delete;
  ~AllocationBound() { REQUIRE(AllocatedBytes() < end_); }

 private:
  size_t end_;
};

}  // namespace aoa::testing
