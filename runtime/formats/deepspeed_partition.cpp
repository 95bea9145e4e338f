#include "runtime/formats/deepspeed_partition.h"

#include <algorithm>

#include "runtime/formats/flat.h"

namespace aoa::formats {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return a / b + (a % b != 0); }

}  // namespace

int64_t ZeroPartition::Padding(int64_t rank) const { return std::clamp<int64_t>((rank + 1) * part - total, 0, part); }

ZeroPartition PartitionFlat(std::span<const ZeroItem> items, int64_t ranks, int64_t part) {
  ZeroPartition out;
  std::vector<FlatItem> flat;
  for (const ZeroItem& item : items) {
    flat.push_back({out.total, item.count});
    out.total += item.count + item.gap;
  }
  out.part = part >= CeilDivide(out.total, ranks) ? part : CeilDivide(out.total, 2 * ranks) * 2;
  std::vector<int64_t> bounds;
  for (int64_t rank = 0; rank <= ranks; ++rank) bounds.push_back(rank * out.part);
  for (const auto& windows : CutFlat(flat, bounds)) {
    auto& rank = out.ranks.emplace_back();
    for (const FlatWindow& w : windows) rank.push_back({w.item, w.first, w.count, w.at});
  }
  return out;
}

ZeroPartition PartitionEach(std::span<const ZeroItem> items, int64_t ranks) {
  ZeroPartition out;
  out.ranks.resize(static_cast<size_t>(ranks));
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t count = items[i].count, part = CeilDivide(count, ranks);
    for (int64_t rank = 0; rank * part < count; ++rank)
      out.ranks[static_cast<size_t>(rank)].push_back({i, rank * part, std::min(part, count - rank * part), out.part});
    out.part += part;
  }
  out.total = out.part * ranks;
  return out;
}

std::vector<size_t> SubGroups(std::span<const ZeroItem> items, int64_t ranks, int64_t most) {
  std::vector<size_t> out;
  int64_t sum = 0;
  size_t count = 0;
  for (const ZeroItem& item : items) {
    sum += CeilDivide(item.count, ranks);
    ++count;
    if (sum < most) continue;
    out.push_back(count);
    sum = 0;
    count = 0;
  }
  if (count > 0) out.push_back(count);
  return out;
}

}  // namespace aoa::formats
