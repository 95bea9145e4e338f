// An InternEvo checkpoint as a schema: one file for each rank that holds a part of the model, the first of several that
// hold the same. Weights lose the `model.` in front of their names. States are called WEIGHT.master, WEIGHT.exp_avg,
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

inline constexpr std::string_view kInternEvoModel = "model.";
inline constexpr std::string_view kInternEvoPlan = "zero_devide_optim_plan";  // so spelled

// What stands around the tensors.
struct InternEvoKept : Preserved {
  std::vector<ExtraFile> around;       // files with the run's state, as they are
  std::optional<TorchFile> optimizer;  // of the first rank: settings of the optimizer
};

Result<Schema> ReadInternEvo(const std::string& path, int threads);

}  // namespace aoa::formats
