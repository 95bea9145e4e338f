// Writing Paddle's checkpoints: files of ranks (paddle_ranks.h).
#pragma once

#include "compiler/core/layout.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// The weights of each stage and tensor-parallel rank, and a file of states for each of its sharding ranks, which get
// whole states: the largest first (in stage 2 as they are declared), each to the rank that has the fewest elements so
// far.
Result<TargetLayout> LayOutPaddleRanks(const TargetContent& content, bool stage2);

}  // namespace aoa::formats
