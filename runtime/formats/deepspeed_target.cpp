#include "runtime/formats/deepspeed_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "runtime/formats/quote.h"
#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

constexpr std::string_view kMaster = "fp32", kStep = "step";

Status AddState(const std::vector<TargetTensor>& table, uint32_t number, DeepSpeedWeight& weight) {
  const TargetTensor& state = table[number];
  const std::string start = table[weight.weight].name + ".";
  const std::string key = state.name.starts_with(start) ? state.name.substr(start.size()) : "";
  if (key.empty() || key.find('.') != std::string::npos) {
    return Status::Usage(fmt::format("a state in DeepSpeed's files is called by its weight and a key, as {}, not {}",
                                     Quote(start + std::string(kMaster)), Quote(state.name)));
  }
  if (state.scalar != (key == kStep))
    return Status::Usage(fmt::format("DeepSpeed keeps one number for each weight, `step`: {}", Quote(state.name)));
  if (state.scalar)
    weight.step = number;
  else if (key == kMaster)
    weight.master = number;
  else
    weight.moments.emplace_back(key, number);
  return Status();
}

Status CheckAlike(const std::vector<TargetTensor>& table, const DeepSpeedWeight& first, const DeepSpeedWeight& other) {
  auto keys = [](const DeepSpeedWeight& w) {
    std::vector<std::string> out;
    for (const auto& [key, number] : w.moments) out.push_back(key);
    std::sort(out.begin(), out.end());
    return out;
  };
  if (keys(first) == keys(other) && first.master.has_value() == other.master.has_value() &&
      first.step.has_value() == other.step.has_value())
    return Status();
  return Status::Usage(fmt::format("{} and {} do not have the same optimizer states: DeepSpeed flattens them together",
                                   Quote(table[first.weight].name), Quote(table[other.weight].name)));
}

// Puts the weights of an only group into the groups of the source.
void Regroup(const std::vector<TargetTensor>& table, const std::vector<std::vector<std::string>>& source,
             DeepSpeedRank& out) {
  std::unordered_map<std::string_view, const DeepSpeedWeight*> weights;
  for (const DeepSpeedWeight& weight : out.groups[0]) weights[table[weight.weight].name] = &weight;
  DeepSpeedRank sorted;
  size_t found = 0;
  for (size_t g = 0; g < source.size(); ++g) {
    std::vector<DeepSpeedWeight> group;
    for (const std::string& name : source[g]) {
      if (auto it = weights.find(name); it != weights.end()) group.push_back(*it->second);
    }
    found += group.size();
    if (group.empty()) continue;
    sorted.groups.push_back(std::move(group));
    sorted.like.push_back(g);
  }
  if (found != weights.size()) return;
  out.groups = std::move(sorted.groups);
  out.like = std::move(sorted.like);
}

}  // namespace

Result<DeepSpeedRank> SortTable(const std::vector<TargetTensor>& table,
                                const std::vector<std::vector<std::string>>& source) {
  DeepSpeedRank out;
  std::vector<std::string> names;
  std::unordered_set<std::string_view> stored;
  for (const TargetTensor& tensor : table) stored.insert(tensor.name);
  std::map<uint32_t, std::pair<size_t, size_t>> places;
  for (uint32_t i = 0; i < table.size(); ++i) {
    const TargetTensor& tensor = table[i];
    if (TorchDTypeName(tensor.dtype).empty())
      return Status::Invalid(fmt::format("tensor {}: torch has no type {}", Quote(tensor.name), Name(tensor.dtype)));
    if (!tensor.role.empty()) continue;
    if (!tensor.tied.empty() && stored.contains(tensor.tied)) {
      out.aliases.emplace_back(i, tensor.tied);
      continue;
    }
    auto group = std::find(names.begin(), names.end(), tensor.group) - names.begin();
    if (static_cast<size_t>(group) == names.size()) {
      names.push_back(tensor.group);
      out.like.push_back(out.groups.size());
      out.groups.emplace_back();
    }
    auto& members = out.groups[static_cast<size_t>(group)];
    places[i] = {static_cast<size_t>(group), members.size()};
    members.push_back({i, {}, {}, {}});
    if (tensor.dtype == DType::kF32)
      members.back().master = i;
    else
      out.dtype = tensor.dtype;
  }
  for (uint32_t i = 0; i < table.size(); ++i) {
    if (table[i].role.empty()) continue;
    if (std::any_of(out.aliases.begin(), out.aliases.end(), [&](const auto& a) { return a.first == table[i].weight; }))
      continue;
    auto place = places.find(table[i].weight);
    if (place == places.end())
      return Status::Usage(
          fmt::format("the state {} is on a rank that does not have its weight", Quote(table[i].name)));
    AOA_RETURN_IF_ERROR(AddState(table, i, out.groups[place->second.first][place->second.second]));
    out.states = true;
  }
  const DeepSpeedWeight* first = nullptr;
  for (auto& group : out.groups) {
    for (DeepSpeedWeight& weight : group) {
      if (!first) first = &weight;
      AOA_RETURN_IF_ERROR(CheckAlike(table, *first, weight));
    }
  }
  if (out.states && first && !first->master) {
    return Status::Usage(
        fmt::format("the source has optimizer states without fp32 weights, which DeepSpeed needs beside {}",
                    Quote(table[first->weight].name)));
  }
  if (names.size() == 1 && names[0].empty()) Regroup(table, source, out);
  return out;
}

DeepSpeedMesh::Place DeepSpeedMesh::PlaceOf(const Mesh& mesh, int64_t rank) const {
  const std::vector<int64_t> coordinates = mesh.Coordinates(rank);
  auto on = [&](std::string_view axis) {
    auto index = mesh.Find(axis);
    return index ? coordinates[*index] : 0;
  };
  return {on("pp"), on("dp"), on("tp")};
}

Result<DeepSpeedMesh> MeshOf(const Mesh& mesh) {
  DeepSpeedMesh out;
  for (const Mesh::Axis& axis : mesh.axes) {
    if (axis.name == "pp")
      out.pp = axis.size;
    else if (axis.name == "dp")
      out.dp = axis.size;
    else if (axis.name == "tp")
      out.tp = axis.size;
    else if (axis.size != 1)
      return Status::Usage(fmt::format("DeepSpeed's files know the mesh axes pp, dp and tp, not {}", Quote(axis.name)));
  }
  return out;
}

}  // namespace aoa::formats
