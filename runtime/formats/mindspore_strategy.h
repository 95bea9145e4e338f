// How the parameters of a MindSpore run are cut: its strategy files together.
//
// A run without pipeline has one file, and any rank's says the same. With pipeline each rank has the file of its stage,
// or there is one merged file, whose names begin with the stage and a dash. `current_stage` counts how often the
// process has saved; the stage of a file is that of its strategy items.
#pragma once

#include <memory>
#include <string>

#include "compiler/core/sharding.h"
#include "compiler/core/status.h"
#include "runtime/formats/mindspore_strategy_file.h"

namespace aoa::formats {

// Reads a file, or a folder of the files of ranks or stages.
Result<std::shared_ptr<const Shardings>> ReadStrategies(const std::string& path);

// A single file for all: merged if there are stages.
Strategy StrategyOf(const Shardings& shardings);

}  // namespace aoa::formats
