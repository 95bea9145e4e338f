// Extents from the names of the source's tensors.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/bind/binder.h"
#include "compiler/bind/reach.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {

using diag::Code;

// All values that a name variable of the source has, over the whole model. Nothing if its tensors are numbered per
// stage and cannot be counted.
std::optional<std::set<int64_t>> Binder::NumbersOf(const std::string& variable, bool& required,
                                                   const Family*& example) {
  const End& end = program_.ends[0];
  std::optional<size_t> local;
  for (size_t i = 0; i < end.placements.size(); ++i) {
    if (end.placements[i].variable == variable && end.placements[i].node->numbered_locally) local = i;
  }
  std::set<int64_t> numbers;
  std::map<int64_t, int64_t> counts;  // by stage, of local numbers
  for (size_t g = 0; g < end.groups.size(); ++g) {
    const FileGroup& group = end.groups[g];
    for (const Match& match : matches_[g]) {
      if (match.family < 0 || match.role >= 0) continue;
      const Family& family = end.families[static_cast<size_t>(match.family)];
      if (family.ranges.contains(variable)) continue;
      std::vector<std::string> variables = family.pattern.Variables();
      auto it = std::find(variables.begin(), variables.end(), variable);
      if (it == variables.end()) continue;
      int64_t number = match.values[static_cast<size_t>(it - variables.begin())];
      if (!family.optional) {
        required = true;
        if (!example) example = &family;
      }
      if (local)
        counts[group.stages[*local]] = std::max(counts[group.stages[*local]], number + 1);
      else
        numbers.insert(number);
    }
  }
  if (local) {
    int64_t sum = 0;
    for (auto [stage, count] : counts) sum += count;
    if (sum > 10'000'000) return std::nullopt;
    for (int64_t i = 0; i < sum; ++i) numbers.insert(i);
  }
  return numbers;
}

// Whether all declarations that run over the whole of this variable are optional, and there are some.
bool Binder::IsEmptyOption(const std::string& variable) const {
  bool some = false;
  for (const Family& family : program_.ends[0].families) {
    if (family.ranges.contains(variable)) continue;
    std::vector<std::string> variables = family.pattern.Variables();
    if (std::find(variables.begin(), variables.end(), variable) == variables.end()) continue;
    if (!family.declaration || !family.optional) return false;
    some = true;
  }
  return some;
}

// The variables in the names of the source, but for Paddle's, which take numbers as they come.
std::set<std::string> Binder::NameVariables() const {
  std::set<std::string> variables;
  for (const Family& family : program_.ends[0].families) {
    for (const std::string& v : family.pattern.Variables()) {
      if (!TakesNumbers(v)) variables.insert(v);
    }
  }
  return variables;
}

// Gives every name variable that nothing else fixes the extent that the names in the source show.
bool Binder::NamesToExtents() {
  Dimensions& dimensions = *program_.dimensions;
  bool any = false;
  for (const std::string& variable : NameVariables()) {
    SymbolId symbol = dimensions.At(0, variable);
    if (dimensions.ValueOf(symbol)) continue;
    bool required = false;
    const Family* example = nullptr;
    auto numbers = NumbersOf(variable, required, example);
    if (!numbers || numbers->empty()) continue;
    int64_t extent = *numbers->rbegin() + 1;
    if (required && extent != static_cast<int64_t>(numbers->size())) {
      int64_t gap = 0;
      while (numbers->contains(gap)) ++gap;
      Assignment values;
      for (const std::string& v : example->pattern.Variables()) values[v] = v == variable ? gap : 0;
      auto& d = diagnostics_.Error(Code::kMissing, example->where,
                                   fmt::format("`{}` is missing", diag::Printable(example->pattern.Spell(values))));
      d.Found(fmt::format("the numbers of `{}` in the names of {} go up to {}, {} of them are there", variable,
                          schema_.path, extent - 1, numbers->size()));
      d.Expected(fmt::format("every number from 0 to {}", extent - 1));
      if (auto spelled = SpelledFromOne(example->pattern, variable, *numbers))
        d.Help(fmt::format("the numbers of `{}` begin at 1: `{}`", variable, *spelled));
      extent = gap;  // what is beyond the gap follows from it
    }
    if (extent > 10'000'000) extent = 10'000'000;
    any |= dimensions.Offer(
        symbol, {extent, fmt::format("the names `{}` of the source", example ? example->pattern.text() : variable),
                 example ? example->where : SourceRange{}});
  }
  return any;
}

// An optional family without a member is empty: what nothing else fixes, not even a default, is 0.
bool Binder::EmptyOptions() {
  Dimensions& dimensions = *program_.dimensions;
  bool any = false;
  for (const std::string& variable : NameVariables()) {
    SymbolId symbol = dimensions.At(0, variable);
    if (dimensions.ValueOf(symbol) || !IsEmptyOption(variable)) continue;
    any |= dimensions.Offer(symbol, {0, fmt::format("no tensor of the source has `{}` in its name", variable), {}});
  }
  return any;
}

}  // namespace aoa::bind
