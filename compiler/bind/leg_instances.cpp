// What names mean, the instances that follow, and a side to itself.
#include "compiler/bind/leg_binder.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/bind/binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

// Whether every map of the side leaves a tensor out: it is no part of the model, and a side to itself leaves it out
// too.
bool LeftOutByMaps(const std::vector<Map>& maps, const Side& side, const Pattern& pattern) {
  size_t count = 0;
  for (const Map& map : maps) {
    for (bool left : {true, false}) {
      if ((left ? map.left : map.right) != side.name) continue;
      ++count;
      bool dropped = std::any_of(map.statements.begin(), map.statements.end(), [&](const Statement& s) {
        const auto& operands = left ? s.left : s.right;
        return AllBlank(left ? s.right : s.left) && operands.size() == 1 && !operands[0].node->blank &&
               operands[0].pattern.text() == pattern.text();
      });
      if (!dropped) return false;
    }
  }
  return count > 0;
}

}  // namespace

using diag::Code;

bool LegBinder::DeclaredAt(size_t e, const std::string& name) {
  const End& end = program_.ends[e];
  return std::any_of(end.families.begin(), end.families.end(), [&](const Family& family) {
    return family.declaration && family.pattern.Match(name).has_value();
  });
}

// What a name means on the in side: a result of an earlier statement, or a tensor of the source end.
TensorId LegBinder::Lookup(const std::string& name) {
  const End& from = program_.ends[leg_];
  const End& to = program_.ends[leg_ + 1];
  TensorId own = from.Find(name), result = to.Find(name);
  bool held = own != kNoTensor && from.tensors[own].present;
  if (result != kNoTensor && to.tensors[result].present) {
    bool two_way = DirectionOf(*line_->statement, line_->backwards) == Direction::kBoth;
    bool own_instead = two_way && held;  // the source's tensor of this name, not the result
    bool linked = line_->backwards ? !read_.contains(result) && !DeclaredAt(leg_ + 1, name) : !DeclaredAt(leg_, name);
    linked &= !own_instead;
    if (linked) {
      read_.insert(result);
      return result | kResult;
    }
  }
  return own;
}

const Tensor& LegBinder::TensorAt(TensorId ref) const {
  return ref & kResult ? program_.ends[leg_ + 1].tensors[ref & ~kResult] : program_.ends[leg_].tensors[ref];
}

const TensorType* LegBinder::TypeAt(TensorId ref) const {
  const Tensor& tensor = TensorAt(ref);
  return tensor.type == kNoType ? nullptr : &program_.ends[ref & kResult ? leg_ + 1 : leg_].types[tensor.type];
}

// The family that all names of a pattern have: a declaration with that very pattern, or the statement's own where a
// side declares nothing. Otherwise each name has to be looked up.
uint32_t LegBinder::CommonFamily(size_t e, const std::string& text) const {
  const std::vector<Family>& families = program_.ends[e].families;
  bool declares = false;
  uint32_t implicit = kNoFamily;
  for (uint32_t i = 0; i < families.size(); ++i) {
    declares |= families[i].declaration != nullptr;
    if (families[i].pattern.text() != text) continue;
    if (families[i].declaration && families[i].ranges.empty()) return i;
    implicit = i;
  }
  return declares ? kNoFamily : implicit;
}

// The family of a name at an end: a declaration that spells it, else the one that the statement's pattern made.
uint32_t LegBinder::FamilyFor(size_t e, const std::string& name, const Use* use) {
  if (use && use->family != kNoFamily) return use->family;
  const End& end = program_.ends[e];
  std::string text = use ? use->text : "";
  uint32_t implicit = kNoFamily;
  for (uint32_t i = 0; i < end.families.size(); ++i) {
    const Family& family = end.families[i];
    bool same = family.pattern.text() == text;
    if (!family.declaration) {
      if (same) implicit = i;
      continue;
    }
    if (same && family.ranges.empty()) return i;
    auto values = family.pattern.Match(name);
    if (!values) continue;
    bool inside = std::all_of(values->begin(), values->end(), [&](const auto& v) {
      auto range = family.ranges.find(v.first);
      if (range != family.ranges.end()) return range->second.Contains(v.second);
      auto extent = program_.dimensions->ValueOf(program_.dimensions->At(e, v.first));
      return !extent || v.second < *extent;
    });
    if (inside) return i;
  }
  return implicit;
}

// Whether the sources of an instance are there. If some are missing, the instance says so and has no view.
bool LegBinder::CheckPresence(std::vector<Bound>& in, Instance& instance) {
  End& end = program_.ends[leg_];
  size_t wanted = 0, there = 0, optional = 0;
  for (const Bound& bound : in) {
    for (size_t i = 0; i < bound.tensors.size(); ++i) {
      ++wanted;
      if (bound.tensors[i] != kNoTensor && TensorAt(bound.tensors[i]).present) {
        ++there;
      } else {
        uint32_t family = FamilyFor(leg_, bound.names[i], bound.use);
        optional += attributes_.optional || (family != kNoFamily && end.families[family].optional);
      }
    }
  }
  found_ += there;
  if (there == wanted) return wanted > 0 || in.empty();
  if (there == 0 && optional == wanted) return false;
  instance.incomplete = true;
  for (Bound& bound : in) {
    for (size_t i = 0; i < bound.tensors.size(); ++i) {
      TensorId& id = bound.tensors[i];
      if (id == kNoTensor) {
        Tensor absent;
        absent.family = FamilyFor(leg_, bound.names[i], bound.use);
        id = end.Add(bound.names[i], absent);
      }
      instance.in.push_back(id);
    }
  }
  return false;
}

void LegBinder::BindInstance(const Assignment& values) {
  ++instances_;
  std::vector<Bound> in, out;
  for (const Use& use : in_) {
    if (!Expand(use, values, true, in)) return;
  }
  if (in.empty() && !in_.empty()) return;  // stars that match nothing
  Instance instance;
  instance.rule = rule_;
  bool creates = program_.legs[leg_].rules[rule_].kind == Rule::Kind::kCreate;
  bool complete = creates || CheckPresence(in, instance);
  if (!complete && !instance.incomplete) return;
  for (const Use& use : out_) {
    if (!Expand(use, values, false, out)) return;
  }
  if (auto offset = values.find("LAYER_ID_OFFSET"); offset != values.end() && offset->second == 0) {
    diagnostics_.Error(Code::kNamePattern, line_->statement->node->where,
                       "`$LAYER_ID_OFFSET` is 0 on the left, and no number stands before it");
    return;
  }
  std::vector<uint32_t> out_types;
  if (complete) {
    auto view = ViewFor(in, out, out_types);
    if (!view) return;
    instance.view = *view;
    if (!creates) {
      for (const Bound& bound : in) instance.in.insert(instance.in.end(), bound.tensors.begin(), bound.tensors.end());
    }
  }
  Produce(out, out_types, instance);
  program_.legs[leg_].instances.push_back(std::move(instance));
}

void LegBinder::Produce(const std::vector<Bound>& out, const std::vector<uint32_t>& out_types, Instance& instance) {
  End& end = program_.ends[leg_ + 1];
  for (size_t o = 0; o < out.size(); ++o) {
    for (const std::string& name : out[o].names) {
      TensorId existing = end.Find(name);
      if (existing != kNoTensor && (end.tensors[existing].present || end.tensors[existing].where)) {
        if (!read_.contains(existing)) {
          diagnostics_
              .Error(Code::kProducedTwice, line_->statement->node->where,
                     fmt::format("`{}` is produced twice", diag::Printable(name)))
              .Label("here again")
              .Also(end.tensors[existing].where, "and here")
              .Note("a result may be replaced after a later statement has read it, never before");
          instance.incomplete = true;
          return;
        }
        end.tensors[existing].temporary = true;  // read, and now replaced
      }
      Tensor tensor;
      tensor.family = FamilyFor(leg_ + 1, name, out[o].use);
      tensor.type = instance.incomplete ? kNoType : out_types[o];
      tensor.present = !instance.incomplete;
      tensor.where = line_->statement->node->where;
      instance.out.push_back(end.Add(name, tensor));
    }
  }
}

void LegBinder::Finish() {
  End& to = program_.ends[leg_ + 1];
  const End& from = program_.ends[leg_];
  bool backwards = program_.legs[leg_].backwards;
  for (TensorId result : read_) {
    Tensor& tensor = to.tensors[result];
    const std::string& name = to.NameOf(result);
    TensorId own = from.Find(name);
    bool held = own != kNoTensor && from.tensors[own].present;
    if (backwards || (!DeclaredAt(leg_ + 1, name) && !held)) tensor.temporary = true;
  }
}

void LegBinder::BindIdentity(const std::vector<Map>& maps) {
  const End& from = program_.ends[leg_];
  Rule rule;
  rule.two_way = true;
  program_.legs[leg_].rules.push_back(std::move(rule));
  rule_ = 0;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> views;  // (type of the source, family of the target)
  auto add = [&](const std::string& name, TensorId id) {
    Instance instance;
    instance.rule = rule_;
    End& to = program_.ends[leg_ + 1];
    uint32_t family = FamilyFor(leg_ + 1, name, nullptr);
    uint32_t type = kNoType;
    instance.incomplete = id == kNoTensor || !from.tensors[id].present;
    if (id == kNoTensor) {
      Tensor absent;
      absent.family = FamilyFor(leg_, name, nullptr);
      id = program_.ends[leg_].Add(name, absent);
    }
    instance.in.push_back(id);
    if (!instance.incomplete) {
      Shape shape = WholeShape(from.types[from.tensors[id].type]);
      bool typed = family != kNoFamily && to.families[family].type;
      if (typed && !program_.dimensions->RequireAll(*to.families[family].type, leg_ + 1, diagnostics_)) return;
      type = type_of_(leg_ + 1, typed ? family : kNoFamily, &shape);
      auto [it, added] = views.try_emplace({from.tensors[id].type, type}, static_cast<uint32_t>(views.size()));
      if (added) {
        RuleView view;
        SourceRange where = typed ? to.families[family].where : SourceRange{};
        view.in.push_back({false, typed ? from.types[from.tensors[id].type] : PlainType(shape), {}, where, name});
        view.out.push_back({false, typed ? to.types[type] : PlainType(shape), {}, where, name});
        program_.legs[leg_].rules[rule_].views.push_back(std::move(view));
      }
      instance.view = it->second;
    }
    Tensor tensor;
    tensor.family = family;
    tensor.type = type;
    tensor.present = !instance.incomplete;
    instance.out.push_back(program_.ends[leg_ + 1].Add(name, tensor));
    program_.legs[leg_].instances.push_back(std::move(instance));
  };
  auto drop = [&](TensorId id) {
    Leg& leg = program_.legs[leg_];
    if (leg.rules.size() == 1) leg.rules.emplace_back().kind = Rule::Kind::kDrop;
    Instance instance;
    instance.rule = 1;
    instance.in.push_back(id);
    leg.instances.push_back(std::move(instance));
  };
  bool declares = !from.side->declarations.empty();
  std::map<uint32_t, bool> left_out;  // by family
  auto leaves_out = [&](uint32_t family) {
    auto [it, added] = left_out.try_emplace(family, false);
    const Family& f = from.families[family];
    if (added) it->second = f.optional && LeftOutByMaps(maps, *from.side, f.pattern);
    return it->second;
  };
  for (TensorId id = 0, count = static_cast<TensorId>(from.tensors.size()); id < count; ++id) {
    const Tensor& tensor = from.tensors[id];
    if (!tensor.present || tensor.role >= 0 || (declares && tensor.family == kNoFamily)) continue;
    if (tensor.family != kNoFamily && (from.families[tensor.family].tied || from.families[tensor.family].blocks_of))
      continue;
    if (tensor.family != kNoFamily && leaves_out(tensor.family)) {
      drop(id);
      continue;
    }
    add(std::string(from.NameOf(id)), id);
  }
  std::vector<std::string> missing;
  for (const Family& family : program_.ends[leg_ + 1].families) {
    if (!family.declaration || family.optional || family.tied || family.blocks_of) continue;
    for (const std::string& name : NamesOf(leg_ + 1, family)) {
      if (program_.ends[leg_ + 1].Find(name) == kNoTensor) missing.push_back(name);
    }
  }
  for (const std::string& name : missing) add(name, kNoTensor);
}

}  // namespace aoa::bind
