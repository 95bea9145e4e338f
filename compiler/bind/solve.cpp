// Extents from shapes.
//
// An axis of a tensor with one unknown symbol is an equation: `(n d)` is 12 long and d is 3, so n is 4. Behind cuts the
// ranks show blocks, and the extent is the one value that explains the blocks of all ranks. Every kind of cut
// partitions (or repeats) what it cuts, so *on average over the ranks* a block is its axis divided by the number of
// parts: the average is linear in the unknown, which gives one candidate; repeated blocks (more ranks than indices)
// give candidates up to the number of ranks. Each candidate is tried on every rank. One that fits is the extent,
// several leave it open.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "compiler/bind/binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {

using diag::Code;

namespace {

void Walk(Axis& axis, const std::function<void(Axis&)>& visit) {
  visit(axis);
  for (Axis& part : axis.parts) Walk(part, visit);
}

// The extent of an axis on the average rank for two values of its unknown, if every cut of what has the unknown
// divides. Blocks of what has not are known: one index each where there are more ranks than indices.
struct Averages {
  double first, second;
};
Averages Average(const Axis& a, const Axis& b, const Mesh& mesh) {
  Averages out{1, 1};
  auto part = [&](size_t i) { return Average(a.parts[i], b.parts[i], mesh); };
  switch (a.kind) {
    case Axis::Kind::kOne:
      break;
    case Axis::Kind::kVariable:
      out = {static_cast<double>(a.extent), static_cast<double>(b.extent)};
      break;
    case Axis::Kind::kProduct:
      for (size_t i = 0; i < a.parts.size(); ++i) out = {out.first * part(i).first, out.second * part(i).second};
      break;
    case Axis::Kind::kSum:
      out = {0, 0};
      for (size_t i = 0; i < a.parts.size(); ++i) out = {out.first + part(i).first, out.second + part(i).second};
      break;
    case Axis::Kind::kPad: {
      double k = static_cast<double>(a.multiple);
      out = {std::ceil(part(0).first / k) * k, std::ceil(part(0).second / k) * k};
      break;
    }
  }
  for (const Cut& cut : a.cuts) {
    auto size = static_cast<double>(mesh.axis(cut.axis).size);
    bool repeats = cut.rounding == Cut::Rounding::kEven && out.first == out.second && out.first > 0 && out.first < size;
    out = repeats ? Averages{1, 1} : Averages{out.first / size, out.second / size};
  }
  return out;
}

bool IsPlainVariable(const ast::Axis& axis) { return axis.kind == ast::Axis::Kind::kVar && !axis.cut; }

}  // namespace

// ---------------------------------------------------------------- facts

void Binder::CollectFacts() {
  const End& end = program_.ends[0];
  std::map<std::pair<uint32_t, size_t>, Fact> facts;
  std::set<std::pair<std::pair<uint32_t, size_t>, std::vector<int64_t>>> seen;
  for (size_t g = 0; g < end.groups.size(); ++g) {
    const FileGroup& group = end.groups[g];
    std::set<std::pair<uint32_t, uint32_t>> shapes;  // (family, shape)
    const SchemaTable& table = schema_.tables[group.table];
    for (size_t entry = 0; entry < table.size(); ++entry) {
      const Match& match = matches_[g][entry];
      if (match.family < 0 || match.role >= 0 || table[entry].shape == StoredTensor::kUnknown) continue;
      auto family_index = static_cast<uint32_t>(match.family);
      const bool chunk = table[entry].whole != StoredTensor::kNoChunk;
      const uint32_t shape_number = chunk ? table[entry].whole : table[entry].shape;
      if (!shapes.emplace(family_index, shape_number).second) continue;
      const Family& family = end.families[family_index];
      if (!family.type || family.blocks_of) continue;
      const Shape shape = SeenShape(group, table[entry]);
      const std::vector<ast::Axis>& axes =
          family.type->stored && !family.partner_type ? *family.type->stored : family.type->axes;
      std::string text =
          fmt::format("`{}` {}", diag::Printable(schema_.names[table[entry].name]), aoa::ToString(shape));
      if (axes.size() != shape.size()) {
        diagnostics_
            .Error(Code::kRank, family.type->where,
                   fmt::format("{} has {} axes, its type {}", text, shape.size(), axes.size()))
            .Expected(fmt::format("{} axes: {}", axes.size(), family.type->where.text()))
            .Found(fmt::format("{} in {}", text, schema_.files[group.files[0]].path));
        continue;
      }
      for (size_t i = 0; i < axes.size(); ++i) {
        std::pair key(family_index, i);
        if (axes[i].kind == ast::Axis::Kind::kAny || facts_done_.contains(key)) continue;
        Fact& fact = facts[key];
        fact.axis = &axes[i];
        fact.axis_number = i;
        fact.family = family_index;
        fact.whole |= chunk;
        Axis lowered = LowerFact(fact, nullptr);
        std::vector<size_t> cutting = CuttingAxes({{lowered}, std::nullopt});
        for (uint32_t file : group.files) {
          std::vector<int64_t> coordinates = end.mesh.Coordinates(schema_.files[file].rank);
          std::vector<int64_t> relevant = {shape[i]};
          for (size_t axis : cutting) relevant.push_back(coordinates[axis]);
          relevant.insert(relevant.end(), group.stages.begin(), group.stages.end());
          if (!seen.emplace(key, relevant).second) continue;
          fact.observations.push_back({std::move(coordinates), group.stages, shape[i],
                                       fmt::format("{} in {}", text, schema_.files[file].path)});
        }
      }
    }
  }
  facts_.clear();
  for (auto& [key, fact] : facts) facts_.push_back(std::move(fact));
}

// The shape that an entry of a group shows: its own, or that of the whole tensor where it is a chunk, or a layout says
// how it is cut.
Shape Binder::SeenShape(const FileGroup& group, const StoredTensor& stored) const {
  const Shape& shape = WholeStored(stored);
  const auto& shardings = program_.ends[0].shardings;
  uint32_t number = shardings ? shardings->Find(schema_.names[stored.name]) : Shardings::kNone;
  if (number == Shardings::kNone) return shape;
  const Sharding* sharding = shardings->At(number, schema_.files[group.files[0]].rank);
  return sharding ? WholeShapeOf(*sharding, shape).value_or(shape) : shape;
}

Axis Binder::LowerFact(const Fact& fact, const Dimensions::Trial* trial) {
  const Family& family = program_.ends[0].families[fact.family];
  int any = 0;
  Axis axis = program_.dimensions->Lower(*fact.axis, family.type_end, any, trial);
  if (family.partner_type) return WithoutPadding(WithoutCuts(axis));
  if (fact.whole) axis = WithoutCuts(axis);
  if (family.type->stored) {  // the stored shape is cut where the type is
    int ignored = 0;
    TensorType type = program_.dimensions->Lower(*family.type, family.type_end, ignored);
    axis = fact.whole ? WithoutCuts(type.stored->at(fact.axis_number)) : type.stored->at(fact.axis_number);
    if (trial) {
      int again = 0;
      Axis tried = program_.dimensions->Lower(*fact.axis, family.type_end, again, trial);
      std::function<void(Axis&, const Axis&)> take = [&](Axis& to, const Axis& from) {
        to.extent = from.extent;
        to.multiple = from.multiple;
        for (size_t i = 0; i < to.parts.size(); ++i) take(to.parts[i], from.parts[i]);
      };
      take(axis, tried);
    }
  }
  return axis;
}

// What a rank should show. Nothing if it cannot be said: something is unknown, or does not divide.
std::optional<int64_t> Binder::Predict(const Fact& fact, const Observation& seen, const Dimensions::Trial* trial) {
  const End& end = program_.ends[0];
  Axis axis = LowerFact(fact, trial);
  bool possible = Extent(axis) != Axis::kUnknown;
  for (size_t i = 0; i < end.placements.size() && possible; ++i) {
    const Placement& p = end.placements[i];
    if (!p.by_axis || fact.whole) continue;
    Walk(axis, [&](Axis& node) {
      if (!possible || node.kind != Axis::Kind::kVariable || node.variable != p.variable) return;
      diag::Diagnostics ignored;
      if (node.extent > 1'000'000) return;
      auto deal = MakeDeal(p, node.extent, 0, *program_.dimensions, ignored);
      if (deal)
        node.extent = static_cast<int64_t>(deal->stages[static_cast<size_t>(seen.stages[i])].size());
      else
        possible = false;
    });
  }
  if (!possible) return std::nullopt;
  auto shape = LocalShape({{axis}, std::nullopt}, end.mesh, seen.coordinates, {}, nullptr);
  return shape ? std::optional((*shape)[0]) : std::nullopt;
}

std::vector<int64_t> Binder::Candidates(const Fact& fact, SymbolId unknown) {
  const Mesh& mesh = program_.ends[0].mesh;
  double seen = 0;
  for (const Observation& o : fact.observations) seen += static_cast<double>(o.extent);
  seen /= static_cast<double>(fact.observations.size());
  std::vector<Axis> tried;
  int64_t most_repeats = 0;
  for (int64_t x : {0, 1}) {
    Dimensions::Trial trial{unknown, x};
    Axis& axis = tried.emplace_back(LowerFact(fact, &trial));
    for (const Placement& p : program_.ends[0].placements) {  // a dealt axis is shared by the stages
      if (!p.by_axis || fact.whole) continue;
      Walk(axis, [&](Axis& node) {
        if (node.kind == Axis::Kind::kVariable && node.variable == p.variable && p.axis)
          node.cuts.push_back({*p.axis, Cut::Rounding::kCeil});
      });
    }
    Walk(axis, [&](Axis& node) {
      int64_t parts = 1;
      for (const Cut& cut : node.cuts) parts *= cut.rounding == Cut::Rounding::kEven ? mesh.axis(cut.axis).size : 1;
      if (parts > 1) most_repeats = std::max(most_repeats, parts);
    });
  }
  std::vector<int64_t> out;
  Averages at = Average(tried[0], tried[1], mesh);
  if (at.second == at.first) return out;  // every value fits as well
  double linear = (seen - at.first) / (at.second - at.first);
  if (linear >= 0 && linear < 1e15) out.push_back(std::llround(linear));
  for (int64_t x = 1; x <= most_repeats; ++x) {
    if (std::find(out.begin(), out.end(), x) == out.end()) out.push_back(x);
  }
  return out;
}

// Every extent that is not larger than the whole axis.
std::vector<int64_t> Binder::AllCandidates(const Fact& fact) const {
  constexpr int64_t kMost = 1 << 16;
  int64_t most = 0;
  for (const Observation& o : fact.observations) most = std::max(most, o.extent);
  const Mesh& mesh = program_.ends[0].mesh;
  std::vector<int64_t> out;
  if (most > kMost / mesh.ranks()) return out;
  for (int64_t x = 1; x <= most * mesh.ranks(); ++x) out.push_back(x);
  return out;
}

// Settles a fact that has at most one unknown. True if a dimension has got its value.
bool Binder::Solve(Fact& fact) {
  Dimensions& dimensions = *program_.dimensions;
  const Family& family = program_.ends[0].families[fact.family];
  std::set<SymbolId> unknown,
      all = dimensions.SymbolsOf(*fact.axis, family.type_end,
                                 family.partner_type ? Dimensions::Paddings::kPadded : Dimensions::Paddings::kWhole);
  for (SymbolId symbol : all) {
    if (!dimensions.ValueOf(symbol)) unknown.insert(symbol);
  }
  if (unknown.empty()) {
    Verify(fact);
    return false;
  }
  std::set<SymbolId> solvable = dimensions.SymbolsOf(
      *fact.axis, family.type_end, family.partner_type ? Dimensions::Paddings::kPadded : Dimensions::Paddings::kNone);
  if (unknown.size() != 1 || !solvable.contains(*unknown.begin())) return false;
  SymbolId symbol = *unknown.begin();
  bool multiple = false;       // of a padding: then the axis is no linear function of it
  if (!family.partner_type) {  // also in what is padded: an extent there fixes nothing
    std::function<bool(const ast::Axis&)> inside = [&](const ast::Axis& axis) {
      if (axis.kind != ast::Axis::Kind::kPad) return std::any_of(axis.parts.begin(), axis.parts.end(), inside);
      multiple |= dimensions.SymbolsOf(axis, family.type_end).contains(symbol);
      return std::any_of(axis.parts.begin(), axis.parts.end(), [&](const ast::Axis& part) {
        return dimensions.SymbolsOf(part, family.type_end).contains(symbol);
      });
    };
    if (inside(*fact.axis)) return false;
  }
  std::vector<int64_t> fitting;
  auto fits = [&](int64_t candidate) {
    Dimensions::Trial trial{symbol, candidate};
    return std::all_of(fact.observations.begin(), fact.observations.end(),
                       [&](const Observation& o) { return Predict(fact, o, &trial) == o.extent; });
  };
  std::vector<int64_t> candidates = multiple ? AllCandidates(fact) : Candidates(fact, symbol);
  std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(fitting), fits);
  if (fitting.empty() && !multiple) {  // paddings of what is dealt are not linear on average
    std::vector<int64_t> all_candidates = AllCandidates(fact);
    std::copy_if(all_candidates.begin(), all_candidates.end(), std::back_inserter(fitting), fits);
  }
  if (fitting.size() == 1) {
    const Observation& o = fact.observations[0];
    dimensions.Offer(symbol, {fitting[0], fmt::format("axis {} of {}", fact.axis_number, o.text), fact.axis->where});
    fact.done = true;
    return true;
  }
  if (!fitting.empty() || candidates.empty()) return false;  // several: the value must come from elsewhere
  fact.done = true;
  auto& d = diagnostics_.Error(Code::kNoFit, fact.axis->where,
                               fmt::format("no extent of `{}` explains axis {} of {}", dimensions.NameOf(symbol),
                                           fact.axis_number, fact.observations[0].text));
  for (SymbolId other : all) {
    if (other != symbol) d.Note(dimensions.Describe(other));
  }
  for (size_t i = 0; i < fact.observations.size() && i < 4; ++i)
    d.Found(fmt::format("{} in {}", fact.observations[i].extent, fact.observations[i].text));
  dimensions.Offer(symbol, {0, "no value fits", fact.axis->where});  // quiets what follows from it
  return false;
}

// Compares a fact whose dimensions are all known with what was seen.
void Binder::Verify(Fact& fact) {
  Dimensions& dimensions = *program_.dimensions;
  const Family& family = program_.ends[0].families[fact.family];
  fact.done = true;
  if (IsPlainVariable(*fact.axis)) {
    std::set<SymbolId> symbols = dimensions.SymbolsOf(*fact.axis, family.type_end);
    bool dealt = std::any_of(program_.ends[0].placements.begin(), program_.ends[0].placements.end(),
                             [&](const Placement& p) { return p.by_axis && p.variable == fact.axis->name.text; });
    Axis lowered = LowerFact(fact, nullptr);
    bool whole =
        lowered.kind == Axis::Kind::kVariable && lowered.cuts.empty();  // no alias, and uncut where it is stored
    if (symbols.size() == 1 && (!dealt || fact.whole) && whole) {
      for (const Observation& o : fact.observations) {
        dimensions.Offer(*symbols.begin(),
                         {o.extent, fmt::format("axis {} of {}", fact.axis_number, o.text), fact.axis->where});
      }
      return;
    }
  }
  for (const Observation& o : fact.observations) {
    auto expected = Predict(fact, o, nullptr);
    if (expected == o.extent) continue;
    std::string whole = fmt::format("{}", fact.axis->where.text());
    if (!expected) {  // a cut that does not divide is an error of its own
      CutProblem problem;
      Axis axis = LowerFact(fact, nullptr);
      if (LocalShape({{axis}, std::nullopt}, program_.ends[0].mesh, o.coordinates, {}, &problem))
        continue;  // a placement: reported when it deals
    }
    auto& d = diagnostics_.Error(expected ? Code::kNoFit : Code::kCut, fact.axis->where,
                                 fmt::format("axis {} of {} is {}, the type says {}", fact.axis_number, o.text,
                                             o.extent, expected ? std::to_string(*expected) : "what does not divide"));
    if (expected) d.Expected(fmt::format("`{}` = {}", whole, *expected));
    d.Found(fmt::format("{}", o.extent));
    for (SymbolId symbol : dimensions.SymbolsOf(*fact.axis, family.type_end)) {
      d.Note(dimensions.Describe(symbol));
      const std::string& name = dimensions.NameOf(symbol);
      if (dimensions.IsSetAtBothEnds(symbol))
        d.Help(fmt::format("`-D {0}=` sets both ends, `-D to.{0}=` the target alone", name));
    }
    return;
  }
}

bool Binder::SolveFacts() {
  bool any = false;
  for (Fact& fact : facts_) {
    if (fact.done) continue;
    any |= Solve(fact);
    if (fact.done) facts_done_.emplace(fact.family, fact.axis_number);
  }
  return any;
}

}  // namespace aoa::bind
