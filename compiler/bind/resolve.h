// What is decided when a file and all its imports are read: words in names (`${=p}.w` with `value p = "llama"`), sides
// that are like others, and which numbers of rounds are sizes of the mesh.
//
// An importing file may change a side that another side is like, and the word that a name begins with: both stay as
// they are written until the last file is read.
#pragma once

#include "compiler/bind/unit.h"

namespace aoa::bind {

void Resolve(Unit& unit, diag::Diagnostics& diagnostics);

// Whether an operand spells `text`, and whether two lists have one in common.
bool Names(const std::vector<Operand>& operands, const std::string& text);
bool Share(const std::vector<Operand>& a, const std::vector<Operand>& b);

// The error of a `remove` that removes nothing.
void NothingToRemove(const Side& side, const Pattern& pattern, diag::Diagnostics& diagnostics);

}  // namespace aoa::bind
