// `format paddle`: PaddlePaddle's checkpoints.
//
// Variants:
//   pdparams          a file of weights and one of states for each rank (paddle_ranks.h)
//   pdparams_stage2   the same as sharding stage 2 deals the states; read, it is no other
//   flex              a folder for weights, one for masters and one for states, each with its metadata (paddle_flex.h)
//   flex_safetensors  the same, with safetensors for Paddle's own files
// Flex checkpoints are read only.
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class PaddleFormat : public Format {
 public:
  std::string_view name() const override { return "paddle"; }
  std::vector<std::string_view> variants() const override {
    return {"pdparams", "pdparams_stage2", "flex", "flex_safetensors"};
  }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
