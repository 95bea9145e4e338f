#include "runtime/formats/paddle_partition.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>

namespace aoa::formats {
namespace {

constexpr int64_t kAlignment = 256;            // bytes, on every accelerator
constexpr int64_t kBufferBytes = 256ll << 20;  // a buffer is closed when it has so many

using Shares = std::vector<std::vector<PaddleShare>>;

int64_t RoundUp(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

void DealWhole(std::span<const PaddleWeight> weights, bool by_size, Shares& out) {
  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (by_size) {
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return weights[a].count > weights[b].count; });
  }
  std::vector<int64_t> sizes(out.size(), 0);
  for (size_t i : order) {
    const auto least = std::min_element(sizes.begin(), sizes.end());
    const int64_t count = weights[i].count;
    out[static_cast<size_t>(least - sizes.begin())][i] = {true, false, 0, count, count};
    *least += count;
  }
}

// The weights of each buffer: of one type each, sorted by the type's name.
std::vector<std::vector<size_t>> Buffers(std::span<const PaddleWeight> weights) {
  std::map<std::string_view, std::vector<size_t>> by_type;
  for (size_t i = 0; i < weights.size(); ++i) by_type[Name(weights[i].dtype)].push_back(i);
  std::vector<std::vector<size_t>> out;
  for (const auto& [type, members] : by_type) {
    int64_t bytes = kBufferBytes;
    for (size_t i : members) {
      if (bytes >= kBufferBytes) {
        out.emplace_back();
        bytes = 0;
      }
      out.back().push_back(i);
      bytes += weights[i].count * Width(weights[i].dtype);
    }
  }
  return out;
}

// Cuts one buffer: every weight is padded to `unit` elements, and so is the buffer of all ranks.
void CutBuffer(std::span<const PaddleWeight> weights, const std::vector<size_t>& members, Shares& out) {
  const auto ranks = static_cast<int64_t>(out.size());
  const int64_t unit = kAlignment / Width(weights[members[0]].dtype) * ranks;
  int64_t size = 0;
  for (size_t i : members) size += RoundUp(weights[i].count, unit);
  const int64_t part = size / ranks;
  int64_t index = 0;
  for (size_t i : members) {
    const int64_t end = index + RoundUp(weights[i].count, unit);
    for (int64_t rank = index / std::max<int64_t>(part, 1); rank < ranks && rank * part < end; ++rank) {
      const int64_t from = std::max(index, rank * part), to = std::min(end, (rank + 1) * part);
      if (from >= to) continue;
      const int64_t first = std::min(weights[i].count, from - index);
      out[static_cast<size_t>(rank)][i] = {true, true, first, std::min(weights[i].count, to - index) - first,
                                           to - from};
    }
    index = end;
  }
}

void CutEach(std::span<const PaddleWeight> weights, int64_t segment, Shares& out) {
  const auto ranks = static_cast<int64_t>(out.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    const int64_t count = weights[i].count, width = Width(weights[i].dtype);
    const int64_t part = RoundUp(RoundUp(count * width, kAlignment) / width, ranks) / ranks;
    for (int64_t rank = 0; rank < ranks; ++rank) {
      PaddleShare& share = out[static_cast<size_t>(rank)][i];
      if (count <= segment) {
        share = {true, false, 0, count, count};
        continue;
      }
      const int64_t first = std::min(count, rank * part), end = std::min(count, (rank + 1) * part);
      share = {true, true, first, end - first, part};
    }
  }
}

}  // namespace

PaddleDealing PaddleDealingOf(std::string_view variant) {
  if (variant.ends_with("_v2")) return PaddleDealing::kBuffers;
  if (variant.ends_with("_stage2")) return PaddleDealing::kWholeInOrder;
  return variant.ends_with("_stage3") ? PaddleDealing::kSlices : PaddleDealing::kWholeBySize;
}

std::vector<std::vector<PaddleShare>> DealPaddleStates(std::span<const PaddleWeight> weights, int64_t ranks,
                                                       PaddleDealing dealing, int64_t segment) {
  Shares out(static_cast<size_t>(ranks), std::vector<PaddleShare>(weights.size()));
  if (ranks == 1) dealing = PaddleDealing::kWholeInOrder;  // nobody to share with
  switch (dealing) {
    case PaddleDealing::kWholeBySize:
    case PaddleDealing::kWholeInOrder:
      DealWhole(weights, dealing == PaddleDealing::kWholeBySize, out);
      break;
    case PaddleDealing::kBuffers:
      for (const auto& members : Buffers(weights)) CutBuffer(weights, members, out);
      break;
    case PaddleDealing::kSlices:
      CutEach(weights, segment, out);
      break;
  }
  return out;
}

}  // namespace aoa::formats
