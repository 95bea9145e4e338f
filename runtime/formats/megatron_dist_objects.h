// What stands beside the tensors in a distributed checkpoint of Megatron Core: common.pt, and the objects that lie
// among the tensors.
//
// Source: generate_state_dict of megatron/training/checkpointing.py, sharded_state_dict of megatron/core/optimizer, of
// Megatron Core 0.16; files of 0.16.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/dcp_target.h"
#include "runtime/formats/megatron_buffers.h"
#include "runtime/formats/megatron_dist_model.h"
#include "runtime/formats/megatron_object.h"

namespace aoa::formats {

// The run that a checkpoint is written for.
struct DistRun {
  MegatronTarget target;
  std::string variant;
  DType dtype = DType::kF32;  // of the weights
  DType gradients = DType::kF32;
  DistOrder order = DistOrder::kLocal;
  bool has_states = false, has_masters = false;
  bool groups[2] = {false, false};  // whether there are weights that decay, and others
  std::optional<uint32_t> step;     // the tensor that holds it
  DType step_dtype = DType::kF32;

  bool distributed() const { return has_states && variant != "dist"; }
};

// The run that a target's configuration and the source's arguments speak of: its order and its gradients' type. What
// the table says is the caller's.
Result<DistRun> MakeDistRun(MegatronTarget target, std::string variant, DType dtype);

// "(torch.bfloat16, torch.float32)"
std::string BufferTypes(const DistRun& run);

// The file at `path`.
Result<TargetFile> LayOutDistCommon(const DistRun& run, const std::string& path, int64_t rank, uint32_t table);

// The parameter groups of one model-parallel rank, its scale of losses (nothing if there is none), and the lengths of
// its buckets with and without padding: one list for each buffer.
Result<DcpItem> AddDistGroups(const DistRun& run, DcpTargetFile& file);
Result<std::optional<DcpItem>> AddDistScaler(const DistRun& run, DcpTargetFile& file);
Result<DcpItem> AddBucketLengths(const DistRun& run, const std::vector<std::vector<int64_t>>& lengths,
                                 DcpTargetFile& file);
// What layers keep beside their tensors: nothing.
Result<DcpItem> AddNoExtraState(DcpTargetFile& file);

}  // namespace aoa::formats
