// The numbers that are left to a name variable inside `for l in A..B`, and inside an `if` whose condition asks about
// `$l`.
//
// A condition with `$l` is no condition of the file: it holds for some numbers and not for others. So it does not
// choose between lines, it restricts the variable in each of them, in the `then` lines to the numbers for which it
// holds and in the `else` lines to the rest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/bind/evaluate.h"
#include "compiler/bind/unit.h"

namespace aoa::bind {

struct Range {
  int64_t first = 0, end = 0;    // half open
  std::vector<int64_t> without;  // numbers between that conditions rule out, ascending

  bool Contains(int64_t number) const;
  bool IsEmpty() const { return size() == 0; }
  int64_t size() const;
  // The k-th of the numbers, from 0.
  int64_t Nth(int64_t k) const;
  void IntersectWith(const Range& other);
};
using Ranges = std::map<std::string, Range>;

// The variable whose numbers a guard asks about, or null: then it is a condition of the file.
const std::string* VariableOf(const Guard& guard);

// What a `for` says. Nothing while a bound depends on something unknown; `undecided` receives it.
std::optional<Range> BoundsOf(const VariableRange& loop, const Scope& scope, const ast::Expr** undecided = nullptr);

// What a condition about `$l` is for a number; it may be unknown, or have failed.
Value ForNumber(const Guard& guard, int64_t number, const Scope& scope);

// The ranges of a line. Nothing while a bound or a condition depends on something unknown; `undecided` receives it.
// Conditions that cannot be evaluated are reported, and false.
std::optional<Ranges> RangesOf(const Context& context, const Scope& scope, diag::Diagnostics& diagnostics,
                               const ast::Expr** undecided = nullptr);

}  // namespace aoa::bind
