// Megatron-LM's and Megatron Core's own checkpoints, one folder per model-parallel rank (`legacy`), with the
// distributed optimizer's buffers beside (`legacy_distopt`).
// Core's distributed checkpoints are `dist` and its kin (megatron_dist.h).
//
// A rank of the schema is (pp, dp, tp), tp fastest. Weights and states are read as the ranks with dp = 0, which write
// them all; virtual stages are numbered on from one to the next, as one stage that has the layers of all.
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class MegatronFormat : public Format {
 public:
  std::string_view name() const override { return "megatron"; }
  std::vector<std::string_view> variants() const override {
    return {"legacy", "legacy_distopt", "dist", "dist_fully_reshardable", "dist_dp_reshardable"};
  }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  bool StoresConfiguration() const override { return true; }
  WantedCuts WantsCuts() const override { return WantedCuts::kRuns; }
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
