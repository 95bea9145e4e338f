// The configuration that a target gets: dimensions and values in its own spelling.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "compiler/bind/program.h"

namespace aoa::bind {

// The configuration of the run's target, if its side has a `config { }` block. Where the source's side has none its
// keys are those of the target, and what the block does not name is kept. Keys of names that nothing fixes are left
// out.
std::optional<nlohmann::json> TargetConfiguration(const Program& program, const nlohmann::json* source);

}  // namespace aoa::bind
