// The distributed optimizer's states in a distributed checkpoint of the type `dp_reshardable`: one flat tensor for each
// bucket of each model-parallel rank. They say where in a bucket something begins and not what; that follows from the
// order of the model's parameters, and has to agree with them.
//
// Source: sharded_param_state_dp_reshardable in megatron/core/optimizer/distrib_optimizer.py of Megatron Core 0.16.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/megatron_args.h"
#include "runtime/formats/megatron_dist_model.h"

namespace aoa::formats {

// What the names of all its tensors and objects begin with.
inline constexpr std::string_view kDistBuckets = "optimizer.distributed.";
// The states in buckets and model-shaped ones, by the endings of their names here.
struct DistState {
  std::string_view key, ending;
};
inline constexpr DistState kDistStates[] = {{"param", "master"}, {"exp_avg", "exp_avg"}, {"exp_avg_sq", "exp_avg_sq"}};

// "optimizer.distributed.dp_group_idx_3."
std::string DistGroupPrefix(int64_t group);
// "optimizer.distributed.dp_group_idx_3.gbuf_idx_0.dtype_(torch.bfloat16, torch.float32).bucket_idx_1."
std::string DistBucketPrefix(int64_t group, int64_t buffer, std::string_view types, int64_t bucket);

// How a tensor lies on tensor-parallel ranks, by its chunks. Nothing if they are no such cut, or if layers do not lie
// apart.
std::optional<DistTensor> DistTensorOf(const DcpTensor& tensor, int64_t tp);

// Adds the states of all weights to a schema, as chunks called WEIGHT.master, WEIGHT.exp_avg and WEIGHT.exp_avg_sq.
// `usual` is the order that the run's arguments speak of. States that cannot be placed are left out, with a note.
Status AddDistBuckets(const std::string& folder, const DcpMetadata& metadata, const MegatronMesh& mesh, DistOrder usual,
                      int threads, Schema& schema);

}  // namespace aoa::formats
