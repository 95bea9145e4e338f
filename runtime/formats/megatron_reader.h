// Reading Megatron's checkpoints: all ranks into one schema.
#pragma once

#include <string>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// Fills mesh, files, configuration and what is preserved.
Status ReadMegatron(const std::string& path, int threads, Schema& schema);

}  // namespace aoa::formats
