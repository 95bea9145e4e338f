// The format "internevo": checkpoints of InternEvo's trainer. See internevo_files.h.
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class InternEvoFormat : public Format {
 public:
  std::string_view name() const override { return "internevo"; }
  std::vector<std::string_view> variants() const override { return {"tp", "tp_wp", "wp"}; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  bool StoresConfiguration() const override { return true; }
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
