// The files of one model-parallel rank to be written: model_optim_rng.pt, and distrib_optim.pt for the distributed
// optimizer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/megatron_rank.h"

namespace aoa::formats {

struct MegatronTarget {
  MegatronMesh mesh;
  int64_t tp = 0, pp = 0, rank = 0;
  int64_t iteration = 0;
  int64_t vocabulary = 0;              // padded, of all ranks; 0 if no rank has an embedding
  bool distributed = false;            // states go into distrib_optim.pt
  std::string config;                  // arguments that the rules give, as JSON; or empty
  const MegatronRank* like = nullptr;  // whose arguments, groups and further values are kept; or null
  bool same_rank = false;              // `like` is this rank of a run of the same mesh
  bool dist = false;                   // it is for a distributed checkpoint
};

// The files below `folder`, which ends in a slash. Tensors of the table are weights in the order of the model, then
// states that are called WEIGHT.master, .exp_avg, .exp_avg_sq and .step.
Result<std::vector<TargetFile>> LayOutMegatronRank(const std::vector<TargetTensor>& table, const MegatronTarget& target,
                                                   const std::string& folder);

}  // namespace aoa::formats
