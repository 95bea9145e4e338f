#include "compiler/diag/suggest.h"

#include <algorithm>

namespace aoa::diag {
namespace {

size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

size_t CommonPrefix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

std::optional<std::string> Nearest(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string* best = nullptr;
  size_t best_distance = 0;
  for (const std::string& candidate : candidates) {
    size_t longer = std::max(name.size(), candidate.size());
    size_t limit = std::max<size_t>(1, longer / 3);
    size_t difference = longer - std::min(name.size(), candidate.size());
    if (candidate == name || difference > limit || longer > 4096) continue;
    size_t distance = Distance(name, candidate);
    if (distance > limit || distance == longer) continue;
    bool nearer = best == nullptr || distance < best_distance;
    if (nearer || (distance == best_distance && CommonPrefix(name, candidate) > CommonPrefix(name, *best))) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best ? std::optional<std::string>(*best) : std::nullopt;
}

std::string Enumerate(const std::vector<std::string>& names, size_t limit, std::string_view last) {
  std::string out;
  size_t shown = names.size() > limit ? limit : names.size();
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == names.size() ? std::string(last) : ", ";
    out += names[i];
  }
  if (shown < names.size()) out += std::string(last) + std::to_string(names.size() - shown) + " more";
  return out;
}

}  // namespace aoa::diag
