// The elements of a shard in their order, a chunk at a time: what digests and comparisons look at.
#pragma once

#include <cstdint>
#include <span>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/filler.h"

namespace aoa::exec {

// The plan's programs must be in order (no tiles).
class ShardStream {
 public:
  ShardStream(const FillContext& context, const Plan::OutShard& shard)
      : filler_(context), shard_(shard), program_(context.plan.programs[shard.program]) {}

  bool done() const { return at_ == program_.elements; }
  // The next elements; valid until the next call. Empty at the end.
  Result<std::span<const std::byte>> Next();

 private:
  Filler filler_;
  const Plan::OutShard& shard_;
  const Plan::BlockProgram& program_;
  Buffer buffer_;
  int64_t at_ = 0;
};

}  // namespace aoa::exec
