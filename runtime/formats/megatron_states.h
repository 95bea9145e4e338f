// The tensors of a Megatron rank for a schema: weights, and the states that optimizers keep of them as
// WEIGHT.master, .exp_avg, .exp_avg_sq and .step.
#pragma once

#include <string>
#include <vector>

#include "compiler/core/status.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/megatron_rank.h"

namespace aoa::formats {

// Adds them to the file that `out` has begun. States that cannot be read are left out, and `notes` says so.
Status AddMegatronTensors(const MegatronRank& rank, CompositeSchema& out, std::vector<std::string>& notes);

}  // namespace aoa::formats
