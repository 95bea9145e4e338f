#include "compiler/bind/reach.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

// A pattern of the rules with the loops and conditions around it.
struct Spelling {
  const Program& program;
  size_t end;        // whose extents count
  size_t scope_end;  // in whose scope loops and conditions stand
  const Pattern& pattern;
  const Context& context;
};

// What leaves a name out. Without a place it is an extent, which the notes describe.
struct Reason {
  SourceRange where;
  std::string text;
  std::vector<std::string> notes;
};

std::string Show(const Range& range) {
  if (range.IsEmpty()) return "no number";
  if (range.size() == 1) return std::to_string(range.first);
  return fmt::format("{} to {}", range.first, range.end - 1);
}

SourceRange WhereOf(const VariableRange& loop) { return Join(loop.variable.where, loop.to->where); }

// "l = 3 (config.num_hidden_layers = 3)", for each extent in a bound of a loop.
std::vector<std::string> NamesOf(const Spelling& spelling, const ast::Expr& bound) {
  Dimensions& dimensions = *spelling.program.dimensions;
  std::set<std::string> names;
  NamesIn(bound, names);
  std::vector<std::string> out;
  for (const std::string& name : names) {
    SymbolId symbol = dimensions.At(spelling.end, name);
    if (dimensions.ValueOf(symbol)) out.push_back(dimensions.Describe(symbol));
  }
  return out;
}

std::optional<Reason> LoopWithout(const Spelling& spelling, const std::string& variable, int64_t number,
                                  const std::string& name) {
  for (const VariableRange& loop : spelling.context.ranges) {
    if (loop.variable.text != variable) continue;
    auto bounds = BoundsOf(loop, spelling.program.dimensions->ScopeAt(spelling.scope_end));
    if (!bounds || bounds->Contains(number)) continue;
    return Reason{WhereOf(loop),
                  fmt::format("`{}` is {} here, {} in `{}`", variable, Show(*bounds), number, diag::Printable(name)),
                  NamesOf(spelling, number < bounds->first ? *loop.from : *loop.to)};
  }
  return std::nullopt;
}

std::optional<Reason> ConditionWithout(const Spelling& spelling, const std::string& variable, int64_t number,
                                       const std::string& name) {
  for (const Guard& guard : spelling.context.guards) {
    const std::string* asked = VariableOf(guard);
    if (!asked || *asked != variable) continue;
    Value value = ForNumber(guard, number, spelling.program.dimensions->ScopeAt(spelling.scope_end));
    if (!value.known() || value.Truth() != guard.negated) continue;
    return Reason{guard.condition->where,
                  fmt::format("{} for `{}` = {}, as in `{}`{}", guard.negated ? "true" : "false", variable, number,
                              diag::Printable(name), guard.negated ? ": the line stands under `else`" : ""),
                  {}};
  }
  return std::nullopt;
}

std::optional<Reason> ExtentWithout(const Spelling& spelling, const std::string& variable, int64_t number) {
  const auto& ranges = spelling.context.ranges;
  if (std::any_of(ranges.begin(), ranges.end(), [&](const auto& loop) { return loop.variable.text == variable; }))
    return std::nullopt;
  Dimensions& dimensions = *spelling.program.dimensions;
  SymbolId symbol = dimensions.At(spelling.end, variable);
  auto extent = dimensions.ValueOf(symbol);
  if (!extent || number < *extent) return std::nullopt;
  return Reason{{}, "", {dimensions.Describe(symbol)}};
}

// Why a pattern that would match a name does not have it among its names. Of a pattern that has it: nothing, and `has`.
std::optional<Reason> WhyWithout(const Spelling& spelling, const std::string& name, bool& has) {
  auto values = spelling.pattern.Match(name);
  if (!values) return std::nullopt;
  for (const auto& [variable, number] : *values) {
    if (auto loop = LoopWithout(spelling, variable, number, name)) return loop;
    if (auto condition = ConditionWithout(spelling, variable, number, name)) return condition;
    if (auto extent = ExtentWithout(spelling, variable, number)) return extent;
  }
  has = true;
  return std::nullopt;
}

bool Say(const std::optional<Reason>& reason, diag::Diagnostic& d) {
  if (!reason) return false;
  if (reason->where) d.Also(reason->where, reason->text);
  for (const std::string& note : reason->notes) {
    if (std::find(d.notes.begin(), d.notes.end(), note) == d.notes.end()) d.Note(note);
  }
  return true;
}

// Numbers of a stage's files say nothing before they are dealt.
bool CountsLocally(const End& end, const Pattern& pattern) {
  std::vector<std::string> variables = pattern.Variables();
  return std::any_of(end.placements.begin(), end.placements.end(), [&](const Placement& p) {
    return p.node->numbered_locally && std::find(variables.begin(), variables.end(), p.variable) != variables.end();
  });
}

}  // namespace

bool SayNotDeclared(const Program& program, size_t end, const std::string& name, diag::Diagnostic& d) {
  std::optional<Reason> first;
  for (const Family& family : program.ends[end].families) {
    if (!family.declaration || CountsLocally(program.ends[end], family.pattern)) continue;
    bool has = false;
    auto reason = WhyWithout({program, end, end, family.pattern, family.declaration->context}, name, has);
    if (has) return false;
    if (!first) first = std::move(reason);
  }
  return Say(first, d);
}

bool SayNotStated(const Program& program, size_t leg, bool in, const std::string& name, diag::Diagnostic& d) {
  const size_t end = in ? leg : leg + 1;
  std::optional<Reason> first;
  for (const Rule& rule : program.legs[leg].rules) {
    if (!rule.statement) continue;
    for (const Operand& o : in == program.legs[leg].backwards ? rule.statement->right : rule.statement->left) {
      if (o.node->blank || o.pattern.HasStar()) continue;
      auto pattern = o.pattern.Resolve([&](const ast::Expr& e) -> std::optional<int64_t> {
        Value value = Evaluate(e, program.dimensions->ScopeAt(end), Arithmetic::kExact);
        return value.known() ? value.integer : std::nullopt;
      });
      if (!pattern) continue;
      bool has = false;
      auto reason = WhyWithout({program, end, leg, *pattern, rule.statement->context}, name, has);
      if (has) return false;
      if (!first) first = std::move(reason);
    }
  }
  return Say(first, d);
}

void SayLast(const Program& program, size_t end, const Family& family, const std::string& first,
             const std::string& last, diag::Diagnostic& d) {
  static const Context none;
  Dimensions& dimensions = *program.dimensions;
  const Context& context = family.declaration ? family.declaration->context : none;
  const Spelling spelling{program, end, end, family.pattern, context};
  auto lowest = family.pattern.Match(first), values = family.pattern.Match(last);
  if (!lowest || !values) return;
  for (const auto& [variable, number] : *values) {
    for (const VariableRange& loop : context.ranges) {
      if (loop.variable.text != variable) continue;
      auto bounds = BoundsOf(loop, dimensions.ScopeAt(end));
      if (!bounds || number != bounds->end - 1 || lowest->at(variable) == bounds->first) continue;
      Say(Reason{WhereOf(loop), fmt::format("`{}` is {} here", variable, Show(*bounds)), NamesOf(spelling, *loop.to)},
          d);
    }
    if (family.ranges.contains(variable) || lowest->at(variable) == 0) continue;
    SymbolId symbol = dimensions.At(end, variable);
    if (dimensions.ValueOf(symbol) == number + 1) Say(Reason{{}, "", {dimensions.Describe(symbol)}}, d);
  }
}

std::optional<std::string> SpelledFromOne(const Pattern& pattern, const std::string& variable,
                                          const std::set<int64_t>& numbers) {
  if (numbers.empty() || *numbers.begin() != 1 || *numbers.rbegin() != static_cast<int64_t>(numbers.size()))
    return std::nullopt;
  Pattern out = pattern;
  for (PatternPart& part : out.parts) {
    if (part.kind == PatternPart::Kind::kVariable && part.text == variable) ++part.offset;
  }
  return out.text();
}

void SayNumbersFromOne(const End& source, const Family& family, const std::string& missing, diag::Diagnostic& d) {
  auto values = family.pattern.Match(missing);
  if (!values) return;
  for (const auto& [variable, number] : *values) {
    if (number != 0 || TakesNumbers(variable)) continue;
    std::set<int64_t> numbers;
    for (TensorId id = 0; id < source.tensors.size(); ++id) {
      if (!source.tensors[id].present || source.tensors[id].role >= 0) continue;
      if (auto there = family.pattern.Match(source.NameOf(id))) numbers.insert(there->at(variable));
    }
    auto spelled = SpelledFromOne(family.pattern, variable, numbers);
    if (spelled) d.Help(fmt::format("the numbers of `{}` begin at 1: `{}`", variable, *spelled));
  }
}

}  // namespace aoa::bind
