// The weights that a writer of Megatron's files is asked to store, with the states that belong to each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// The states of a weight, by the endings of their names.
inline constexpr std::string_view kMaster = "master", kStep = "step", kExpAvg = "exp_avg", kExpAvgSq = "exp_avg_sq";

struct MegatronTargetWeight {
  uint32_t number = 0;                          // in the table
  std::map<std::string_view, uint32_t> states;  // numbers in the table, by ending
};

// The weights in the order of the table. kInvalid for an element type that torch lacks, and for a state that is not
// called WEIGHT.ENDING with one of the endings above.
Result<std::vector<MegatronTargetWeight>> FindMegatronWeights(const std::vector<TargetTensor>& table);

// Whether one of them has the state.
bool HasState(const std::vector<MegatronTargetWeight>& weights, std::string_view ending);

// The tensor that holds the step of one of them, if any does.
std::optional<uint32_t> StepOf(const std::vector<MegatronTargetWeight>& weights);

}  // namespace aoa::formats
