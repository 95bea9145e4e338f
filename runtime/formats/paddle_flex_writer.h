// Writing flex checkpoints (paddle_flex.h): `model_state`, `master_weight` and `optimizer_state`, each with a file for
// every rank and `0.metadata`.
//
// A block that several ranks have is kept by one of them. Paddle goes through the blocks in the order in which the
// ranks first name them, and gives each to the file that has the fewest so far, among equals to the first by name.
//
// Source: paddle/distributed/flex_checkpoint/dcp/save_state_dict.py of Paddle 3.3.1.
#pragma once

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/paddle_target.h"

namespace aoa::formats {

// `safetensors`: the files of ranks are such. Needs all ranks, and TargetContent::shardings of blocks where there is a
// mesh.
Result<TargetLayout> LayOutPaddleFlex(const PaddleTarget& target, bool safetensors);

}  // namespace aoa::formats
