// Digests of whole tensors, which say whether two checkpoints hold the same whatever their layout.
//
// The digest of a tensor is XXH3-128 over its dtype's name, its shape, and its elements row-major, little-endian. It
// finds accidents (swapped heads, a transposed square); it is no signature, since XXH3 does not resist an attacker.
#pragma once

#include <string>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/exec/filler.h"

namespace aoa::exec {

struct TensorHead {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

// 32 hexadecimal digits for a shard of the plan that is a whole tensor.
Result<std::string> DigestShard(const FillContext& context, const Plan::OutShard& shard, const TensorHead& head);
// The same for one number, and for a tensor without elements.
std::string DigestScalar(uint64_t bits, const TensorHead& head);
std::string DigestEmpty(const TensorHead& head);
// Of many tensors: 32 hexadecimal digits over (name, digest), by ascending name.
std::string DigestOf(std::vector<std::pair<std::string, std::string>> tensors);

}  // namespace aoa::exec
