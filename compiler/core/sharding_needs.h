// Which ranks of a source a part of a target needs, by their shardings alone.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "compiler/core/sharding.h"

namespace aoa {

// The ranks of `from` whose files must be there to write the ranks `ranks` of `to`; null stands for one rank with whole
// tensors. Of several ranks that hold the same block the lowest is read. Shapes are not known: blocks are compared as
// fractions of the axes.
std::set<int64_t> NeededRanks(const Shardings* from, const Shardings* to, const std::vector<int64_t>& ranks);

}  // namespace aoa
