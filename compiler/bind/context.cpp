#include "compiler/bind/context.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/bind/ranges.h"

namespace aoa::bind {

using diag::Code;

namespace {

// The first variable that a condition asks about, before or in this part of it.
const ast::Expr* FirstVariable(const ast::Expr& e, const Context& context, const ast::Expr* first,
                               diag::Diagnostics& diagnostics) {
  for (const ast::ExprPtr& arg : e.args) first = FirstVariable(*arg, context, first, diagnostics);
  if (e.kind != ast::Expr::Kind::kVariable) return first;
  bool bound = std::any_of(context.ranges.begin(), context.ranges.end(),
                           [&](const VariableRange& range) { return range.variable.text == e.text; });
  if (!bound) {
    diagnostics.Error(Code::kCondition, e.where, fmt::format("`${}` stands outside a `for {}`", e.text, e.text))
        .Help(fmt::format("`for {} in 0..k {{` around the `if` says which numbers are asked about", e.text));
  } else if (first && first->text != e.text) {
    diagnostics
        .Error(Code::kCondition, e.where,
               fmt::format("a condition asks about the numbers of `${}` and of `${}`", first->text, e.text))
        .Also(first->where, "the first one")
        .Help("one `if` inside another asks about two");
  }
  return first ? first : &e;
}

}  // namespace

void CheckChosenOnce(SourceRange where, const Context& context, diag::Diagnostics& diagnostics) {
  for (const Guard& guard : context.guards) {
    const std::string* variable = VariableOf(guard);
    if (!variable) continue;
    diagnostics
        .Error(Code::kCondition, where,
               fmt::format("a line that is no tensor depends on the number of `${}`", *variable))
        .Also(guard.condition->where, "the condition");
    return;
  }
}

void CheckVariables(const ast::Expr& condition, const Context& context, diag::Diagnostics& diagnostics) {
  FirstVariable(condition, context, nullptr, diagnostics);
}

bool SameContext(const Context& a, const Context& b) {
  if (!a.ranges.empty() || !b.ranges.empty() || a.guards.size() != b.guards.size()) return false;
  for (size_t i = 0; i < a.guards.size(); ++i) {
    if (a.guards[i].condition != b.guards[i].condition || a.guards[i].negated != b.guards[i].negated) return false;
  }
  return true;
}

}  // namespace aoa::bind
