// `format paddle`: PaddlePaddle's checkpoints.
//
// Variants:
//   flex              a folder for weights, one for masters and one for states, each with its metadata (paddle_flex.h)
//   flex_safetensors  the same, with safetensors for Paddle's own files
//   pdparams          a file of weights and one of states for each rank (paddle_ranks.h)
// The endings _v2, _stage2 and _stage3 say how the states are dealt to the ranks of the sharding axis
// (paddle_partition.h); without one it is stage 1, whole states. What is read says it itself. A side's `segment_size`
// is that of stage 3.
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class PaddleFormat : public Format {
 public:
  std::string_view name() const override { return "paddle"; }
  std::vector<std::string_view> variants() const override {
    return {"flex",     "flex_v2",     "flex_stage2",     "flex_stage3",    "flex_safetensors",
            "pdparams", "pdparams_v2", "pdparams_stage2", "pdparams_stage3"};
  }
  WantedCuts WantsCuts() const override { return WantedCuts::kBlocks; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
