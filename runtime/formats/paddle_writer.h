// Writing Paddle's checkpoints as files of ranks (paddle_ranks.h).
#pragma once

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/paddle_target.h"

namespace aoa::formats {

// The weights of each stage and tensor-parallel rank, and a file for each of its sharding ranks with the states that it
// has.
Result<TargetLayout> LayOutPaddleRanks(const PaddleTarget& target);

}  // namespace aoa::formats
