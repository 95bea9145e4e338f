// `format hf`: Hugging Face model folders. model.safetensors, or model-00001-of-0000N.safetensors and so on with an
// index (shard_index.h), beside the configuration and the tokenizer.
//
// Variants are the containers that transformers reads and writes:
//   safetensors   model*.safetensors
//   bin           pytorch_model*.bin, files of torch.save; a folder that holds both is read from safetensors
//   bin_legacy    the same in the form before torch 1.6
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class HfFormat : public Format {
 public:
  std::string_view name() const override { return "hf"; }
  std::vector<std::string_view> variants() const override { return {"safetensors", "bin", "bin_legacy"}; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
