#include "runtime/exec/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/exec/elements.h"
#include "runtime/exec/stream.h"

namespace aoa::exec {
namespace {

// Adds what differs in `a` and `b`, of equal length, which begin at element `at`.
void AddDifferences(std::span<const std::byte> a, std::span<const std::byte> b, int64_t at, DType dtype,
                    Difference& difference) {
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) return;
  auto width = static_cast<size_t>(Width(dtype));
  for (size_t i = 0; i < a.size(); i += width) {
    if (std::memcmp(a.data() + i, b.data() + i, width) == 0) continue;
    uint64_t bits_a = 0, bits_b = 0;
    std::memcpy(&bits_a, a.data() + i, width);
    std::memcpy(&bits_b, b.data() + i, width);
    ++difference.count;
    if (difference.first.size() < Difference::kMostShown)
      difference.first.push_back({at + static_cast<int64_t>(i / width), bits_a, bits_b});
    double distance = std::fabs(NumberOf(dtype, bits_a) - NumberOf(dtype, bits_b));
    if (distance > difference.largest) difference.largest = distance;
  }
}

}  // namespace

Result<std::optional<Difference>> CompareShards(const FillContext& a, const Plan::OutShard& shard_a,
                                                const FillContext& b, const Plan::OutShard& shard_b, DType dtype) {
  ShardStream stream_a(a, shard_a), stream_b(b, shard_b);
  std::span<const std::byte> left, right;
  Difference difference;
  int64_t at = 0;
  for (;;) {
    if (left.empty() && !stream_a.done()) {
      AOA_ASSIGN_OR_RETURN(left, stream_a.Next());
    }
    if (right.empty() && !stream_b.done()) {
      AOA_ASSIGN_OR_RETURN(right, stream_b.Next());
    }
    size_t size = std::min(left.size(), right.size());
    if (size == 0) break;
    AddDifferences(left.first(size), right.first(size), at, dtype, difference);
    at += static_cast<int64_t>(size) / Width(dtype);
    left = left.subspan(size);
    right = right.subspan(size);
  }
  return difference.count == 0 ? std::optional<Difference>() : std::optional(difference);
}

}  // namespace aoa::exec
