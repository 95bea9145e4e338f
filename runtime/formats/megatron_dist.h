// Megatron Core's distributed checkpoints (`torch_dist`): a folder of torch.distributed.checkpoint, with what is not
// cut in common.pt. Layers are stacked, so tensors are whole and have an axis of layers.
//
// Variants differ in the optimizer's states:
//   dist                    of weights' shapes, masters as `fp32_param`
//   dist_fully_reshardable  of weights' shapes, masters as `param`, of the distributed optimizer
//   dist_dp_reshardable     the distributed optimizer's buckets (megatron_dist_buckets.h)
//
// Source: megatron/core/dist_checkpointing and megatron/training/checkpointing.py of Megatron Core 0.16.
#pragma once

#include <string>
#include <string_view>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

inline constexpr std::string_view kDistCommon = "common.pt", kDistConfig = "metadata.json";
inline constexpr std::string_view kDist = "dist", kFullyReshardable = "dist_fully_reshardable",
                                  kDpReshardable = "dist_dp_reshardable";
// Names of model-shaped states: this, the state, a dot and the weight's name.
inline constexpr std::string_view kDistStatePrefix = "optimizer.state.";
// The object with a rank's generators of random numbers begins with this.
inline constexpr std::string_view kDistRandom = "rng_state/";

// Whether the folder of an iteration is one.
bool IsMegatronDist(const std::string& folder);

// Reads the tensors of an iteration's folder into a schema. States are called WEIGHT.exp_avg, WEIGHT.exp_avg_sq,
// WEIGHT.master and WEIGHT.step. Buckets that cannot be understood are left behind, with a note.
Status ReadMegatronDist(const std::string& folder, int threads, Schema& schema);

}  // namespace aoa::formats
