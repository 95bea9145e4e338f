// What looks wrong in a checkpoint, and which of its tensors are states of others: guesses from names and shapes alone,
// for eyes that go over a list of thousands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/schema.h"

namespace aoa::draft {

// Each a sentence with the names concerned.
//
// - a number that is left out between numbers that count the same thing;
// - a tensor that one number lacks and the numbers around it have. Numbers of several kinds alternate or take turns, so
//   only the numbers of its kind count: those that several tensors share, and those that repeat;
// - tensors that differ in a number only, most of which have one shape or element type and few have another;
// - tensors without elements.
std::vector<std::string> SuspicionsOf(const Schema& schema);

// For each name of the schema its role: the words that a state's name adds to the name of its weight (`exp_avg` of
// `w.exp_avg`, `adam_m` of `adam_m.w`), empty for weights. A word is a role if half of the weights have it.
std::vector<std::string> RolesOf(const Schema& schema);

}  // namespace aoa::draft
