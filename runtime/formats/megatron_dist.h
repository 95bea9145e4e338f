// Megatron Core's distributed checkpoints (`torch_dist`): a folder of torch.distributed.checkpoint, with what is not
// cut in common.pt. Layers are stacked, so tensors are whole and have an axis of layers.
//
// Source: megatron/core/dist_checkpointing of Megatron Core 0.16.
#pragma once

#include <string>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// Whether the folder of an iteration is one.
bool IsMegatronDist(const std::string& folder);

// Reads the tensors of an iteration's folder into a schema. States are called WEIGHT.exp_avg, WEIGHT.exp_avg_sq and
// WEIGHT.master; those that lie in buckets of a data-parallel group are left behind, with a note.
Status ReadMegatronDist(const std::string& folder, int threads, Schema& schema);

}  // namespace aoa::formats
