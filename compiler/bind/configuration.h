// The configuration that a target gets: dimensions and values in its own spelling.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "compiler/bind/program.h"

namespace aoa::bind {

// The configuration of the run's target, if its side has a `config { }` block. Where the source's side has none, and
// `alike` says that both formats' configurations are of one kind, what the block does not name is kept. Keys of names
// that nothing fixes are left out.
std::optional<nlohmann::json> TargetConfiguration(const Program& program, const nlohmann::json* source, bool alike);

// The keys that a source's own configuration has under the names of its side's `config { }` block, as the rule file's
// `dims` spell them: `num_layers = l` and `l = config.num_hidden_layers` say that num_layers is num_hidden_layers.
// Nothing for a side without a block: its configuration is spelled so already.
std::optional<nlohmann::json> CommonConfiguration(const Unit& unit, const Side& side, const nlohmann::json& own);

}  // namespace aoa::bind
