// How the ranks of the sharding axis share out the optimizer's states of the weights that they all hold.
//
//   kWholeBySize   stage 1: whole states, the largest weight's first, each to the rank with the fewest elements so far
//   kBuffers       stage 1 with split_param (v2): weights one behind the other in buffers, which are cut evenly
//   kWholeInOrder  stage 2: as stage 1, but as the weights are declared
//   kSlices        stage 3: every weight of more than some number of elements is cut by itself; of the others each rank
//                  has the states
//
// Source: paddle/distributed/fleet/meta_optimizers/dygraph_optimizer/dygraph_sharding_optimizer.py,
// fleet/utils/tensor_fusion_helper.py, fleet/meta_parallel/sharding/group_sharded_{optimizer_stage2,stage3}.py of
// Paddle 3.3.1, whose files agree.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/core/dtype.h"

namespace aoa::formats {

enum class PaddleDealing : uint8_t { kWholeBySize, kBuffers, kWholeInOrder, kSlices };

// What the end of a variant's name says: "_v2", "_stage2", "_stage3", or nothing.
PaddleDealing PaddleDealingOf(std::string_view variant);

// A weight as it lies on the ranks: elements of its block, and its own type (not that of its states).
struct PaddleWeight {
  int64_t count = 0;
  DType dtype = DType::kF32;
};

// What a rank has of the states of a weight.
struct PaddleShare {
  bool held = false;
  bool flat = false;             // a window of the row-major elements, which is a line of its own
  int64_t first = 0, count = 0;  // the window; all elements where it is not flat
  int64_t length = 0;            // of the line in memory, and in files of ranks: with the zeros behind the window
  bool operator==(const PaddleShare&) const = default;
};

inline constexpr int64_t kPaddleSegment = int64_t{1} << 20;  // stage 3's default

// By sharding rank, then by weight. `segment`: stage 3 cuts weights of more elements.
std::vector<std::vector<PaddleShare>> DealPaddleStates(std::span<const PaddleWeight> weights, int64_t ranks,
                                                       PaddleDealing dealing, int64_t segment);

}  // namespace aoa::formats
