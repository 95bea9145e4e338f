// What stands in a checkpoint of MindSpore beside the model: numbers and texts of the run.
#pragma once

#include <vector>

#include "compiler/core/schema.h"
#include "runtime/formats/mindspore_ckpt.h"

namespace aoa::formats {

struct MindSporeRun : Preserved {
  std::vector<CkptText> values;  // in the order of the file
};

}  // namespace aoa::formats
