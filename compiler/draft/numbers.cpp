#include "compiler/draft/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aoa::draft {
namespace {

constexpr size_t kMostTerms = 64;

// A condition, and how many things a reader has to hold together.
struct Wording {
  std::string text;
  size_t terms = 0;
};

std::optional<Wording> ByRemainder(const std::string& variable, const std::vector<int64_t>& members, int64_t extent) {
  auto repetition = RepetitionOf(members, extent);
  if (!repetition) return std::nullopt;
  std::vector<int64_t> others = OthersOf(repetition->remainders, repetition->period);
  bool few = repetition->remainders.size() <= others.size();
  std::vector<std::string> terms;
  for (int64_t remainder : few ? repetition->remainders : others)
    terms.push_back(fmt::format("${} % {} {} {}", variable, repetition->period, few ? "==" : "!=", remainder));
  return Wording{fmt::format("{}", fmt::join(terms, few ? " or " : " and ")), terms.size()};
}

// Equal steps that begin late or end early.
std::optional<Wording> BySteps(const std::string& variable, const std::vector<int64_t>& members, int64_t extent) {
  if (members.size() < 3) return std::nullopt;
  int64_t step = members[1] - members[0];
  for (size_t i = 2; i < members.size(); ++i) {
    if (members[i] - members[i - 1] != step) return std::nullopt;
  }
  if (step == 1) return std::nullopt;
  std::string text;
  if (members.front() >= step) text += fmt::format("${} >= {} and ", variable, members.front());
  if (members.back() + step < extent) text += fmt::format("${} <= {} and ", variable, members.back());
  return Wording{text + fmt::format("${} % {} == {}", variable, step, members.front() % step), 1};
}

Wording ByRanges(const std::string& variable, const std::vector<int64_t>& members, int64_t extent) {
  std::vector<std::string> terms;
  for (size_t i = 0; i < members.size();) {
    int64_t from = members[i], to = from;
    for (; i < members.size() && members[i] == to; ++i) ++to;
    if (to - from == 1)
      terms.push_back(fmt::format("${} == {}", variable, from));
    else if (from == 0)
      terms.push_back(fmt::format("${} < {}", variable, to));
    else if (to == extent)
      terms.push_back(fmt::format("${} >= {}", variable, from));
    else
      terms.push_back(fmt::format("${0} >= {1} and ${0} < {2}", variable, from, to));
  }
  return {fmt::format("{}", fmt::join(terms, " or ")), terms.size()};
}

Wording Shortest(const std::string& variable, const std::vector<int64_t>& members, int64_t extent) {
  Wording best = ByRanges(variable, members, extent);
  for (auto& other : {BySteps(variable, members, extent), ByRemainder(variable, members, extent)}) {
    if (other && other->terms <= best.terms) best = *other;
  }
  return best;
}

}  // namespace

std::optional<Repetition> RepetitionOf(const std::vector<int64_t>& members, int64_t extent) {
  std::vector<bool> in(static_cast<size_t>(extent), false);
  for (int64_t m : members) in[static_cast<size_t>(m)] = true;
  // The longest proper beginning that is an end too, of each beginning (as Knuth, Morris and Pratt have it).
  std::vector<size_t> border(in.size(), 0);
  for (size_t i = 1, length = 0; i < in.size(); ++i) {
    while (length > 0 && in[i] != in[length]) length = border[length - 1];
    if (in[i] == in[length]) ++length;
    border[i] = length;
  }
  const size_t period = in.empty() ? 0 : in.size() - border.back();
  Repetition found{static_cast<int64_t>(period), {}};
  for (size_t i = 0; i < period; ++i) {
    if (in[i]) found.remainders.push_back(static_cast<int64_t>(i));
  }
  bool some = !found.remainders.empty() && found.remainders.size() < period;
  return some && period * 2 <= in.size() ? std::optional(found) : std::nullopt;
}

std::vector<int64_t> OthersOf(const std::vector<int64_t>& members, int64_t extent) {
  std::vector<int64_t> others;
  for (int64_t i = 0; i < extent; ++i) {
    if (!std::binary_search(members.begin(), members.end(), i)) others.push_back(i);
  }
  return others;
}

std::optional<std::string> ConditionOf(const std::string& variable, const std::vector<int64_t>& members,
                                       int64_t extent) {
  Wording own = Shortest(variable, members, extent);
  std::vector<int64_t> others = OthersOf(members, extent);
  Wording opposite = Shortest(variable, others, extent);
  if (std::min(own.terms, opposite.terms) > kMostTerms) return std::nullopt;
  if (own.terms <= opposite.terms) return own.text;
  if (others.size() == 1) return fmt::format("${} != {}", variable, others[0]);
  return fmt::format("not ({})", opposite.text);
}

}  // namespace aoa::draft
