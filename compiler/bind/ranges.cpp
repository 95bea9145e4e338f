#include "compiler/bind/ranges.h"

#include <algorithm>
#include <iterator>

namespace aoa::bind {
namespace {

using diag::Code;

constexpr int64_t kMostNumbers = 1'000'000;  // that one condition is asked about

const std::string* VariableIn(const ast::Expr& e) {
  if (e.kind == ast::Expr::Kind::kVariable) return &e.text;
  for (const ast::ExprPtr& arg : e.args) {
    if (const std::string* found = VariableIn(*arg)) return found;
  }
  return nullptr;
}

// Takes the numbers for which a guard does not hold out of a range. False while that cannot be said.
bool Restrict(Range& range, const Guard& guard, const Scope& scope, diag::Diagnostics& diagnostics) {
  if (range.size() > kMostNumbers) {
    diagnostics.Error(Code::kTooDeep, guard.condition->where, "a condition about more than a million numbers");
    range = {};
    return true;
  }
  std::vector<int64_t> fails;
  for (int64_t n = range.first; n < range.end; ++n) {
    Value value = ForNumber(guard, n, scope);
    if (value.kind == Value::Kind::kFailed) {
      diagnostics.Error(Code::kCondition, guard.condition->where, "the condition cannot be decided")
          .Found(value.failure->message);
      range = {};
      return true;
    }
    if (!value.known()) return false;
    if (value.Truth() == guard.negated) fails.push_back(n);
  }
  std::vector<int64_t> both;
  std::set_union(range.without.begin(), range.without.end(), fails.begin(), fails.end(), std::back_inserter(both));
  range.without = std::move(both);
  return true;
}

}  // namespace

bool Range::Contains(int64_t number) const {
  return number >= first && number < end && !std::binary_search(without.begin(), without.end(), number);
}

int64_t Range::size() const { return std::max<int64_t>(0, end - first - static_cast<int64_t>(without.size())); }

int64_t Range::Nth(int64_t k) const {
  // A gap counts if its number less the gaps before it is one of the first k.
  size_t low = 0, high = without.size();
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (without[middle] - static_cast<int64_t>(middle) <= first + k)
      low = middle + 1;
    else
      high = middle;
  }
  return first + k + static_cast<int64_t>(low);
}

void Range::IntersectWith(const Range& other) {
  first = std::max(first, other.first);
  end = std::min(end, other.end);
}

const std::string* VariableOf(const Guard& guard) { return VariableIn(*guard.condition); }

std::optional<Range> BoundsOf(const VariableRange& loop, const Scope& scope, const ast::Expr** undecided) {
  Range bounds;
  for (auto [e, bound] : {std::pair(loop.from.get(), &bounds.first), std::pair(loop.to.get(), &bounds.end)}) {
    Value value = Evaluate(*e, scope, Arithmetic::kExact);
    if (!value.known() || !value.integer) {
      if (undecided) *undecided = e;
      return std::nullopt;
    }
    *bound = std::max<int64_t>(0, *value.integer);  // names have no negative numbers
  }
  return bounds;
}

Value ForNumber(const Guard& guard, int64_t number, const Scope& scope) {
  Scope at = scope;
  at.variable = [number](const std::string&) { return Value::Whole(number); };
  return Evaluate(*guard.condition, at, Arithmetic::kReal);
}

std::optional<Ranges> RangesOf(const Context& context, const Scope& scope, diag::Diagnostics& diagnostics,
                               const ast::Expr** undecided) {
  Ranges out;
  for (const VariableRange& range : context.ranges) {
    auto bounds = BoundsOf(range, scope, undecided);
    if (!bounds) return std::nullopt;
    auto [it, added] = out.emplace(range.variable.text, *bounds);
    if (!added) it->second.IntersectWith(*bounds);
  }
  for (const Guard& guard : context.guards) {
    const std::string* variable = VariableOf(guard);
    if (!variable) continue;
    auto range = out.find(*variable);
    if (range == out.end() || Restrict(range->second, guard, scope, diagnostics)) continue;
    if (undecided) *undecided = guard.condition;
    return std::nullopt;
  }
  return out;
}

}  // namespace aoa::bind
