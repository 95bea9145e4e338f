#include "compiler/bind/leg_binder.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/bind/binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;

constexpr int64_t kMostInstances = 20'000'000;

// Variables that take the numbers of the source's names, with gaps, as Paddle does.
bool TakesNumbers(const std::string& variable) { return variable == "LAYER_ID" || variable == "EXPERT_ID" || variable == "LAYER_ID_OFFSET"; }

bool Contains(const std::vector<std::string>& names, const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); }

// 2 before 10; equal numbers by their spelling.
bool NumericLess(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  auto key = [](const std::string& digits) {
    std::string_view trimmed = digits;
    while (trimmed.size() > 1 && trimmed[0] == '0') trimmed.remove_prefix(1);
    return std::tuple(trimmed.size(), trimmed, std::string_view(digits));
  };
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] != b[i]) return key(a[i]) < key(b[i]);
  }
  return false;
}

bool AllBlank(const std::vector<Operand>& operands) {
  return std::all_of(operands.begin(), operands.end(), [](const Operand& o) { return o.node->blank; });
}

}  // namespace

Direction DirectionOf(const Statement& statement, bool backwards) {
  ast::Arrow arrow = statement.node->arrow;
  if (arrow == ast::Arrow::kBoth) return Direction::kBoth;
  bool right = (arrow == ast::Arrow::kRight) != statement.flipped;  // towards the map's right
  return right != backwards ? Direction::kAlong : Direction::kAgainst;
}

LegBinder::LegBinder(Program& program, size_t leg, TypeOf type_of, diag::Diagnostics& diagnostics)
    : program_(program), leg_(leg), type_of_(std::move(type_of)), diagnostics_(diagnostics) {}

// ---------------------------------------------------------------- a statement

bool LegBinder::Prepare(const Line& line) {
  line_ = &line;
  const Statement& statement = *line.statement;
  Direction direction = DirectionOf(statement, line.backwards);
  bool creates = AllBlank(line.in()), drops = AllBlank(line.out());
  if (direction == Direction::kAgainst) {
    if (!creates && !drops) program_.legs[leg_].against.push_back(&statement);
    return false;
  }
  if (creates && drops) return false;
  diag::Diagnostics ignored;  // attributes are reported once, by the check of statements
  attributes_ = ReadAttributes(*statement.node, ignored);

  in_.clear();
  out_.clear();
  for (bool in : {true, false}) {
    size_t end = in ? leg_ : leg_ + 1;
    for (const Operand& operand : in ? line.in() : line.out()) {
      Use use;
      use.operand = &operand;
      if (!operand.node->blank) {
        auto pattern = operand.pattern.Resolve([&](const ast::Expr& e) -> std::optional<int64_t> {
          Value value = Evaluate(e, program_.dimensions->ScopeAt(end), Arithmetic::kExact);
          if (value.integer) return value.integer;
          diagnostics_.Error(Code::kUnknownDimension, e.where, fmt::format("`{}` has no value", ToString(e)));
          return std::nullopt;
        });
        if (!pattern) return false;
        use.pattern = std::move(*pattern);
        use.text = use.pattern.text();
        use.family = CommonFamily(end, use.text);
      }
      (in ? in_ : out_).push_back(std::move(use));
    }
  }

  Rule rule;
  rule.kind = drops ? Rule::Kind::kDrop : creates ? Rule::Kind::kCreate : attributes_.copy ? Rule::Kind::kCopy : Rule::Kind::kMap;
  rule.statement = &statement;
  rule.two_way = direction == Direction::kBoth;
  rule.inverse = rule.two_way && line.backwards != statement.flipped;
  rule.scale = attributes_.scale;
  rule.offset = attributes_.offset;
  rule.normalize = attributes_.normalize;
  rule.overflow = attributes_.overflow;
  rule.fill_last = attributes_.fill_last;
  rule.fill = attributes_.fill;
  rule.cast = attributes_.dtype;
  rule.cast_from = attributes_.src_dtype;
  if (rule.inverse) std::swap(rule.cast, rule.cast_from);
  if (rule.inverse && !attributes_.src_dtype) rule.cast = rule.cast_from = std::nullopt;
  rule.where = statement.node->where;
  rule_ = static_cast<uint32_t>(program_.legs[leg_].rules.size());
  program_.legs[leg_].rules.push_back(std::move(rule));
  ranges_ = Ranges();
  views_.clear();
  instances_ = found_ = 0;
  return true;
}

void LegBinder::Bind(const Line& line) {
  if (!Prepare(line)) return;
  Rule::Kind kind = program_.legs[leg_].rules[rule_].kind;
  if (kind == Rule::Kind::kDrop) {
    DropMatching();
  } else {
    // Loops run over the variables that all operands share; the others are stacked.
    loops_.clear();
    numbered_.clear();
    bool first = true;
    for (const std::vector<Use>* uses : {&in_, &out_}) {
      for (const Use& use : *uses) {
        if (use.operand->node->blank) continue;
        std::vector<std::string> variables = use.pattern.Variables();
        if (first) loops_ = variables;
        else std::erase_if(loops_, [&](const std::string& v) { return !Contains(variables, v); });
        first = false;
      }
    }
    for (std::vector<Use>* uses : {&in_, &out_}) {
      for (Use& use : *uses) {
        for (const std::string& v : use.pattern.Variables()) {
          if (!Contains(loops_, v)) use.stacked.push_back(v);
        }
      }
    }
    for (const std::string& v : loops_) {
      if (TakesNumbers(v)) numbered_.push_back(v);
    }
    std::erase_if(loops_, TakesNumbers);
    if (numbered_.empty() || kind == Rule::Kind::kCreate) {
      Assignment values;
      BindLoops(0, values);
    } else {
      for (Assignment& values : NumbersInNames(numbered_)) BindLoops(0, values);
    }
  }
  if (found_ == 0 && kind != Rule::Kind::kCreate) NothingFound();
}

// No tensor of the source has a name of the statement. That is a mistake, unless the rules say that they may be absent.
void LegBinder::NothingFound() {
  if (attributes_.optional) return;
  for (const auto& [variable, range] : ranges_) {
    if (range.first >= range.second) return;  // an empty range says nothing
  }
  for (const Use& use : in_) {
    if (use.operand->node->blank) continue;
    for (const Family& family : program_.ends[leg_].families) {
      if (family.pattern.text() == use.text && (family.optional || family.declaration)) return;  // optional, or reported as missing
    }
  }
  program_.legs[leg_].rules[rule_].matches_nothing = true;
}

void LegBinder::DropMatching() {
  End& end = program_.ends[leg_];
  Instance instance;
  instance.rule = rule_;
  for (const Use& use : in_) {
    for (TensorId id = 0; id < end.tensors.size(); ++id) {
      const Tensor& tensor = end.tensors[id];
      if (!tensor.present || tensor.role >= 0 || tensor.temporary) continue;
      auto values = use.pattern.Match(end.NameOf(id));
      if (!values) continue;
      bool inside = std::all_of(values->begin(), values->end(), [&](const auto& v) {
        auto range = ranges_.find(v.first);
        return range == ranges_.end() || (v.second >= range->second.first && v.second < range->second.second);
      });
      if (!inside) continue;
      ++found_;
      instance.in.push_back(id);
    }
  }
  if (!instance.in.empty()) program_.legs[leg_].instances.push_back(std::move(instance));
  if (leg_ == 0) DropAbsent();
}

// What a declaration says must be there, also to be dropped.
void LegBinder::DropAbsent() {
  End& end = program_.ends[leg_];
  Instance absent;
  absent.rule = rule_;
  absent.incomplete = true;
  for (const Use& use : in_) {
    for (size_t f = 0; f < end.families.size(); ++f) {
      const Family& family = end.families[f];
      if (!family.declaration || family.optional || family.tied || family.pattern.text() != use.text || use.pattern.HasStar()) continue;
      for (const std::string& name : NamesOf(leg_, family)) {
        auto values = use.pattern.Match(name);
        bool inside = values && std::all_of(values->begin(), values->end(), [&](const auto& v) {
          auto range = ranges_.find(v.first);
          return range == ranges_.end() || (v.second >= range->second.first && v.second < range->second.second);
        });
        TensorId id = end.Find(name);
        if (!inside || (id != kNoTensor && end.tensors[id].present)) continue;
        if (id == kNoTensor) {
          Tensor tensor;
          tensor.family = static_cast<uint32_t>(f);
          id = end.Add(name, tensor);
        }
        absent.in.push_back(id);
      }
    }
  }
  if (!absent.in.empty()) program_.legs[leg_].instances.push_back(std::move(absent));
}

// The ranges that `for` gives to variables of the statement.
std::map<std::string, std::pair<int64_t, int64_t>> LegBinder::Ranges() {
  std::map<std::string, std::pair<int64_t, int64_t>> out;
  for (const VariableRange& range : line_->statement->context.ranges) {
    Scope scope = program_.dimensions->ScopeAt(leg_);
    Value from = Evaluate(*range.from, scope, Arithmetic::kExact), to = Evaluate(*range.to, scope, Arithmetic::kExact);
    if (!from.integer || !to.integer) continue;
    auto [it, added] = out.emplace(range.variable.text, std::pair(*from.integer, *to.integer));
    if (!added) it->second = {std::max(it->second.first, *from.integer), std::min(it->second.second, *to.integer)};
  }
  return out;
}

// ---------------------------------------------------------------- loops

// The values of a variable: its range, or every index of its dimension. Nothing if the dimension is not known.
std::optional<std::pair<int64_t, int64_t>> LegBinder::ValuesOf(const std::string& variable, size_t end, SourceRange where) {
  std::pair<int64_t, int64_t> bounds;
  if (auto range = ranges_.find(variable); range != ranges_.end()) {
    bounds = {std::max<int64_t>(0, range->second.first), range->second.second};
  } else {
    SymbolId symbol = program_.dimensions->At(end, variable);
    if (!program_.dimensions->ValueOf(symbol)) {
      if (!in_.empty() && !in_[0].operand->node->blank && end == leg_) return std::pair<int64_t, int64_t>(0, 0);  // no name has a number
      program_.dimensions->Require(symbol, where, diagnostics_);
      return std::nullopt;
    }
    if (!program_.dimensions->Require(symbol, where, diagnostics_)) return std::nullopt;
    bounds = {0, *program_.dimensions->ValueOf(symbol)};
  }
  if (bounds.second - bounds.first > kMostInstances) {
    diagnostics_.Error(Code::kTooDeep, where, fmt::format("`{}` has {} values", variable, bounds.second - bounds.first)).Expected(fmt::format("at most {}", kMostInstances));
    return std::nullopt;
  }
  return bounds;
}

// The values that the numbers of the source's names give to variables, in every name that a first operand matches.
std::vector<Assignment> LegBinder::NumbersInNames(const std::vector<std::string>& variables) {
  std::set<Assignment> found;
  auto collect = [&](const End& end, const Pattern& pattern, bool results) {
    for (TensorId id = 0; id < end.tensors.size(); ++id) {
      const Tensor& tensor = end.tensors[id];
      if (!tensor.present || tensor.role >= 0 || (results && tensor.temporary)) continue;
      auto values = pattern.Match(end.NameOf(id));
      if (!values) continue;
      Assignment chosen;
      for (const std::string& v : variables) chosen[v] = values->at(v);
      found.insert(std::move(chosen));
    }
  };
  for (const Use& use : in_) {
    if (use.operand->node->blank) continue;
    collect(program_.ends[leg_], use.pattern, false);
    if (found.empty()) collect(program_.ends[leg_ + 1], use.pattern, true);
    break;
  }
  return {found.begin(), found.end()};
}

void LegBinder::BindLoops(size_t loop, Assignment& values) {
  if (loop == loops_.size()) {
    BindInstance(values);
    return;
  }
  bool from_in = !in_.empty() && !AllBlank(line_->in());
  auto bounds = ValuesOf(loops_[loop], from_in ? leg_ : leg_ + 1, line_->statement->node->where);
  if (!bounds) return;
  for (int64_t value = bounds->first; value < bounds->second; ++value) {
    values[loops_[loop]] = value;
    BindLoops(loop + 1, values);
    if (instances_ > static_cast<size_t>(kMostInstances)) return;
  }
  values.erase(loops_[loop]);
}

// The tensors that an operand names under the loops' values: one bound operand, or one per name of a star.
bool LegBinder::Expand(const Use& use, const Assignment& values, bool in, std::vector<Bound>& out) {
  if (use.operand->node->blank) {
    out.push_back({{}, {}, {}, true, &use});
    return true;
  }
  size_t end = in ? leg_ : leg_ + 1;
  std::vector<Pattern> patterns = {use.pattern};
  if (use.pattern.HasStar()) {
    patterns.clear();
    for (const auto& digits : StarsOf(use.pattern.Substitute(values), in)) patterns.push_back(use.pattern.WithStars(digits));
    if (patterns.empty()) return !in ? NoStars(use) : true;
  }
  for (const Pattern& pattern : patterns) {
    Bound bound;
    bound.use = &use;
    std::vector<std::pair<int64_t, int64_t>> bounds;
    int64_t count = 1;
    for (const std::string& v : use.stacked) {
      auto range = ValuesOf(v, end, use.operand->node->where);
      if (!range) return false;
      bounds.push_back(*range);
      bound.stacked.push_back({v, range->second - range->first, 0});
      count *= std::max<int64_t>(0, range->second - range->first);
      if (count > kMostInstances) return ValuesOf(v, end, use.operand->node->where), false;
    }
    Assignment all = values;
    for (int64_t n = 0; n < count; ++n) {
      int64_t rest = n;
      for (size_t i = bounds.size(); i-- > 0;) {
        int64_t extent = bounds[i].second - bounds[i].first;
        all[use.stacked[i]] = bounds[i].first + rest % extent;
        rest /= extent;
      }
      bound.names.push_back(pattern.Spell(all));
      bound.tensors.push_back(in ? Lookup(bound.names.back()) : kNoTensor);
    }
    out.push_back(std::move(bound));
  }
  return true;
}

// The digits that a star stands for: in the names that are there (in), or that the target side declares.
std::vector<std::vector<std::string>> LegBinder::StarsOf(const Pattern& pattern, bool in) {
  std::vector<std::vector<std::string>> found;
  auto offer = [&](const std::string& name) {
    std::vector<std::string> digits;
    if (pattern.Match(name, &digits)) found.push_back(std::move(digits));
  };
  if (in) {
    for (size_t e : {leg_, leg_ + 1}) {
      const End& end = program_.ends[e];
      for (TensorId id = 0; id < end.tensors.size(); ++id) {
        if (end.tensors[id].present && end.tensors[id].role < 0 && !end.tensors[id].temporary) offer(end.NameOf(id));
      }
      if (!found.empty()) break;
    }
  } else {
    for (const Family& family : program_.ends[leg_ + 1].families) {
      if (!family.declaration) continue;
      for (const std::string& name : NamesOf(leg_ + 1, family)) offer(name);
    }
  }
  std::sort(found.begin(), found.end(), NumericLess);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

// Every name of a declared family; empty if a variable's extent is not known, or there are very many.
std::vector<std::string> LegBinder::NamesOf(size_t end, const Family& family) {
  std::vector<std::string> variables = family.pattern.Variables();
  std::vector<Assignment> all = {{}};
  for (const std::string& v : variables) {
    std::pair<int64_t, int64_t> bounds;
    if (auto range = family.ranges.find(v); range != family.ranges.end() && range->second.second >= 0) bounds = range->second;
    else if (auto extent = program_.dimensions->ValueOf(program_.dimensions->At(end, v))) bounds = {0, *extent};
    else return {};
    std::vector<Assignment> next;
    for (const Assignment& a : all) {
      for (int64_t x = bounds.first; x < bounds.second; ++x) {
        next.push_back(a);
        next.back()[v] = x;
        if (next.size() > 10'000'000) return {};
      }
    }
    all = std::move(next);
  }
  std::vector<std::string> names;
  for (const Assignment& a : all) names.push_back(family.pattern.Spell(a));
  return names;
}

bool LegBinder::NoStars(const Use& use) {
  diagnostics_.Error(Code::kMatchesNothing, use.operand->node->where, fmt::format("side `{}` declares no tensor `{}`", program_.ends[leg_ + 1].side->name, use.text))
      .Note("a star on the target side stands for the names that the side declares");
  return false;
}

// ---------------------------------------------------------------- tensors

bool LegBinder::DeclaredAt(size_t e, const std::string& name) {
  const End& end = program_.ends[e];
  return std::any_of(end.families.begin(), end.families.end(), [&](const Family& family) { return family.declaration && family.pattern.Match(name).has_value(); });
}

// What a name means on the in side: a result of an earlier statement, or a tensor of the source end.
TensorId LegBinder::Lookup(const std::string& name) {
  const End& from = program_.ends[leg_];
  const End& to = program_.ends[leg_ + 1];
  TensorId own = from.Find(name), result = to.Find(name);
  bool held = own != kNoTensor && from.tensors[own].present;
  if (result != kNoTensor && to.tensors[result].present) {
    bool two_way = DirectionOf(*line_->statement, line_->backwards) == Direction::kBoth;
    bool linked = line_->backwards ? !read_.contains(result) && !DeclaredAt(leg_ + 1, name) : !DeclaredAt(leg_, name) && !(two_way && held);
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

// The family that all names of a pattern have: a declaration with that very pattern, or the statement's own where a side
// declares nothing. Otherwise each name has to be looked up.
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
      if (range != family.ranges.end()) return v.second >= range->second.first && v.second < range->second.second;
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
    diagnostics_.Error(Code::kNamePattern, line_->statement->node->where, "`$LAYER_ID_OFFSET` is 0 on the left, and no number stands before it");
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
          diagnostics_.Error(Code::kProducedTwice, line_->statement->node->where, fmt::format("`{}` is produced twice", diag::Printable(name)))
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

// ---------------------------------------------------------------- views

bool LegBinder::IsTyped(TensorId ref, const Operand& operand) const {
  if (operand.node->type) return true;
  const Tensor& tensor = TensorAt(ref);
  if (tensor.family == kNoFamily) return false;
  const Family& family = program_.ends[ref & kResult ? leg_ + 1 : leg_].families[tensor.family];
  return family.type && !(family.partner_type && (ref & kResult));  // a result has a shape, no type of a partner
}

std::optional<uint32_t> LegBinder::ViewFor(const std::vector<Bound>& in, const std::vector<Bound>& out, std::vector<uint32_t>& out_types) {
  std::string key;
  for (const Bound& bound : in) {
    if (bound.blank) key += "_,";
    else if (!bound.tensors.empty()) key += fmt::format("{}{}x{},", bound.tensors[0] & kResult ? "r" : "", TensorAt(bound.tensors[0]).type, bound.tensors.size());
    for (TensorId id : bound.tensors) {
      if (TensorAt(id).type == TensorAt(bound.tensors[0]).type) continue;
      diagnostics_.Error(Code::kShape, bound.use->operand->node->where, fmt::format("`{}` and `{}` are stacked and have different shapes", diag::Printable(bound.names[0]), diag::Printable(bound.names[1])));
      return std::nullopt;
    }
  }
  key += ">";
  for (const Bound& bound : out) key += bound.blank ? "_," : fmt::format("{}x{},", bound.names.empty() ? kNoFamily : FamilyFor(leg_ + 1, bound.names[0], bound.use), bound.names.size());
  if (auto it = views_.find(key); it != views_.end()) {
    out_types = it->second.second;
    return it->second.first == kBroken ? std::nullopt : std::optional(it->second.first);
  }
  size_t in_count = in.size(), out_count = out.size();
  bool transposed = false;
  for (const std::vector<Bound>* bounds : {&in, &out}) {
    for (const Bound& bound : *bounds) transposed |= !bound.blank && bound.use->operand->node->transposed;
  }
  bool positional = transposed || attributes_.permute || attributes_.reshape || attributes_.fused != Fused::kNone || (attributes_.axis && (in_count > 1 || out_count > 1));
  auto typed_out = [&](const Bound& bound) {
    if (bound.blank || bound.use->operand->node->type || bound.names.empty()) return true;
    uint32_t family = FamilyFor(leg_ + 1, bound.names[0], bound.use);
    return family != kNoFamily && program_.ends[leg_ + 1].families[family].type;
  };
  bool typed = std::all_of(out.begin(), out.end(), typed_out) &&
               std::all_of(in.begin(), in.end(), [&](const Bound& b) { return b.blank || b.tensors.empty() || IsTyped(b.tensors[0], *b.use->operand); });
  std::optional<RuleView> view;
  if (!positional && typed) view = TypedView(in, out, out_types);
  else if (positional || attributes_.copy || (in_count == 1 && out_count == 1)) view = ShapedView(in, out, out_types);
  else ReportUntypedList(in, out);
  Rule& rule = program_.legs[leg_].rules[rule_];
  auto number = static_cast<uint32_t>(rule.views.size());
  views_[key] = {view ? number : kBroken, out_types};
  if (!view) return std::nullopt;
  rule.positional = positional || !typed;
  rule.views.push_back(std::move(*view));
  return number;
}

void LegBinder::ReportUntypedList(const std::vector<Bound>& in, const std::vector<Bound>& out) {
  std::vector<std::string> counts;
  auto& d = diagnostics_.Error(Code::kUntypedList, line_->statement->node->where, fmt::format("{} tensor{} and {} tensor{}, not all of which have types", in.size(), in.size() == 1 ? "" : "s", out.size(), out.size() == 1 ? "" : "s"));
  d.Expected("types on both sides, `axis=`, or `copy`");
}

// The type of an operand at an end. `any` counts the `_` axes of one side of the statement.
TensorType LegBinder::OperandType(const Bound& bound, size_t e, bool in, int& any) {
  const ast::Operand& node = *bound.use->operand->node;
  Dimensions& dimensions = *program_.dimensions;
  if (node.type) {
    int first = any;
    TensorType type = dimensions.Lower(*node.type, e, any);
    const TensorType* stored = in && !bound.tensors.empty() ? TypeAt(bound.tensors[0]) : nullptr;
    for (size_t i = 0; stored && i < type.axes.size() && i < stored->axes.size(); ++i) {
      if (any > first && type.axes[i].variable.starts_with("_:")) type.axes[i].extent = Extent(stored->axes[i]);
    }
    return type;
  }
  auto renumber = [&](TensorType type) {
    for (Axis& axis : type.axes) {
      if (axis.variable.starts_with("_:")) axis.variable = fmt::format("_:{}", any++);
    }
    return type;
  };
  if (in && !bound.tensors.empty()) return renumber(*TypeAt(bound.tensors[0]));
  uint32_t family_index = bound.names.empty() ? kNoFamily : FamilyFor(e, bound.names[0], bound.use);
  if (family_index == kNoFamily) return {};
  const Family& family = program_.ends[e].families[family_index];
  if (!family.type) return {};
  int own = 0;
  TensorType type = dimensions.Lower(*family.type, family.type_end, own);
  return renumber(family.partner_type ? WithoutCutsAndPadding(type) : type);
}

// The type of an out operand's tensors in the target end's table.
uint32_t LegBinder::OutType(const Bound& bound, const TensorType& view_type) {
  if (bound.blank || bound.names.empty()) return kNoType;
  uint32_t family = FamilyFor(leg_ + 1, bound.names[0], bound.use);
  Shape shape = WholeShape(view_type);
  return type_of_(leg_ + 1, family, &shape);
}

std::optional<RuleView> LegBinder::TypedView(const std::vector<Bound>& in, const std::vector<Bound>& out, std::vector<uint32_t>& out_types) {
  RuleView view;
  bool ok = true;
  for (bool inward : {true, false}) {
    size_t e = inward ? leg_ : leg_ + 1;
    int any = 0;
    for (const Bound& bound : inward ? in : out) {
      OperandView operand;
      operand.blank = bound.blank;
      operand.where = bound.use->operand->node->where;
      operand.text = bound.blank ? "_" : bound.use->text;
      operand.stacked = bound.stacked;
      if (!bound.blank) {
        if (!inward) ok &= RequireType(bound);
        if (attributes_.copy && !inward) any = 0;  // every target of a copy counts anew
        operand.type = OperandType(bound, e, inward, any);
      }
      (inward ? view.in : view.out).push_back(std::move(operand));
    }
  }
  if (!ok) return std::nullopt;
  ShareAnyExtents(view);
  for (size_t i = 0; i < out.size(); ++i) {
    if (!out[i].blank && ElementCount(view.out[i].type) == Axis::kTooLarge) {
      diagnostics_.Error(Code::kShape, view.out[i].where, fmt::format("`{}` would have more than 2^60 elements", view.out[i].text));
      return std::nullopt;
    }
    out_types.push_back(OutType(out[i], view.out[i].type));
  }
  return view;
}

// The dimensions of an out operand's type must be known.
bool LegBinder::RequireType(const Bound& bound) {
  const ast::Operand& node = *bound.use->operand->node;
  if (node.type) return program_.dimensions->RequireAll(*node.type, leg_ + 1, diagnostics_);
  uint32_t index = bound.names.empty() ? kNoFamily : FamilyFor(leg_ + 1, bound.names[0], bound.use);
  if (index == kNoFamily) return true;
  const Family& family = program_.ends[leg_ + 1].families[index];
  return !family.type || program_.dimensions->RequireAll(*family.type, family.type_end, diagnostics_);
}

// The i-th `_` of one side is the i-th of the other.
void LegBinder::ShareAnyExtents(RuleView& view) {
  std::map<std::string, int64_t> extents;
  for (const OperandView& operand : view.in) {
    for (const Axis& axis : operand.type.axes) {
      if (axis.variable.starts_with("_:")) extents[axis.variable] = axis.extent;
    }
  }
  for (OperandView& operand : view.out) {
    for (Axis& axis : operand.type.axes) {
      if (auto it = extents.find(axis.variable); axis.variable.starts_with("_:") && it != extents.end()) axis.extent = it->second;
    }
  }
}

std::optional<RuleView> LegBinder::ShapedView(const std::vector<Bound>& in, const std::vector<Bound>& out, std::vector<uint32_t>& out_types) {
  std::vector<PositionalOperand> from, to;
  End& target = program_.ends[leg_ + 1];
  for (bool inward : {true, false}) {
    for (const Bound& bound : inward ? in : out) {
      if (bound.blank || bound.names.size() != 1 || !bound.stacked.empty()) {
        diagnostics_.Error(Code::kUntypedList, bound.use->operand->node->where, fmt::format("`{}` stands for {} tensors in a statement that moves elements by shape", bound.blank ? "_" : bound.use->text, bound.names.size()))
            .Expected("types, if one tensor stacks several")
            .Help("a variable that stands in all names runs over them one by one");
        return std::nullopt;
      }
      PositionalOperand operand;
      operand.text = diag::Printable(bound.names[0]);
      operand.where = bound.use->operand->node->where;
      operand.transposed = bound.use->operand->node->transposed;
      operand.mesh = &program_.ends[inward ? leg_ : leg_ + 1].mesh;
      if (inward) {
        operand.declared = TypeAt(bound.tensors[0]);
        operand.mesh = &program_.ends[bound.tensors[0] & kResult ? leg_ + 1 : leg_].mesh;
        if (!operand.declared) return std::nullopt;
        operand.shape = WholeShape(*operand.declared);
        if (!IsTyped(bound.tensors[0], *bound.use->operand)) operand.declared = nullptr;
      } else {
        uint32_t family = FamilyFor(leg_ + 1, bound.names[0], bound.use);
        if (family != kNoFamily && target.families[family].type && !target.families[family].partner_type) {
          if (!RequireType(bound)) return std::nullopt;
          uint32_t type = type_of_(leg_ + 1, family, nullptr);
          operand.declared = &target.types[type];
          operand.shape = WholeShape(*operand.declared);
        }
      }
      (inward ? from : to).push_back(std::move(operand));
    }
  }
  bool inverse = program_.legs[leg_].rules[rule_].inverse;
  auto view = MakePositionalView(attributes_, inverse ? to : from, inverse ? from : to, inverse, diagnostics_);
  if (!view) return std::nullopt;
  for (size_t i = 0; i < out.size(); ++i) out_types.push_back(OutType(out[i], view->out[i].type));
  return view;
}

// ---------------------------------------------------------------- the ends of a leg

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

void LegBinder::BindIdentity() {
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
  bool declares = !from.side->declarations.empty();
  for (TensorId id = 0, count = static_cast<TensorId>(from.tensors.size()); id < count; ++id) {
    const Tensor& tensor = from.tensors[id];
    if (!tensor.present || tensor.role >= 0 || (declares && tensor.family == kNoFamily)) continue;
    if (tensor.family != kNoFamily && (from.families[tensor.family].tied || from.families[tensor.family].blocks_of)) continue;
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
