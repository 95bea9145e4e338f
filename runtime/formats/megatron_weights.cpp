#include "runtime/formats/megatron_weights.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/formats/quote.h"
#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

// The ending of a state's name behind that of its weight; empty if it has none of Megatron's.
std::string_view EndingOf(const TargetTensor& state, const std::vector<TargetTensor>& table) {
  for (std::string_view ending : {kMaster, kExpAvg, kExpAvgSq, kStep}) {
    if (state.weight != TargetTensor::kNoWeight && state.name == fmt::format("{}.{}", table[state.weight].name, ending))
      return ending;
  }
  return "";
}

}  // namespace

Result<std::vector<MegatronTargetWeight>> FindMegatronWeights(const std::vector<TargetTensor>& table) {
  std::vector<MegatronTargetWeight> weights;
  std::vector<size_t> index(table.size());
  for (uint32_t i = 0; i < table.size(); ++i) {
    const TargetTensor& tensor = table[i];
    if (TorchDTypeName(tensor.dtype).empty())
      return Status::Invalid(fmt::format("tensor {}: torch has no type {}", Quote(tensor.name), Name(tensor.dtype)));
    if (tensor.role.empty()) {
      index[i] = weights.size();
      weights.push_back({i, {}});
      continue;
    }
    std::string_view ending = EndingOf(tensor, table);
    if (ending.empty())
      return Status::Invalid(
          fmt::format("{} is no state of Megatron's optimizers, which are called WEIGHT.{}, WEIGHT.{}, WEIGHT.{} and "
                      "WEIGHT.{}",
                      Quote(tensor.name), kMaster, kExpAvg, kExpAvgSq, kStep));
    weights[index[tensor.weight]].states[ending] = i;
  }
  return weights;
}

bool HasState(const std::vector<MegatronTargetWeight>& weights, std::string_view ending) {
  return std::any_of(weights.begin(), weights.end(), [&](const auto& w) { return w.states.contains(ending); });
}

std::optional<uint32_t> StepOf(const std::vector<MegatronTargetWeight>& weights) {
  for (const MegatronTargetWeight& weight : weights) {
    if (auto it = weight.states.find(kStep); it != weight.states.end()) return it->second;
  }
  return std::nullopt;
}

}  // namespace aoa::formats
