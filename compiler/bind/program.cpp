#include "compiler/bind/program.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

uint64_t StateKey(TensorId weight, int role) {
  return static_cast<uint64_t>(weight) << 16 | static_cast<uint64_t>(role);
}

}  // namespace

std::string Role::NameFor(std::string_view weight) const {
  if (weight.starts_with(left_out)) weight.remove_prefix(left_out.size());
  return prefix + std::string(weight) + suffix;
}

std::optional<std::string> Role::WeightOf(std::string_view state) const {
  if (state.size() <= prefix.size() + suffix.size() || !state.starts_with(prefix) || !state.ends_with(suffix))
    return std::nullopt;
  return left_out + std::string(state.substr(prefix.size(), state.size() - prefix.size() - suffix.size()));
}

Stages StagesOf(const End& end, const Family& family, const std::string& name) {
  Stages out(end.placements.size());
  if (end.placements.empty() || family.pattern.IsPlain() || family.pattern.HasStar()) return out;
  auto values = family.pattern.Match(name);
  if (!values) return out;
  for (size_t i = 0; i < end.placements.size(); ++i) {
    const Placement& p = end.placements[i];
    auto value = values->find(p.variable);
    if (value == values->end()) continue;
    for (size_t stage = 0; stage < p.deal.stages.size(); ++stage) {
      const std::vector<int64_t>& indices = p.deal.stages[stage];
      if (std::binary_search(indices.begin(), indices.end(), value->second)) out[i] = static_cast<int64_t>(stage);
    }
  }
  return out;
}

bool IsOn(const End& end, const Family& family, const Stages& stages, const std::vector<int64_t>& coordinates) {
  for (size_t i = 0; i < stages.size(); ++i) {
    const Placement& p = end.placements[i];
    if (stages[i] && *stages[i] != (p.axis ? coordinates[*p.axis] : 0)) return false;
  }
  return std::all_of(family.on.begin(), family.on.end(), [&](const OnEnds& on) {
    int64_t at = coordinates[on.axis];
    return (on.first && at == 0) || (on.last && at == end.mesh.axis(on.axis).size - 1);
  });
}

bool IsOnRank(const End& end, const Family& family, const Stages& stages, const std::string& name, int64_t rank) {
  if (end.shardings) return end.shardings->Holds(name, rank);
  return IsOn(end, family, stages, end.mesh.Coordinates(rank));
}

std::optional<ShardedType> ShardedAt(const End& end, uint32_t number, const TensorType& type, int64_t rank,
                                     std::vector<int64_t>& coordinates, const std::string& name, SourceRange where,
                                     diag::Diagnostics& diagnostics) {
  const Sharding& sharding = *end.shardings->At(number, rank);
  std::string problem;
  auto sharded = Apply(sharding, type, &problem);
  if (sharded)
    coordinates = CoordinatesIn(sharding, rank % end.shardings->ranks);
  else
    diagnostics.Error(diag::Code::kCut, where, fmt::format("the layout does not fit `{}`: {}", name, problem))
        .Found(diag::Printable(end.shardings->path));
  return sharded;
}

std::string LocalName(const End& end, const Family& family, const Stages& stages, const std::string& name) {
  bool local = false;
  for (size_t i = 0; i < stages.size(); ++i) local |= stages[i] && end.placements[i].node->numbered_locally;
  if (!local) return name;
  Assignment values = *family.pattern.Match(name);
  for (size_t i = 0; i < stages.size(); ++i) {
    const Placement& p = end.placements[i];
    if (!stages[i] || !p.node->numbered_locally) continue;
    const std::vector<int64_t>& indices = p.deal.stages[static_cast<size_t>(*stages[i])];
    int64_t& value = values.at(p.variable);
    value = std::lower_bound(indices.begin(), indices.end(), value) - indices.begin();
  }
  return family.pattern.Spell(values);
}

TensorId End::Find(std::string_view name) const {
  auto id = names.Find(name);
  return id && *id < weights.size() ? weights[*id] : kNoTensor;
}

TensorId End::FindState(TensorId weight, int role) const {
  auto it = states.find(StateKey(weight, role));
  return it == states.end() ? kNoTensor : it->second;
}

TensorId End::Add(std::string_view name, Tensor tensor) {
  tensor.name = names.Intern(name);
  auto id = static_cast<TensorId>(tensors.size());
  tensors.push_back(std::move(tensor));
  weights.resize(std::max<size_t>(weights.size(), names.size()), kNoTensor);
  weights[tensors[id].name] = id;
  return id;
}

TensorId End::AddState(std::string_view name, Tensor tensor) {
  tensor.name = names.Intern(name);
  auto id = static_cast<TensorId>(tensors.size());
  states[StateKey(tensor.weight, tensor.role)] = id;
  tensors.push_back(std::move(tensor));
  return id;
}

std::vector<size_t> FirstTensors(const std::vector<OperandView>& operands) {
  std::vector<size_t> out = {0};
  for (const OperandView& operand : operands) {
    size_t count = operand.blank ? 0 : 1;
    for (const PieceVariable& v : operand.stacked) count *= static_cast<size_t>(std::max<int64_t>(0, v.extent));
    out.push_back(out.back() + count);
  }
  return out;
}

}  // namespace aoa::bind
