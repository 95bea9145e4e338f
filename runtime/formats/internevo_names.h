// Names of weights in InternEvo's files: "model.layers.0.attention.wo.weight", with the number of a virtual stage in
// front where there are several, "1.model.layers.0.attention.wo.weight". Layers are numbered in their virtual stage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/status.h"

namespace aoa::formats {

// Turns the names of a rank's weights into those that they have in the pipeline stage: without `model.`, and numbered
// on over its virtual stages, which all have as many layers. Returns how many these are.
Result<int64_t> ToStageNames(std::vector<std::string>& names);

// The other way round. Names are in the order of the modules: what stands before the layers is in the first virtual
// stage, what stands behind them in the last; without layers all is in the first on the first stage.
Status ToFileNames(std::vector<std::string>& names, int64_t chunks, bool first_stage);

}  // namespace aoa::formats
