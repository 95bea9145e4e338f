#include "runtime/formats/internevo_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "runtime/formats/internevo_names.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

using Place = std::optional<uint32_t> InternEvoWeight::*;

constexpr std::pair<std::string_view, Place> kStates[] = {{"master", &InternEvoWeight::master},
                                                          {"exp_avg", &InternEvoWeight::exp_avg},
                                                          {"exp_avg_sq", &InternEvoWeight::exp_avg_sq},
                                                          {"step", &InternEvoWeight::step}};

Status AddState(const std::vector<TargetTensor>& table, uint32_t number, InternEvoWeight& weight) {
  const TargetTensor& state = table[number];
  for (auto [ending, place] : kStates) {
    if (state.name != fmt::format("{}.{}", table[weight.weight].name, ending) || state.scalar != (ending == "step"))
      continue;
    if (!state.scalar && state.dtype != DType::kF32)
      return Status::Usage(
          fmt::format("InternEvo keeps states in f32, and {} is {}", Quote(state.name), Name(state.dtype)));
    weight.*place = number;
    return Status();
  }
  return Status::Usage(
      fmt::format("{} is no state that InternEvo has, which are called WEIGHT.master, WEIGHT.exp_avg, "
                  "WEIGHT.exp_avg_sq, and WEIGHT.step for a number",
                  Quote(state.name)));
}

// Every weight has its master and the same moments as the first.
Status CheckStates(const std::vector<TargetTensor>& table, const std::vector<InternEvoWeight>& weights) {
  for (const InternEvoWeight& weight : weights) {
    const std::string name = Quote(table[weight.weight].name);
    if (!weight.master) {
      return Status::Usage(
          fmt::format("the source has optimizer states without f32 weights, which InternEvo needs beside {}", name));
    }
    for (Place place : {&InternEvoWeight::exp_avg, &InternEvoWeight::exp_avg_sq}) {
      if ((weight.*place).has_value() == weights.front().HasMoments()) continue;
      return Status::Usage(
          fmt::format("{} and {} do not have the same optimizer states: InternEvo flattens them together",
                      Quote(table[weights.front().weight].name), name));
    }
  }
  return Status();
}

void Deal(const std::vector<TargetTensor>& table, DType model, const InternEvoMesh& mesh, InternEvoTable& out) {
  for (InternEvoGroup group : GroupsOf(mesh.weight_parallel())) {
    std::vector<size_t> members;
    std::vector<int64_t> sizes;
    for (size_t i = 0; i < out.weights.size(); ++i) {
      const TargetTensor& tensor = table[out.weights[i].weight];
      if (GroupOf(tensor.name, tensor.dtype, model, mesh.weight_parallel()) != group) continue;
      members.push_back(i);
      sizes.push_back(ElementCount(tensor.shape));
    }
    std::vector<size_t> sorted;
    std::vector<int64_t> descending;
    for (size_t i : BySize(sizes)) {
      sorted.push_back(members[i]);
      descending.push_back(sizes[i]);
    }
    auto& plan = out.plan.emplace_back();
    auto& shares = out.shares.emplace_back();
    out.members.push_back(std::move(members));
    for (const auto& taken : DealWhole(descending, group == InternEvoGroup::kEmbedHead ? mesh.dp : mesh.zo)) {
      auto& entries = plan.emplace_back();
      auto& share = shares.emplace_back();
      for (size_t i : taken) {
        entries.push_back(PlanEntry(i, table[out.weights[sorted[i]].weight].shape));
        share.push_back(sorted[i]);
      }
    }
  }
}

}  // namespace

DType ModelDType(const TargetContent& content) {
  for (const auto& table : content.tables) {
    for (const TargetTensor& tensor : table) {
      if (tensor.role.empty() && tensor.dtype != DType::kF32) return tensor.dtype;
    }
  }
  return DType::kF32;
}

bool HasStates(const TargetContent& content) {
  return std::any_of(content.tables.begin(), content.tables.end(), [](const auto& table) {
    return std::any_of(table.begin(), table.end(), [](const TargetTensor& tensor) { return !tensor.role.empty(); });
  });
}

Result<InternEvoTable> SortInternEvoTable(const std::vector<TargetTensor>& table, DType model,
                                          const InternEvoMesh& mesh, bool first_stage, bool states) {
  InternEvoTable out;
  std::vector<std::string> names;
  std::map<uint32_t, size_t> places;
  for (uint32_t i = 0; i < table.size(); ++i) {
    const TargetTensor& tensor = table[i];
    if (TorchDTypeName(tensor.dtype).empty())
      return Status::Invalid(fmt::format("tensor {}: torch has no type {}", Quote(tensor.name), Name(tensor.dtype)));
    if (!tensor.role.empty()) continue;
    places[i] = out.weights.size();
    names.push_back(tensor.name);
    out.weights.push_back({i, "", {}, {}, {}, {}});
    if (tensor.dtype == DType::kF32) out.weights.back().master = i;
  }
  for (uint32_t i = 0; i < table.size(); ++i) {
    if (table[i].role.empty()) continue;
    auto place = places.find(table[i].weight);
    if (place == places.end())
      return Status::Usage(
          fmt::format("the state {} is on a rank that does not have its weight", Quote(table[i].name)));
    AOA_RETURN_IF_ERROR(AddState(table, i, out.weights[place->second]));
  }
  if (states) AOA_RETURN_IF_ERROR(CheckStates(table, out.weights));
  AOA_RETURN_IF_ERROR(ToFileNames(names, mesh.vpp, first_stage));
  for (size_t i = 0; i < names.size(); ++i) out.weights[i].name = std::move(names[i]);
  Deal(table, model, mesh, out);
  return out;
}

}  // namespace aoa::formats
