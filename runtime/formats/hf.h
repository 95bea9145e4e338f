// `format hf`: Hugging Face model folders. model.safetensors, or model-00001-of-0000N.safetensors and so on with an
// index (shard_index.h), beside the configuration and the tokenizer.
//
// Variants are the containers that transformers reads and writes. Each adds its forms to Recognizes, Read and LayOut:
//   safetensors   here
//   bin           pytorch_model*.bin: once the torch reader is there
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class HfFormat : public Format {
 public:
  std::string_view name() const override { return "hf"; }
  std::vector<std::string_view> variants() const override { return {"safetensors"}; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
