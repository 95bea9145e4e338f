// A DeepSpeed checkpoint as a schema: one file for each model-parallel rank, put together from the files of its
// data-parallel ranks. States are named after their weights: WEIGHT.fp32, WEIGHT.exp_avg, WEIGHT.step and so on, as the
// files of a universal checkpoint are. An f32 weight is its own fp32 copy, which is not named again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "compiler/core/layout.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/deepspeed_files.h"
#include "runtime/formats/format.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

// What stands around the tensors: the first rank's files, of which a checkpoint that is written takes the run's state.
struct DeepSpeedKept : Preserved {
  std::string tag;
  std::optional<TorchFile> model;
  std::optional<TorchFile> optimizer;
  std::vector<std::vector<std::string>> groups;  // the names of parameters by group of the optimizer, in its order
  std::vector<ExtraFile> scripts;                // DeepSpeed's own, which read its checkpoints
};

Result<Schema> ReadDeepSpeed(const std::string& path, const ReadOptions& options);

// The folders of a universal checkpoint's parameters. `schema` has its path and format.
Status ReadUniversal(const DeepSpeedFiles& files, int threads, Schema& schema);

// What every reader keeps: the tag and the scripts. Scripts that cannot be read are left behind.
std::shared_ptr<DeepSpeedKept> KeepDeepSpeed(const DeepSpeedFiles& files);

// The element type that a run computes in, by its `ds_config`; nothing if that says neither bf16 nor fp16.
std::optional<DType> RunDType(const pickle::Value& root);

}  // namespace aoa::formats
