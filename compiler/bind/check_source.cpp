// That a source's tensors are where they must be, in the shapes and types that the rules give them.
#include <fmt/format.h>

#include <set>
#include <tuple>

#include "compiler/bind/binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {

using diag::Code;

void Binder::CheckSource() {
  End& end = program_.ends[0];
  std::set<uint32_t> families;
  for (const Tensor& tensor : end.tensors) {
    if (tensor.present && tensor.family != kNoFamily) families.insert(tensor.family);
  }
  bool known = true;
  for (uint32_t f : families) {
    const Family& family = end.families[f];
    if (family.type && !family.partner_type)
      known &= program_.dimensions->RequireAll(*family.type, family.type_end, diagnostics_);
  }
  if (!known) return;
  CheckShapes();
  for (TensorId id = 0; id < end.tensors.size(); ++id) CheckTensor(id);
}

// Every rank's shape against the rank's part of the type, once for each pair of them.
void Binder::CheckShapes() {
  End& end = program_.ends[0];
  std::set<std::tuple<uint32_t, uint32_t, int, uint32_t, uint32_t>> done;  // group, type, kind of role, shape, cuts
  for (TensorId id = 0; id < end.tensors.size(); ++id) {
    const Tensor& tensor = end.tensors[id];
    if (!tensor.present || tensor.family == kNoFamily || end.families[tensor.family].blocks_of) continue;
    uint32_t type_id = tensor.role < 0 ? tensor.type : end.tensors[tensor.weight].type;
    bool scalar = tensor.role >= 0 && end.roles[static_cast<size_t>(tensor.role)].scalar;
    bool flat = tensor.role >= 0 && !scalar && end.zero && end.zero->by.text == "flat";
    if (type_id == kNoType) continue;
    uint32_t cuts = end.shardings ? end.shardings->Find(end.names[tensor.name]) : Shardings::kNone;
    for (uint32_t h = 0; h < tensor.holders; ++h) {
      const Holder& holder = end.holders[tensor.first_holder + h];
      const FileGroup& group = end.groups[holder.group];
      const StoredTensor& stored = schema_.tables[group.table][holder.entry];
      if (stored.shape == StoredTensor::kUnknown) continue;
      if (!done.emplace(holder.group, type_id, scalar ? 1 : flat ? 2 : 0, stored.shape, cuts).second) continue;
      if (stored.whole != StoredTensor::kNoChunk && !scalar) {
        CheckWhole(tensor, end.types[type_id], schema_.shapes[stored.whole], schema_.files[group.files[0]]);
        continue;
      }
      const Shape& shape = schema_.shapes[stored.shape];
      for (uint32_t file : group.files) {
        if (!CheckShape(tensor, end.types[type_id], shape, schema_.files[file], group.stages, scalar, flat)) break;
      }
    }
  }
}

// Chunks are boxes of the uncut tensor, whatever the mesh.
void Binder::CheckWhole(const Tensor& tensor, const TensorType& type, const Shape& shape, const SchemaFile& file) {
  Shape expected = WholeShape(type);
  if (expected == shape) return;
  const End& end = program_.ends[0];
  const Family& family = end.families[tensor.family];
  std::string name = diag::Printable(end.names[tensor.name]);
  diagnostics_
      .Error(Code::kNoFit, family.type ? family.type->where : family.where,
             fmt::format("`{}` {} in {} does not fit its type", name, aoa::ToString(shape), file.path))
      .Expected(fmt::format("{} in all: {}", aoa::ToString(expected), aoa::ToString(type)))
      .Found(aoa::ToString(shape));
}

bool Binder::CheckShape(const Tensor& tensor, const TensorType& type, const Shape& shape, const SchemaFile& file,
                        const std::vector<int64_t>& stages, bool scalar, bool flat) {
  const End& end = program_.ends[0];
  const Family& family = end.families[tensor.family];
  SourceRange where = family.type ? family.type->where : family.where;
  std::string name =
      fmt::format("`{}` {} in {}", diag::Printable(end.names[tensor.name]), aoa::ToString(shape), file.path);
  if (scalar) {
    if (ElementCount(shape) == 1) return true;
    diagnostics_.Error(Code::kScalar, end.roles[static_cast<size_t>(tensor.role)].node->where,
                       fmt::format("{} is no scalar", name));
    return false;
  }
  auto expected = BlockShape(tensor, type, file, stages, where);
  if (!expected) return false;
  if (flat) {
    int64_t parts = end.zero_axis ? end.mesh.axis(*end.zero_axis).size : 1;
    expected = Shape{(ElementCount(*expected) + parts - 1) / parts};
  }
  if (*expected == shape) return true;
  auto& d = diagnostics_.Error(Code::kNoFit, where, fmt::format("{} does not fit its type", name));
  d.Expected(fmt::format("{} on rank {}: {}", aoa::ToString(*expected), file.rank, aoa::ToString(type, &end.mesh)));
  d.Found(aoa::ToString(shape));
  if (family.type) {
    for (const ast::Axis& axis : family.type->axes) {
      for (SymbolId symbol : program_.dimensions->SymbolsOf(axis, family.type_end))
        d.Note(program_.dimensions->Describe(symbol));
    }
  }
  return false;
}

// The shape that a rank's block of a tensor should have.
std::optional<Shape> Binder::BlockShape(const Tensor& tensor, const TensorType& type, const SchemaFile& file,
                                        const std::vector<int64_t>& stages, SourceRange where) {
  const End& end = program_.ends[0];
  std::string name = diag::Printable(end.names[tensor.name]);
  uint32_t number = end.shardings ? end.shardings->Find(end.names[tensor.name]) : Shardings::kNone;
  CutProblem problem;
  if (number != Shardings::kNone) {
    if (!end.shardings->At(number, file.rank)) return WholeShape(type);  // where it must not be: CheckTensor says so
    std::vector<int64_t> coordinates;
    auto sharded = ShardedAt(end, number, type, file.rank, coordinates, name, where, diagnostics_);
    return sharded ? LocalShape(sharded->type, sharded->mesh, coordinates, {}, &problem) : std::nullopt;
  }
  std::vector<DealtVariable> dealt;
  for (size_t i = 0; i < end.placements.size(); ++i) {
    const Placement& p = end.placements[i];
    if (p.by_axis && !p.deal.stages.empty())
      dealt.push_back({p.variable, &p.deal.stages[static_cast<size_t>(stages[i])]});
  }
  auto expected = LocalShape(type, end.mesh, end.mesh.Coordinates(file.rank), dealt, &problem);
  if (!expected) ReportCut(problem, type, end.mesh, name, where, diagnostics_);
  return expected;
}

// Where a tensor must be, if it is read: on every rank of its stage. And of which type it must be.
void Binder::CheckTensor(TensorId id) {
  End& end = program_.ends[0];
  const Tensor& tensor = end.tensors[id];
  if (!tensor.present || tensor.family == kNoFamily) return;
  const Family& family = end.families[tensor.family];
  std::string name = diag::Printable(end.names[tensor.name]);
  std::optional<DType> promised = tensor.role < 0 ? family.dtype : end.roles[static_cast<size_t>(tensor.role)].dtype;
  if (tensor.role < 0 && !family.declaration) promised = std::nullopt;  // statements compare their own
  if (promised && *promised != tensor.dtype) {
    SourceRange where = tensor.role < 0 ? family.declaration->node->dtype_where.value_or(family.where)
                                        : end.roles[static_cast<size_t>(tensor.role)].node->where;
    diagnostics_
        .Error(
            Code::kCast, where,
            fmt::format("`{}` is {} in {}, the rules say {}", name, Name(tensor.dtype), schema_.path, Name(*promised)))
        .Note("an element type on the source side is a promise that the files must keep");
  }
  bool anywhere = schema_.replicas_may_lack || (tensor.role >= 0 && end.zero && end.zero->by.text == "whole");
  if (!end.has_mesh || anywhere || (tensor.role >= 0 && !IsCarried(end.roles[static_cast<size_t>(tensor.role)])))
    return;

  Stages stages = StagesOf(end, family, end.NameOf(tensor.role < 0 ? id : tensor.weight));
  if (end.shardings) {  // what they do not list may be anywhere
    uint32_t number = end.shardings->Find(end.NameOf(id));
    if (number == Shardings::kNone) return;
    stages = {number};
  }
  std::vector<uint32_t> groups;
  for (uint32_t h = 0; h < tensor.holders; ++h) {
    const Holder& holder = end.holders[tensor.first_holder + h];
    groups.push_back(holder.group);
    // Chunks need not be on the ranks that the rules would give them.
    if (schema_.tables[end.groups[holder.group].table][holder.entry].whole != StoredTensor::kNoChunk) return;
  }
  if (!present_as_expected_.emplace(groups, std::tuple(stages, family.on)).second) return;
  std::set<int64_t> held;  // ranks: one may have several files
  for (uint32_t group : groups) {
    for (uint32_t file : end.groups[group].files) held.insert(schema_.files[file].rank);
  }
  for (uint32_t f = 0; f < schema_.files.size(); ++f) {
    bool wanted = IsOnRank(end, family, stages, end.NameOf(id), schema_.files[f].rank);
    if (wanted == held.contains(schema_.files[f].rank)) continue;
    present_as_expected_.erase({groups, std::tuple(stages, family.on)});
    if (wanted) {
      diagnostics_
          .Error(Code::kRanks, family.where, fmt::format("`{}` is missing on rank {}", name, schema_.files[f].rank))
          .Found(fmt::format("{} does not hold it", schema_.files[f].path))
          .Note(family.on.empty() ? "other ranks do; a tensor is on every rank of its stage"
                                  : "other ranks do; `on` says on which ends of a mesh axis it is");
    } else {
      auto& d = diagnostics_.Error(
          Code::kRanks, family.where,
          fmt::format("`{}` lies on rank {}, where it does not belong", name, schema_.files[f].rank));
      d.Found(schema_.files[f].path);
      if (!family.on.empty()) d.Note("`on` says on which ends of a mesh axis it is");
      auto placed = std::find_if(stages.begin(), stages.end(), [](const auto& stage) { return stage.has_value(); });
      if (!end.shardings && placed != stages.end()) {
        const ast::Place& place = *end.placements[static_cast<size_t>(placed - stages.begin())].node;
        d.Also(place.where, "this placement says where tensors lie")
            .Help("`--mesh-from 'pp=[9,8,8,7]'` says how many layers each stage has");
        for (const std::string& rounds : end.side->rounds)
          d.Help(fmt::format("`--mesh-from {}=2` says that they were dealt in 2 rounds", rounds));
      }
    }
    return;
  }
}

}  // namespace aoa::bind
