#include "compiler/bind/leg_binder.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/bind/binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;

constexpr int64_t kMostInstances = 20'000'000;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

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
  rule.kind = drops              ? Rule::Kind::kDrop
              : creates          ? Rule::Kind::kCreate
              : attributes_.copy ? Rule::Kind::kCopy
                                 : Rule::Kind::kMap;
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
  // What cannot be said was reported when the line was read.
  ranges_ = RangesOf(statement.context, program_.dimensions->ScopeAt(leg_), diagnostics_).value_or(Ranges());
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
        if (first)
          loops_ = variables;
        else
          std::erase_if(loops_, [&](const std::string& v) { return !Contains(variables, v); });
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
    if (range.IsEmpty()) return;  // an empty range says nothing
  }
  for (const Use& use : in_) {
    if (use.operand->node->blank) continue;
    for (const Family& family : program_.ends[leg_].families) {
      if (family.pattern.text() == use.text && (family.optional || family.declaration))
        return;  // optional, or reported as missing
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
        return range == ranges_.end() || range->second.Contains(v.second);
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
      if (!family.declaration || family.optional || family.tied || family.pattern.text() != use.text ||
          use.pattern.HasStar())
        continue;
      for (const std::string& name : NamesOf(leg_, family)) {
        auto values = use.pattern.Match(name);
        bool inside = values && std::all_of(values->begin(), values->end(), [&](const auto& v) {
                        auto range = ranges_.find(v.first);
                        return range == ranges_.end() || range->second.Contains(v.second);
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

// ---------------------------------------------------------------- loops

// The values of a variable: its range, or every index of its dimension. Nothing if the dimension is not known.
std::optional<Range> LegBinder::ValuesOf(const std::string& variable, size_t end, SourceRange where) {
  Range bounds;
  if (auto range = ranges_.find(variable); range != ranges_.end()) {
    bounds = range->second;
  } else {
    SymbolId symbol = program_.dimensions->At(end, variable);
    if (!program_.dimensions->ValueOf(symbol)) {
      if (!in_.empty() && !in_[0].operand->node->blank && end == leg_) return Range{};  // no name has a number
      program_.dimensions->Require(symbol, where, diagnostics_);
      return std::nullopt;
    }
    if (!program_.dimensions->Require(symbol, where, diagnostics_)) return std::nullopt;
    bounds.end = *program_.dimensions->ValueOf(symbol);
  }
  if (bounds.size() > kMostInstances) {
    diagnostics_.Error(Code::kTooDeep, where, fmt::format("`{}` has {} values", variable, bounds.size()))
        .Expected(fmt::format("at most {}", kMostInstances));
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
  for (int64_t k = 0; k < bounds->size(); ++k) {
    values[loops_[loop]] = bounds->Nth(k);
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
    for (const auto& digits : StarsOf(use.pattern.Substitute(values), in))
      patterns.push_back(use.pattern.WithStars(digits));
    if (patterns.empty()) return !in ? NoStars(use) : true;
  }
  for (const Pattern& pattern : patterns) {
    Bound bound;
    bound.use = &use;
    std::vector<Range> bounds;
    int64_t count = 1;
    for (const std::string& v : use.stacked) {
      auto range = ValuesOf(v, end, use.operand->node->where);
      if (!range) return false;
      bounds.push_back(*range);
      bound.stacked.push_back({v, range->size(), 0});
      count *= range->size();
      if (count > kMostInstances) return ValuesOf(v, end, use.operand->node->where), false;
    }
    Assignment all = values;
    for (int64_t n = 0; n < count; ++n) {
      int64_t rest = n;
      for (size_t i = bounds.size(); i-- > 0;) {
        all[use.stacked[i]] = bounds[i].Nth(rest % bounds[i].size());
        rest /= bounds[i].size();
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
    Range bounds;
    if (auto range = family.ranges.find(v); range != family.ranges.end() && range->second.end >= 0)
      bounds = range->second;
    else if (auto extent = program_.dimensions->ValueOf(program_.dimensions->At(end, v)))
      bounds.end = *extent;
    else
      return {};
    std::vector<Assignment> next;
    for (const Assignment& a : all) {
      for (int64_t k = 0; k < bounds.size(); ++k) {
        next.push_back(a);
        next.back()[v] = bounds.Nth(k);
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
  diagnostics_
      .Error(Code::kMatchesNothing, use.operand->node->where,
             fmt::format("side `{}` declares no tensor `{}`", program_.ends[leg_ + 1].side->name, use.text))
      .Note("a star on the target side stands for the names that the side declares");
  return false;
}

}  // namespace aoa::bind
