// A checkpoint as it lies, without rules.
#pragma once

#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/schema.h"

namespace aoa::plan {

struct PlainTensor {
  uint32_t name = 0, shape = 0;  // in the schema
  DType dtype = DType::kF32;
  int64_t rank = 0;  // of its file
};

// A plan whose out_shards are the tensors of all files in their order, each as it is stored. It has no target files and
// no jobs: its shards are to be looked at, `chunk_bytes` at a time. `tensors` describes them, by OutShard::target.
Plan PlainPlan(const Schema& schema, uint64_t chunk_bytes, std::vector<PlainTensor>& tensors);

}  // namespace aoa::plan
