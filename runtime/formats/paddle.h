// `format paddle`: PaddlePaddle's checkpoints.
//
// Variants:
//   pdparams          a file of weights and one of states for each rank (paddle_ranks.h)
//   flex              a folder for weights, one for masters and one for states, each with its metadata (paddle_flex.h)
//   flex_safetensors  the same, with safetensors for Paddle's own files
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class PaddleFormat : public Format {
 public:
  std::string_view name() const override { return "paddle"; }
  std::vector<std::string_view> variants() const override { return {"pdparams", "flex", "flex_safetensors"}; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
