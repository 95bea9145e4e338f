// Which of the numbers 0, 1, ... of a variable: whether they repeat, and how a condition of a rule file says it.
//
//     4, 12, 20 of 24           $l % 8 == 4
//     all others                $l % 8 != 4
//     4, 6, 8 of 24             $l >= 4 and $l <= 8 and $l % 2 == 0
//     0, 1, 2, 7 of 24          $l < 3 or $l == 7
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aoa::draft {

// Numbers below an extent that are told by their remainder.
struct Repetition {
  int64_t period = 0;
  std::vector<int64_t> remainders;  // of the members, ascending; neither none nor all
  bool operator==(const Repetition&) const = default;
};

// `members` ascend and lie in [0, extent). The shortest period that goes into the extent twice: what is seen once
// repeats nothing. So numbers of which a single one is missing never repeat.
std::optional<Repetition> RepetitionOf(const std::vector<int64_t>& members, int64_t extent);

// The numbers of [0, extent) that are no members.
std::vector<int64_t> OthersOf(const std::vector<int64_t>& members, int64_t extent);

// The shortest condition on `$variable` that holds for the members and for no other number below the extent. There is a
// member, and a number that is none. Nothing where it would be too long to read; then that of the others would be too.
std::optional<std::string> ConditionOf(const std::string& variable, const std::vector<int64_t>& members,
                                       int64_t extent);

}  // namespace aoa::draft
