// Elements one at a time: the reference for kernels, and what only a scalar path can do (means over replicas, norms).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/sources.h"

namespace aoa::exec {

// Reads single elements through small windows of the files, one per source.
class ElementReader {
 public:
  explicit ElementReader(Sources& sources) : sources_(sources) {}

  // The bytes of an element, `offset` bytes behind the start of a block.
  Result<uint64_t> Bits(const Plan::InShard& shard, uint64_t offset, int width);

  // The element's value after a chain: bits of the last step's type. `replicas` has one shard, or all that a kMean
  // averages.
  Result<uint64_t> Value(std::span<const Plan::InShard> replicas, DType type, uint64_t offset, const ValueChain& chain,
                         double norm, uint32_t& flags);

 private:
  struct Window {
    uint32_t file = 0xFFFFFFFF;
    uint64_t begin = 0;
    std::vector<std::byte> bytes;
  };
  static constexpr uint64_t kWindow = 64 << 10;

  Sources& sources_;
  std::vector<Window> windows_;  // of the latest places
  size_t next_ = 0;
};

// A number as short as it can be said exactly.
std::string Show(double value);
// The number that the bits of any type stand for.
double NumberOf(DType type, uint64_t bits);

// The norms of plan.norms: the square roots of the sums of squares, added in the order of the normalised axis.
Result<std::vector<std::vector<double>>> ReadNorms(const Plan& plan, Sources& sources);

}  // namespace aoa::exec
