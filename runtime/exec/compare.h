// Element by element: where two tensors differ, and by how much.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/filler.h"

namespace aoa::exec {

struct Difference {
  struct Element {
    int64_t number = 0;  // row-major
    uint64_t bits_a = 0, bits_b = 0;
  };
  static constexpr size_t kMostShown = 3;

  int64_t count = 0;           // elements whose bits differ
  std::vector<Element> first;  // the first of them, kMostShown at most
  double largest = 0;          // of |a - b| over all that are numbers
};

// Compares shards of two plans, of one type and one number of elements. Nothing if all bits are equal.
Result<std::optional<Difference>> CompareShards(const FillContext& a, const Plan::OutShard& shard_a,
                                                const FillContext& b, const Plan::OutShard& shard_b, DType dtype);

}  // namespace aoa::exec
