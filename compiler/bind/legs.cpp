// The steps of the path, and the second copies (`tied`) at both ends of it.
#include <fmt/format.h>

#include "compiler/bind/binder.h"
#include "compiler/bind/leg_binder.h"

namespace aoa::bind {

using diag::Code;

void Binder::BindLegs() {
  auto type_of = [this](size_t end, uint32_t family, const Shape* any_from) { return TypeOf(end, family, any_from); };
  program_.legs.resize(program_.ends.size() - 1);
  TieSource();
  if (path_.maps.empty()) {
    LegBinder(program_, 0, type_of, diagnostics_).BindIdentity(unit_.maps);
  }
  for (size_t leg = 0; leg < path_.maps.size(); ++leg) {
    program_.legs[leg].map = path_.maps[leg];
    program_.legs[leg].backwards = path_.backwards[leg];
    LegBinder binder(program_, leg, type_of, diagnostics_);
    for (const Line& line : lines_) {
      if (line.leg == leg && line.active == true) binder.Bind(line);
    }
    binder.Finish();
  }
  TieTarget();
}

// The name of the original of a tied copy.
std::string Binder::OriginalName(const End& end, const Family& copy, const std::string& name) {
  const Family& original = end.families[*copy.tied];
  return original.pattern.Spell(*copy.pattern.Match(name));
}

// The names of the copies of an original with these values: one for each number of the variables that only copies have.
void Binder::CopyNames(size_t e, const Family& copy, Assignment& values, std::vector<std::string>& names) {
  for (const std::string& v : copy.pattern.Variables()) {
    if (values.contains(v)) continue;
    auto range = copy.ranges.find(v);
    SymbolId symbol = program_.dimensions->At(e, v);
    Range numbers =
        range != copy.ranges.end() ? range->second : Range{0, program_.dimensions->ValueOf(symbol).value_or(0), {}};
    if (numbers.size() > static_cast<int64_t>(kMostNames)) {
      diagnostics_.Error(Code::kTooDeep, copy.where, fmt::format("a tensor with {} copies", numbers.size()))
          .Expected(fmt::format("at most {}", kMostNames));
      return;
    }
    for (int64_t k = 0; k < numbers.size(); ++k) {
      values[v] = numbers.Nth(k);
      CopyNames(e, copy, values, names);
    }
    values.erase(v);
    return;
  }
  names.push_back(copy.pattern.Spell(values));
}

uint32_t Binder::TieView(size_t e, uint32_t original_type, uint32_t copy_type, const Family& original,
                         const Family& copy) {
  End& end = program_.ends[e];
  auto [it, added] = tie_views_.try_emplace({e, original_type, copy_type}, static_cast<uint32_t>(end.tie_views.size()));
  if (added) {
    RuleView view;
    view.in.push_back({false, end.types[original_type], {}, original.where, original.pattern.text()});
    view.out.push_back({false, end.types[copy_type], {}, copy.where, copy.pattern.text()});
    end.tie_views.push_back(std::move(view));
  }
  return it->second;
}

// A copy that is there stands for its original if that is not.
void Binder::TieSource() {
  End& end = program_.ends[0];
  for (TensorId id = 0, count = static_cast<TensorId>(end.tensors.size()); id < count; ++id) {
    if (!end.tensors[id].present || end.tensors[id].role >= 0 || end.tensors[id].family == kNoFamily) continue;
    const Family& family = end.families[end.tensors[id].family];
    if (!family.tied || !family.type) continue;
    const Family& original = end.families[*family.tied];
    std::string name = OriginalName(end, family, end.NameOf(id));
    TensorId to = end.Find(name);
    if (to == kNoTensor || !end.tensors[to].present) {
      if (!original.type || !program_.dimensions->RequireAll(*original.type, 0, diagnostics_)) continue;
      Tensor derived;
      derived.family = static_cast<uint32_t>(*family.tied);
      derived.type = TypeOf(0, derived.family, nullptr);
      derived.dtype = end.tensors[id].dtype;
      derived.present = true;
      to = end.Add(name, derived);
    }
    end.ties.push_back({to, id, TieView(0, end.tensors[to].type, end.tensors[id].type, original, family)});
  }
}

// Every produced tensor gets the copies that the target declares.
void Binder::TieTarget() {
  size_t last = program_.ends.size() - 1;
  End& end = program_.ends[last];
  std::map<size_t, std::vector<uint32_t>> copies;  // original family -> families of copies
  for (uint32_t f = 0; f < end.families.size(); ++f) {
    if (end.families[f].tied && end.families[f].type) copies[*end.families[f].tied].push_back(f);
  }
  for (TensorId id = 0, count = static_cast<TensorId>(end.tensors.size()); id < count && !copies.empty(); ++id) {
    const Tensor original = end.tensors[id];
    if (!original.present || original.temporary || original.role >= 0 || original.family == kNoFamily ||
        !copies.contains(original.family))
      continue;
    for (uint32_t f : copies[original.family]) {
      const Family& family = end.families[f];
      if (!program_.dimensions->RequireAll(*family.type, last, diagnostics_)) continue;
      auto values = end.families[original.family].pattern.Match(end.NameOf(id));
      Tensor copy;
      copy.family = f;
      copy.type = TypeOf(last, f, nullptr);
      copy.present = true;
      copy.where = family.where;
      std::vector<std::string> names;
      CopyNames(last, family, *values, names);
      for (const std::string& name : names) {
        TensorId copy_id = end.Add(name, copy);
        uint32_t view = TieView(last, original.type, copy.type, end.families[original.family], family);
        end.ties.push_back({id, copy_id, view});
      }
    }
  }
}

}  // namespace aoa::bind
