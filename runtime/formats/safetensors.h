// `format safetensors`: plain safetensors files, for tests and tools. Without a mesh one model.safetensors (or what
// Hugging Face shards into, when read); with a mesh one file per rank (rank_files.h).
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class SafetensorsFormat : public Format {
 public:
  std::string_view name() const override { return "safetensors"; }
  std::vector<std::string_view> variants() const override { return {}; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  // Those of a Hugging Face model, so that a conversion to plain files and back keeps them.
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
