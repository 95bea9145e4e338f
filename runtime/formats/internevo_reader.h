// An InternEvo checkpoint as a schema: one file for each rank that holds a part of the model, the first of several that
// hold the same. Weights are called as in the pipeline stage (internevo_names.h), states WEIGHT.master, WEIGHT.exp_avg,
// WEIGHT.exp_avg_sq and WEIGHT.step; an f32 weight is its own master.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/internevo_files.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

inline constexpr std::string_view kInternEvoPlan = "zero_devide_optim_plan";  // so spelled

inline constexpr std::string_view kInternEvoConfig = "model_config.pt";
inline constexpr std::string_view kInternEvoScheduler = "schedulder.pt";  // so spelled
inline constexpr std::string_view kInternEvoContext = "context.pt";

// What stands around the tensors.
struct InternEvoKept : Preserved {
  InternEvoMesh mesh;
  std::vector<ExtraFile> around;       // files with the run's state, as they are
  std::optional<TorchFile> optimizer;  // of the first rank: settings of the optimizer
  std::optional<TorchFile> config;     // kInternEvoConfig
  std::optional<TorchFile> scheduler;  // kInternEvoScheduler
};

Result<Schema> ReadInternEvo(const std::string& path, int threads);

}  // namespace aoa::formats
