// The format "deepspeed": checkpoints of DeepSpeed's engines. See deepspeed_files.h.
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class DeepSpeedFormat : public Format {
 public:
  std::string_view name() const override { return "deepspeed"; }
  std::vector<std::string_view> variants() const override {
    return {"zero1", "zero2", "zero3", "universal", "pipeline", "mp"};
  }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  bool StoresConfiguration() const override { return true; }
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
