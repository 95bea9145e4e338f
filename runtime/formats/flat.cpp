#include "runtime/formats/flat.h"

#include <algorithm>

namespace aoa::formats {

std::vector<std::vector<FlatWindow>> CutFlat(std::span<const FlatItem> items, std::span<const int64_t> bounds) {
  std::vector<std::vector<FlatWindow>> windows(bounds.empty() ? 0 : bounds.size() - 1);
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t begin = items[i].begin, end = begin + items[i].count;
    auto w = static_cast<size_t>(std::upper_bound(bounds.begin(), bounds.end(), begin) - bounds.begin());
    for (; w < bounds.size() && w > 0 && bounds[w - 1] < end; ++w) {
      const int64_t lo = std::max(begin, bounds[w - 1]), hi = std::min(end, bounds[w]);
      if (hi > lo) windows[w - 1].push_back({i, lo - begin, hi - lo, lo - bounds[w - 1]});
    }
  }
  return windows;
}

}  // namespace aoa::formats
