// Checkpoints of MindSpore and MindFormers.
//
// Variants `ckpt` and `safetensors`: a folder `rank_0`, `rank_1`, ... with a file each, `PREFIX0.ckpt`,
// `PREFIX1.ckpt`, ... (of several in a folder the last by name counts, as in MindSpore's own tools); or one complete
// file, or a folder with one. How the files of ranks are cut only strategy files say (mindspore_strategy.h); without
// one a rank's file is complete. A target that is cut by the types of its side has its
// strategy in `strategy/`, where it is found when the target is read.
//
// Variant `unified`: `part0.safetensors`, ... with whole tensors, `param_name_map.json` that says which file has which,
// and `hyper_param.safetensors` with the numbers of the run.
//
// Numbers of the run (steps, learning rate, loss scale) and texts stand among the tensors. They are no part of the
// model: the reader keeps them aside, and they are written again when the target is MindSpore's too.
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class MindSporeFormat : public Format {
 public:
  std::string_view name() const override { return "mindspore"; }
  std::vector<std::string_view> variants() const override { return {"ckpt", "safetensors", "unified"}; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  bool HasLayouts() const override { return true; }
  Result<std::shared_ptr<const Shardings>> ReadLayout(const std::string& path) const override;
  Result<std::string> WriteLayout(const Shardings& layout, const std::string& path) const override;
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
