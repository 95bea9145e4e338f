#include "compiler/plan/shardings.h"

#include <algorithm>
#include <utility>

namespace aoa::plan {
namespace {

bool IsCut(const Axis& axis) { return !axis.cuts.empty() || std::any_of(axis.parts.begin(), axis.parts.end(), IsCut); }

// The mesh axes that cut an axis, outermost first; nothing if a rank's block is no equal run of it. The block of a
// product is a run if only its slowest factor is cut.
std::optional<std::vector<size_t>> RunCuts(const Axis& axis, const Mesh& mesh) {
  std::vector<size_t> cuts;
  int64_t extent = Extent(axis);
  for (size_t i = 0; i < axis.parts.size(); ++i) {
    if (!IsCut(axis.parts[i])) continue;
    if (i > 0 || axis.kind != Axis::Kind::kProduct) return std::nullopt;
    auto first = RunCuts(axis.parts[0], mesh);
    if (!first) return std::nullopt;
    cuts = *std::move(first);
    for (size_t by : cuts) extent /= mesh.axis(by).size;
  }
  for (const Cut& cut : axis.cuts) {
    const int64_t parts = mesh.axis(cut.axis).size;
    if (cut.rounding != Cut::Rounding::kEven || extent % parts != 0) return std::nullopt;
    extent /= parts;
    cuts.push_back(cut.axis);
  }
  return cuts;
}

struct AxisCuts {
  std::vector<size_t> by;
  int64_t parts = 1;  // of the axis, which are cut alike
};

// The same of an axis that may be a sum of equal summands that are cut alike.
std::optional<AxisCuts> CutsOf(const Axis& axis, const Mesh& mesh) {
  const bool summands = axis.kind == Axis::Kind::kSum && axis.cuts.empty() && IsCut(axis);
  auto by = RunCuts(summands ? axis.parts[0] : axis, mesh);
  if (!by) return std::nullopt;
  if (!summands) return AxisCuts{*std::move(by), 1};
  for (const Axis& summand : axis.parts) {
    if (Extent(summand) != Extent(axis.parts[0]) || RunCuts(summand, mesh) != by) return std::nullopt;
  }
  return AxisCuts{*std::move(by), static_cast<int64_t>(axis.parts.size())};
}

// The sharding that a type stands for, over the mesh axes from `first` on.
std::optional<Sharding> ShardingOf(const TensorType& type, const Mesh& mesh, size_t first) {
  if (type.stored) return std::nullopt;
  Sharding out;
  for (size_t i = first; i < mesh.axes.size(); ++i) out.mesh.push_back(mesh.axes[i].size);
  bool parts = false;
  for (const Axis& axis : type.axes) {
    auto cuts = CutsOf(axis, mesh);
    if (!cuts) return std::nullopt;
    std::vector<size_t>& own = out.cuts.emplace_back();
    for (size_t by : cuts->by) {
      if (by < first) return std::nullopt;
      if (mesh.axes[by].size > 1) own.push_back(by - first);
    }
    out.parts.push_back(cuts->parts);
    parts |= cuts->parts > 1;
  }
  if (!parts) out.parts.clear();
  return out;
}

// Adds the mesh axes that cut an axis or parts of it, outermost first. False if blocks differ in size or repeat.
bool CollectCuts(const Axis& axis, const Mesh& mesh, std::vector<size_t>& out) {
  auto add = [&](size_t by) {
    if (mesh.axis(by).size > 1 && std::find(out.begin(), out.end(), by) == out.end()) out.push_back(by);
  };
  std::vector<size_t> within;
  for (const Axis& part : axis.parts) {
    if (!CollectCuts(part, mesh, axis.kind == Axis::Kind::kProduct ? out : within)) return false;
  }
  int64_t extent = Extent(axis);
  for (size_t by : within) {
    add(by);
    extent /= mesh.axis(by).size;
  }
  for (const Cut& cut : axis.cuts) {
    const int64_t parts = mesh.axis(cut.axis).size;
    if (cut.rounding != Cut::Rounding::kEven || extent % parts != 0) return false;
    extent /= parts;
    add(cut.axis);
  }
  return true;
}

}  // namespace

std::shared_ptr<const Shardings> BlocksOf(const bind::End& end, const std::vector<bind::TensorId>& tensors) {
  if (!end.has_mesh || !end.mesh.overlays.empty()) return nullptr;
  if (end.zero && end.zero->by.text != end.format) return nullptr;
  auto out = std::make_shared<Shardings>();
  out->ranks = end.mesh.ranks();
  Sharding sharding;
  for (const Mesh::Axis& axis : end.mesh.axes) {
    out->mesh.emplace_back(axis.name, axis.size);
    sharding.mesh.push_back(axis.size);
  }
  for (bind::TensorId id : tensors) {
    const bind::Tensor& tensor = end.tensors[id];
    const TensorType& type = end.types[tensor.role < 0 ? tensor.type : end.tensors[tensor.weight].type];
    if (type.stored) return nullptr;
    sharding.cuts.clear();
    for (const Axis& axis : type.axes) {
      if (!CollectCuts(axis, end.mesh, sharding.cuts.emplace_back())) return nullptr;
    }
    out->Add(end.NameOf(id), 0, sharding);
  }
  out->Finish();
  return out;
}

namespace {

// Whether a tensor is on some ranks of a stage alone, which shardings do not say.
bool StandsOnEnds(const bind::Family& family, size_t first) {
  return std::any_of(family.on.begin(), family.on.end(), [&](const bind::OnEnds& on) { return on.axis >= first; });
}

}  // namespace

std::shared_ptr<const Shardings> ShardingsOf(const bind::End& end, const std::vector<bind::TensorId>& tensors,
                                             const std::function<bool(bind::TensorId, int64_t rank)>& holds) {
  size_t first = 0;  // the mesh axis behind that of the stages
  for (const bind::Placement& p : end.placements) {
    if (p.by_axis || (p.axis && *p.axis != 0)) return nullptr;
    if (p.axis) first = 1;
  }
  if (!end.has_mesh || !end.mesh.overlays.empty() || end.zero) return nullptr;
  auto out = std::make_shared<Shardings>();
  if (first == 1) out->stages = end.mesh.axes[0].size;
  out->ranks = end.mesh.ranks() / out->stages;
  for (const Mesh::Axis& axis : end.mesh.axes) out->mesh.emplace_back(axis.name, axis.size);
  for (bind::TensorId id : tensors) {
    const bind::Tensor& tensor = end.tensors[id];
    if (tensor.family != bind::kNoFamily && StandsOnEnds(end.families[tensor.family], first)) return nullptr;
    auto sharding =
        ShardingOf(end.types[tensor.role < 0 ? tensor.type : end.tensors[tensor.weight].type], end.mesh, first);
    if (!sharding) return nullptr;
    for (int64_t stage = 0; stage < out->stages; ++stage) {
      if (holds(id, stage * out->ranks)) out->Add(end.NameOf(id), stage, *sharding);
    }
  }
  out->Finish();
  return out;
}

}  // namespace aoa::plan
