// The state of a run that DeepSpeed's files hold beside tensors: kept from a source in the same format, with what the
// target changes, or honest defaults.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "runtime/formats/deepspeed_reader.h"
#include "runtime/formats/deepspeed_target.h"

namespace aoa::formats {

class DeepSpeedState {
 public:
  // `kept` may be null; `stage` is that of ZeRO, 0 without.
  DeepSpeedState(const DeepSpeedKept* kept, const WriteOptions& options, const DeepSpeedMesh& mesh, int64_t stage,
                 DType dtype);

  // The name of the checkpoint's folder: the source's, or one of the form that DeepSpeed uses.
  const std::string& tag() const { return tag_; }
  int64_t steps() const { return steps_; }
  // The source's scripts.
  std::vector<ExtraFile> scripts() const { return kept_ ? kept_->scripts : std::vector<ExtraFile>(); }

  // What a file of model states holds. `module` and `shapes` may be None; `shared`: second copies by
  // name, with their originals; `pipeline`: with the arguments of the run.
  Result<const pickle::Value*> Model(const pickle::Value* module, const pickle::Value* shapes,
                                     const pickle::Value* shared, bool pipeline, pickle::Tree& tree) const;
  // Of the files of a trainer that uses no ZeRO: the weights, and what the source had beside them.
  Result<const pickle::Value*> Plain(const pickle::Value* module, pickle::Tree& tree) const;

  // Of an optimizer's file: the value of a key of `optimizer_state_dict`, or `otherwise`.
  Result<const pickle::Value*> Optimizer(std::string_view key, const pickle::Value* otherwise,
                                         pickle::Tree& tree) const;
  // The inner optimizer's groups of parameters; the g-th is like the like[g]-th of the source and has the parameters
  // numbered by params[g].
  Result<const pickle::Value*> Groups(const std::vector<size_t>& like, const std::vector<std::vector<int64_t>>& params,
                                      pickle::Tree& tree) const;

  // `ds_config`.
  const nlohmann::json& config() const { return ds_config_; }
  std::string_view version() const;

 private:
  Result<const pickle::Value*> Kept(const TorchFile* file, const pickle::Value* value, pickle::Tree& tree) const;
  const pickle::Value* KeptInModel(std::string_view key) const;
  Result<const pickle::Value*> Arguments(pickle::Tree& tree) const;

  const DeepSpeedKept* kept_;
  nlohmann::json target_;  // the target's configuration
  nlohmann::json ds_config_;
  DeepSpeedMesh mesh_;
  DType dtype_;
  std::string tag_;
  int64_t steps_ = 0;
};

}  // namespace aoa::formats
