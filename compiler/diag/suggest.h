// Near names, for help lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/text.h"

namespace aoa::diag {

// The candidate nearest to `name` by edit distance (transpositions count once), if it is near enough to be a slip of
// the pen: at most a third of the longer word, at least one.
std::optional<std::string> Nearest(std::string_view name, const std::vector<std::string>& candidates);

// "a", "a and b", "a, b and c"; beyond `limit` names "a, b and 7 more".
std::string Enumerate(const std::vector<std::string>& names, size_t limit = 8, std::string_view last = " and ");

using aoa::Printable;

}  // namespace aoa::diag
