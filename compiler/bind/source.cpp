// Which tensors the source has: names matched to families, ranks' parts gathered.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/bind/binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {

using diag::Code;

// ---------------------------------------------------------------- matching

void Binder::GroupFiles() {
  End& end = program_.ends[0];
  std::map<std::pair<uint32_t, std::vector<int64_t>>, uint32_t> groups;
  for (uint32_t i = 0; i < schema_.files.size(); ++i) {
    const SchemaFile& file = schema_.files[i];
    std::vector<int64_t> coordinates = end.mesh.Coordinates(file.rank), stages;
    for (const Placement& p : end.placements) stages.push_back(p.axis ? coordinates[*p.axis] : 0);
    auto [it, added] = groups.try_emplace({file.table, stages}, static_cast<uint32_t>(end.groups.size()));
    if (added) end.groups.push_back({file.table, stages, {}});
    end.groups[it->second].files.push_back(i);
  }
}

// Families are tried in order: plain names first, then declared patterns, then patterns of statements. Where two could
// spell a name, extents decide.
bool Binder::MatchWeight(std::string_view name, const std::vector<int64_t>& stages, Match& match) {
  const End& end = program_.ends[0];
  for (int pass = 0; pass < 3; ++pass) {
    for (size_t i = 0; i < end.families.size(); ++i) {
      const Family& family = end.families[i];
      int kind = family.pattern.IsPlain() ? 0 : family.declaration ? 1 : 2;
      if (kind != pass) continue;
      auto values = family.pattern.Match(name);
      if (!values) continue;
      bool inside = true;
      for (const auto& [variable, number] : *values) {
        auto value = GlobalNumber(variable, number, stages);
        if (!value) continue;  // cannot be said yet
        auto range = family.ranges.find(variable);
        if (range != family.ranges.end() && range->second.end >= 0) {
          inside &= range->second.Contains(*value);
        } else if (auto extent = program_.dimensions->ValueOf(program_.dimensions->At(0, variable));
                   extent && family.declaration) {
          inside &= *value < *extent;
        }
      }
      if (!inside) continue;
      match.family = static_cast<int32_t>(i);
      match.values.clear();
      for (const std::string& v : family.pattern.Variables()) match.values.push_back(values->at(v));
      return true;
    }
  }
  return false;
}

// The number over the whole model of a number in the names of a stage's files. Nothing while the dealing is unknown.
// What is beyond its stage stays as it is: that has a message of its own.
std::optional<int64_t> Binder::GlobalNumber(const std::string& variable, int64_t number,
                                            const std::vector<int64_t>& stages) {
  const End& end = program_.ends[0];
  for (size_t i = 0; i < end.placements.size(); ++i) {
    const Placement& p = end.placements[i];
    if (!p.node->numbered_locally || p.variable != variable) continue;
    auto extent = program_.dimensions->ValueOf(program_.dimensions->At(0, variable));
    if (!extent || *extent > 1'000'000) return std::nullopt;
    diag::Diagnostics ignored;
    auto deal = MakeDeal(p, *extent, 0, *program_.dimensions, ignored);
    if (!deal) return std::nullopt;
    const std::vector<int64_t>& indices = deal->stages.at(static_cast<size_t>(stages[i]));
    return number < static_cast<int64_t>(indices.size()) ? indices[static_cast<size_t>(number)] : number;
  }
  return number;
}

Binder::Match Binder::MatchName(std::string_view name, const std::vector<int64_t>& stages) {
  Match match;
  if (MatchWeight(name, stages, match)) return match;
  const std::vector<Role>& roles = program_.ends[0].roles;
  for (size_t r = 0; r < roles.size(); ++r) {
    const Role& role = roles[r];
    auto weight = role.WeightOf(name);
    if (!weight || !MatchWeight(*weight, stages, match)) continue;
    match.role = static_cast<int16_t>(r);
    return match;
  }
  return {};
}

// Matches all names again if there are new families, or extents that may decide between families.
bool Binder::MatchNames() {
  size_t key = program_.ends[0].families.size();
  for (const Family& family : program_.ends[0].families) {
    for (const std::string& v : family.pattern.Variables())
      key =
          key * 31 + static_cast<size_t>(program_.dimensions->ValueOf(program_.dimensions->At(0, v)).value_or(-1) + 2);
  }
  if (!matches_.empty() && key == families_matched_) return false;
  families_matched_ = key;
  // A name means the same in all files, unless numbers count from 0 on each stage.
  const End& end = program_.ends[0];
  bool local = std::any_of(end.placements.begin(), end.placements.end(),
                           [](const Placement& p) { return p.node->numbered_locally; });
  std::vector<Match> by_name(schema_.names.size());
  std::vector<bool> done(schema_.names.size(), false);
  matches_.assign(end.groups.size(), {});
  for (size_t g = 0; g < end.groups.size(); ++g) {
    if (local) done.assign(schema_.names.size(), false);
    for (const StoredTensor& stored : schema_.tables[end.groups[g].table]) {
      if (!done[stored.name]) by_name[stored.name] = MatchName(schema_.names[stored.name], end.groups[g].stages);
      done[stored.name] = true;
      matches_[g].push_back(by_name[stored.name]);
    }
  }
  return true;
}

// ---------------------------------------------------------------- dealing

bool Binder::DealPlacements(size_t e) {
  End& end = program_.ends[e];
  bool ok = true;
  for (Placement& p : end.placements) {
    auto extent = program_.dimensions->ValueOf(program_.dimensions->At(e, p.variable));
    if (!extent) continue;  // nothing uses it
    if (*extent > 10'000'000) {
      diagnostics_.Error(Code::kPlacement, p.node->where,
                         fmt::format("{} of `{}` are too many to deal", *extent, p.variable));
      ok = false;
      continue;
    }
    auto deal = MakeDeal(p, *extent, e, *program_.dimensions, diagnostics_);
    if (deal) p.deal = std::move(*deal);
    ok &= deal.has_value();
  }
  return ok;
}

// The values over the whole model of a match in a file of the given stages. Nothing if a local number is beyond its
// stage.
std::optional<std::vector<int64_t>> Binder::GlobalValues(const Family& family, const Match& match,
                                                         const std::vector<int64_t>& stages) {
  const End& end = program_.ends[0];
  std::vector<int64_t> values = match.values;
  std::vector<std::string> variables = family.pattern.Variables();
  for (size_t i = 0; i < end.placements.size(); ++i) {
    const Placement& p = end.placements[i];
    if (!p.node->numbered_locally) continue;
    for (size_t v = 0; v < variables.size(); ++v) {
      if (variables[v] != p.variable) continue;
      const std::vector<int64_t>& indices = p.deal.stages.at(static_cast<size_t>(stages[i]));
      if (values[v] >= static_cast<int64_t>(indices.size())) return std::nullopt;
      values[v] = indices[static_cast<size_t>(values[v])];
    }
  }
  return values;
}

// ---------------------------------------------------------------- tensors

// The type of a family's tensors at an end. `any_from` gives the extents of its `_` axes; null if it has none (or they
// are not known yet).
uint32_t Binder::TypeOf(size_t e, uint32_t family_index, const Shape* any_from) {
  static const Family untyped;
  End& end = program_.ends[e];
  const Family& family = family_index == kNoFamily ? untyped : end.families[family_index];
  Dimensions& dimensions = *program_.dimensions;
  if (!family.type) {
    if (!any_from) return kNoType;
    std::string key = "shape" + aoa::ToString(*any_from);
    auto [it, added] = type_ids_.try_emplace({e, key}, static_cast<uint32_t>(end.types.size()));
    if (added) {
      TensorType type;
      for (size_t i = 0; i < any_from->size(); ++i) {
        Axis axis;
        axis.kind = Axis::Kind::kVariable;
        axis.variable = fmt::format("_:{}", i);
        axis.extent = (*any_from)[i];
        type.axes.push_back(std::move(axis));
      }
      end.types.push_back(std::move(type));
    }
    return it->second;
  }
  std::string key = fmt::format("family{}", family_index);
  const std::vector<ast::Axis>& axes = family.type->stored ? *family.type->stored : family.type->axes;
  std::vector<int64_t> extents;
  for (size_t i = 0; any_from && i < axes.size() && i < any_from->size(); ++i) {
    if (axes[i].kind == ast::Axis::Kind::kAny) extents.push_back((*any_from)[i]);
  }
  for (int64_t extent : extents) key += fmt::format(" {}", extent);
  auto [it, added] = type_ids_.try_emplace({e, key}, static_cast<uint32_t>(end.types.size()));
  if (!added) return it->second;
  int any = 0;
  TensorType type = dimensions.Lower(*family.type, family.type_end, any);
  if (family.partner_type) type = WithoutCutsAndPadding(type);
  size_t next = 0;
  for (Axis& axis : type.axes) {
    if (axis.kind == Axis::Kind::kVariable && axis.variable.starts_with("_:") && next < extents.size())
      axis.extent = extents[next++];
  }
  end.types.push_back(std::move(type));
  return it->second;
}

// The name over the whole model that an entry of a group is.
std::optional<std::string> Binder::GlobalName(const FileGroup& group, const StoredTensor& stored, const Match& match) {
  const End& end = program_.ends[0];
  const Family& family = end.families[static_cast<size_t>(match.family)];
  if (family.pattern.HasStar()) {
    std::string name = schema_.names[stored.name];
    if (match.role < 0) return name;
    return end.roles[static_cast<size_t>(match.role)].WeightOf(name);
  }
  auto values = GlobalValues(family, match, group.stages);
  if (!values) {
    diagnostics_
        .Error(Code::kPlacement, family.where,
               fmt::format("the number in `{}` is beyond its stage", diag::Printable(schema_.names[stored.name])))
        .Found(schema_.files[group.files[0]].path)
        .Help("`--mesh-from 'pp=[9,8,8,7]'` says how many layers each stage has");
    return std::nullopt;
  }
  Assignment assignment;
  std::vector<std::string> variables = family.pattern.Variables();
  for (size_t i = 0; i < variables.size(); ++i) assignment[variables[i]] = (*values)[i];
  return family.pattern.Spell(assignment);
}

// The shape that an entry shows: of a chunk, that of its tensor.
const Shape& Binder::WholeStored(const StoredTensor& stored) const {
  static const Shape unknown;
  const uint32_t shape = stored.whole != StoredTensor::kNoChunk ? stored.whole : stored.shape;
  return shape == StoredTensor::kUnknown ? unknown : schema_.shapes[shape];
}

// Adds (or finds) the tensor that an entry of a group belongs to.
TensorId Binder::AddSourceTensor(const FileGroup& group, const StoredTensor& stored, const Match& match) {
  End& end = program_.ends[0];
  auto name = GlobalName(group, stored, match);
  if (!name) return kNoTensor;
  const Family& family = end.families[static_cast<size_t>(match.family)];
  TensorId id = end.Find(*name);
  if (id == kNoTensor) {  // a state may stand before its weight
    Tensor weight;
    weight.family = static_cast<uint32_t>(match.family);
    id = end.Add(*name, weight);
  }
  if (match.role >= 0) {
    TensorId weight = id;
    id = end.FindState(weight, match.role);
    if (id == kNoTensor) {
      Tensor state;
      state.family = static_cast<uint32_t>(match.family);
      state.role = match.role;
      state.weight = weight;
      id = end.AddState(end.roles[static_cast<size_t>(match.role)].NameFor(*name), state);
    }
  }
  Tensor& tensor = end.tensors[id];
  if (!tensor.present) {
    tensor.present = true;
    tensor.dtype = stored.dtype;
    const Shape shape = SeenShape(group, stored);
    const bool known = stored.shape != StoredTensor::kUnknown;
    if (match.role < 0 && !family.blocks_of) tensor.type = TypeOf(0, tensor.family, known ? &shape : nullptr);
  } else if (tensor.dtype != stored.dtype) {
    diagnostics_
        .Error(Code::kRanks, family.where,
               fmt::format("`{}` is {} in one file and {} in another", diag::Printable(end.NameOf(id)),
                           Name(tensor.dtype), Name(stored.dtype)))
        .Found(schema_.files[group.files[0]].path);
  }
  return id;
}

void Binder::ListSource() {
  End& end = program_.ends[0];
  std::vector<std::pair<TensorId, Holder>> held;
  for (uint32_t g = 0; g < end.groups.size(); ++g) {
    const FileGroup& group = end.groups[g];
    const SchemaTable& table = schema_.tables[group.table];
    for (uint32_t entry = 0; entry < table.size(); ++entry) {
      const Match& match = matches_[g][entry];
      TensorId id = kNoTensor;
      if (match.family < 0) {  // nothing that the rules know: coverage says so
        const std::string& name = schema_.names[table[entry].name];
        id = end.Find(name);
        if (id == kNoTensor) {
          Tensor unknown;
          unknown.family = kNoFamily;
          unknown.present = true;
          unknown.dtype = table[entry].dtype;
          // A side that declares nothing is all of what its files hold.
          if (end.side->declarations.empty()) {
            const Shape shape = SeenShape(group, table[entry]);
            unknown.type = TypeOf(0, kNoFamily, &shape);
          }
          id = end.Add(name, unknown);
        }
      } else if (match.role < 0 || request_.states) {
        id = AddSourceTensor(group, table[entry], match);
      } else {
        end.roles_left.insert(static_cast<size_t>(match.role));
      }
      if (id != kNoTensor) held.emplace_back(id, Holder{g, entry});
    }
  }
  std::stable_sort(held.begin(), held.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [id, holder] : held) {
    Tensor& tensor = end.tensors[id];
    if (tensor.holders++ == 0) tensor.first_holder = static_cast<uint32_t>(end.holders.size());
    end.holders.push_back(holder);
  }
}

}  // namespace aoa::bind
