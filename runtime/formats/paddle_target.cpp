#include "runtime/formats/paddle_target.h"

#include <fmt/format.h>

#include <utility>

#include "runtime/formats/paddle_file.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

int64_t* AxisOf(PaddleMesh& mesh, std::string_view name) {
  if (name == "dp") return &mesh.dp;
  if (name == "pp") return &mesh.pp;
  if (name == "sharding") return &mesh.sharding;
  return name == "tp" ? &mesh.tp : nullptr;
}

Result<PaddleMesh> MeshOf(const TargetContent& content) {
  PaddleMesh out;
  if (!content.has_mesh) return out;
  for (const Mesh::Axis& axis : content.axes.axes) {
    if (int64_t* size = AxisOf(out, axis.name))
      *size = axis.size;
    else if (axis.size != 1)
      return Status::Usage(
          fmt::format("Paddle's files know the mesh axes dp, pp, sharding and tp, not {}", Quote(axis.name)));
  }
  return out;
}

// What stands behind the weight's name in that of a state.
Result<std::string_view> Ending(const std::vector<TargetTensor>& table, const TargetTensor& state) {
  const std::string_view name = state.name;
  if (state.weight != TargetTensor::kNoWeight) {
    const std::string& weight = table[state.weight].name;
    if (name.starts_with(weight) && name.size() > weight.size() + 1 && name[weight.size()] == '.')
      return name.substr(weight.size() + 1);
  }
  return Status::Invalid(fmt::format("the state {} is not called after a weight of its rank", Quote(name)));
}

}  // namespace

Result<PaddleTarget> PaddleTarget::Make(const TargetContent& content, PaddleDealing dealing, int64_t segment) {
  PaddleTarget out;
  out.content_ = &content;
  out.dealing_ = dealing;
  AOA_ASSIGN_OR_RETURN(out.mesh_, MeshOf(content));
  const bool grouped = dealing == PaddleDealing::kWholeInOrder || dealing == PaddleDealing::kSlices;
  if (grouped && out.mesh_.pp > 1) {
    return Status::Usage(fmt::format(
        "sharding stages 2 and 3 have no pipeline stages, and the mesh is {}: leave pp out of --mesh-to, or "
        "take a variant of stage 1",
        content.mesh));
  }
  for (const auto& table : content.tables) AOA_RETURN_IF_ERROR(out.AddTable(table, segment));
  return out;
}

Status PaddleTarget::AddTable(const std::vector<TargetTensor>& table, int64_t segment) {
  Table& out = tables_.emplace_back();
  out.states.resize(table.size());
  out.has_master.resize(table.size());
  out.numbers.resize(table.size());
  std::vector<PaddleWeight> weights;
  for (uint32_t i = 0; i < table.size(); ++i) {
    const TargetTensor& tensor = table[i];
    if (PaddleTypeName(tensor.dtype).empty())
      return Status::Invalid(fmt::format("tensor {}: Paddle has no type {}", Quote(tensor.name), Name(tensor.dtype)));
    if (tensor.role.empty()) {
      out.numbers[i] = weights.size();
      weights.push_back({ElementCount(tensor.shape), tensor.dtype});
      continue;
    }
    AOA_ASSIGN_OR_RETURN(out.states[i], Ending(table, tensor));
    if (out.states[i] == kPaddleMaster) out.has_master[tensor.weight] = true;
  }
  out.shares = DealPaddleStates(weights, mesh_.sharding, dealing_, segment);
  return Status();
}

PaddlePlace PaddleTarget::PlaceOf(int64_t rank) const {
  PaddleMesh out{0, 0, 0, 0};
  if (content_->has_mesh) {
    const std::vector<int64_t> coordinates = content_->axes.Coordinates(rank);
    for (size_t i = 0; i < content_->axes.axes.size(); ++i) {
      if (int64_t* at = AxisOf(out, content_->axes.axes[i].name)) *at = coordinates[i];
    }
  }
  return {out.dp, out.pp, out.sharding, out.tp};
}

PaddleShare PaddleTarget::ShareOf(uint32_t table, uint32_t tensor, int64_t sharding) const {
  const TargetTensor& stored = content_->tables[table][tensor];
  const int64_t count = stored.scalar ? 1 : ElementCount(stored.shape);
  if (stored.role.empty()) return {true, false, 0, count, count};
  const PaddleShare& own = Own(table, stored.weight, sharding);
  return stored.scalar && own.held ? PaddleShare{true, false, 0, count, count} : own;
}

bool PaddleTarget::IsInFlex(uint32_t table, uint32_t tensor, int64_t sharding) const {
  const TargetTensor& stored = content_->tables[table][tensor];
  if (stored.role.empty()) return true;
  const PaddleShare& own = Own(table, stored.weight, sharding);
  return own.held && (!own.flat || own.count > 0 || dealing_ == PaddleDealing::kSlices);
}

std::string PaddleParameterName(uint32_t weight) { return fmt::format("parameter_{}.w_0", weight); }

}  // namespace aoa::formats
