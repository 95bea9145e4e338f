#include "compiler/core/sharding.h"

#include <algorithm>
#include <set>

namespace aoa {
namespace {

int64_t PartsOf(const Sharding& sharding, size_t axis) {
  int64_t parts = 1;
  for (size_t by : sharding.cuts[axis]) parts *= sharding.mesh[by];
  return parts;
}

// The cuts by the axes of a tensor with these extents (of a block, or of the whole). An axis of the tensor is a run of
// axes of `seen_as`; all but the last one that is cut are cut to single indices, so the cuts follow each other.
std::optional<std::vector<std::vector<size_t>>> CutsFor(const Sharding& sharding, const Shape& shape, bool block) {
  if (sharding.seen_as.empty()) {
    if (sharding.cuts.size() != shape.size()) return std::nullopt;
    return sharding.cuts;
  }
  std::vector<std::vector<size_t>> out;
  size_t at = 0;
  auto extent_at = [&](size_t i) { return sharding.seen_as[i] / (block ? PartsOf(sharding, i) : 1); };
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    std::vector<size_t>& cuts = out.emplace_back();
    const int64_t wanted = shape[axis] * (block && axis == 0 ? sharding.again : 1);
    int64_t extent = 1, left = 1;  // of the axis so far; of what the last cut leaves
    do {
      if (at == sharding.seen_as.size() || left != 1) return std::nullopt;
      extent *= extent_at(at);
      cuts.insert(cuts.end(), sharding.cuts[at].begin(), sharding.cuts[at].end());
      if (!sharding.cuts[at].empty() || extent_at(at) > 1) left = sharding.seen_as[at] / PartsOf(sharding, at);
      ++at;
    } while (extent < wanted || (left == 1 && at + (shape.size() - axis - 1) < sharding.seen_as.size()));
    if (extent != wanted) return std::nullopt;
  }
  return at == sharding.seen_as.size() ? std::optional(out) : std::nullopt;
}

}  // namespace

bool Shardings::Add(std::string_view name, int64_t stage, const Sharding& sharding) {
  auto [known, added] = known_.try_emplace(sharding, static_cast<uint32_t>(shardings_.size()));
  if (added) shardings_.push_back(sharding);
  std::vector<uint32_t>& by_stage = tensors_[std::string(name)];
  by_stage.resize(static_cast<size_t>(stages), kNone);
  uint32_t& slot = by_stage[static_cast<size_t>(stage)];
  if (slot != kNone) return slot == known->second;
  slot = known->second;
  return true;
}

void Shardings::Finish() {
  std::map<std::vector<uint32_t>, uint32_t> known;
  for (const auto& [name, by_stage] : tensors_) {
    auto [it, added] = known.try_emplace(by_stage, static_cast<uint32_t>(distinct_.size()));
    if (added) distinct_.push_back(by_stage);
    numbers_.emplace(name, it->second);
  }
}

uint32_t Shardings::Find(std::string_view name) const {
  auto it = numbers_.find(name);
  return it == numbers_.end() ? kNone : it->second;
}

const Sharding* Shardings::At(uint32_t number, int64_t rank) const {
  uint32_t index = distinct_[number][static_cast<size_t>(StageOf(rank))];
  return index == kNone ? nullptr : &shardings_[index];
}

bool Shardings::Holds(std::string_view name, int64_t rank) const {
  uint32_t number = Find(name);
  return number == kNone || At(number, rank);
}

std::optional<ShardedType> Apply(const Sharding& sharding, const TensorType& whole, std::string* problem) {
  ShardedType out;
  out.type = whole;
  for (Axis& axis : out.type.axes) axis = WithoutCuts(axis);
  Shape shape;
  for (const Axis& axis : out.type.axes) shape.push_back(Extent(axis));
  auto cuts = CutsFor(sharding, shape, false);
  if (!cuts || whole.stored) {
    *problem = "it has the shape " + ToString(shape) + ", the layout cuts " +
               (sharding.seen_as.empty() ? std::to_string(sharding.cuts.size()) + " axes" : ToString(sharding.seen_as));
    return std::nullopt;
  }
  for (size_t i = 0; i < sharding.mesh.size(); ++i)
    out.mesh.axes.push_back({"devices" + std::to_string(i), sharding.mesh[i]});
  out.mesh.axes.push_back({"optimizer", sharding.again});
  if (sharding.again > 1) {
    if (shape.empty()) {
      *problem = "a scalar is cut";
      return std::nullopt;
    }
    (*cuts)[0].push_back(sharding.mesh.size());
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t parts = 1;
    for (size_t by : (*cuts)[i]) {
      parts *= out.mesh.axes[by].size;
      out.type.axes[i].cuts.push_back({by, Cut::Rounding::kEven});
    }
    if (shape[i] % parts == 0) continue;
    *problem = "axis " + std::to_string(i) + " of " + std::to_string(shape[i]) + " does not divide into " +
               std::to_string(parts) + " blocks";
    return std::nullopt;
  }
  return out;
}

std::vector<int64_t> CoordinatesIn(const Sharding& sharding, int64_t rank) {
  std::vector<int64_t> out(sharding.mesh.size());
  for (size_t i = out.size(); i-- > 0;) {
    out[i] = rank % sharding.mesh[i];
    rank /= sharding.mesh[i];
  }
  std::set<size_t> cutting;
  for (const auto& cuts : sharding.cuts) cutting.insert(cuts.begin(), cuts.end());
  int64_t holder = 0;  // the rank's number among those that hold its block
  for (size_t i = 0; i < out.size(); ++i) {
    if (!cutting.contains(i)) holder = holder * sharding.mesh[i] + out[i];
  }
  out.push_back(holder % sharding.again);
  return out;
}

std::optional<Shape> WholeShapeOf(const Sharding& sharding, const Shape& block) {
  auto cuts = CutsFor(sharding, block, true);
  if (!cuts) return std::nullopt;
  Shape whole = block;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (size_t by : (*cuts)[i]) whole[i] *= sharding.mesh[by];
    if (i == 0) whole[i] *= sharding.again;
  }
  return whole;
}

}  // namespace aoa
