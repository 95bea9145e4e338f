#include "compiler/core/sharding_needs.h"

#include <map>
#include <utility>

namespace aoa {
namespace {

// A block: of every axis, which of how many equal parts. No axes: all of the tensor.
using Block = std::vector<std::pair<int64_t, int64_t>>;

Block BlockOf(const Sharding& sharding, int64_t rank) {
  const std::vector<int64_t> at = CoordinatesIn(sharding, rank);
  Block block;
  for (const auto& cuts : sharding.cuts) {
    auto& [part, parts] = block.emplace_back(0, 1);
    for (size_t by : cuts) {
      part = part * sharding.mesh[by] + at[by];
      parts *= sharding.mesh[by];
    }
  }
  if (!block.empty()) {
    block[0].first = block[0].first * sharding.again + at.back();
    block[0].second *= sharding.again;
  }
  return block;
}

bool Overlap(const Block& a, const Block& b) {
  if (a.size() != b.size()) return true;  // one is whole, or they see the tensor's axes in different ways
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].first * b[i].second >= (b[i].first + 1) * a[i].second) return false;
    if (b[i].first * a[i].second >= (a[i].first + 1) * b[i].second) return false;
  }
  return true;
}

// The blocks of a tensor, each at its lowest rank.
std::vector<std::pair<int64_t, Block>> BlocksOf(const Shardings* shardings, uint32_t number) {
  std::vector<std::pair<int64_t, Block>> out;
  if (!shardings || number == Shardings::kNone) return {{0, {}}};
  std::set<Block> seen;
  for (int64_t rank = 0; rank < shardings->stages * shardings->ranks; ++rank) {
    const Sharding* sharding = shardings->At(number, rank);
    if (!sharding) continue;
    Block block = BlockOf(*sharding, rank % shardings->ranks);
    if (seen.insert(block).second) out.emplace_back(rank, std::move(block));
  }
  return out;
}

}  // namespace

std::set<int64_t> NeededRanks(const Shardings* from, const Shardings* to, const std::vector<int64_t>& ranks) {
  std::set<int64_t> needed;
  std::set<std::pair<uint32_t, uint32_t>> done;  // cuts in the source, cuts in the target
  const Shardings* named = from ? from : to;
  if (!named) return {0};
  for (const auto& [name, by_stage] : named->tensors()) {
    const uint32_t in = from ? from->Find(name) : Shardings::kNone, out = to ? to->Find(name) : Shardings::kNone;
    if (!done.emplace(in, out).second) continue;
    const auto blocks = BlocksOf(from, in);
    for (int64_t rank : ranks) {
      Block wanted;
      if (out != Shardings::kNone) {
        const Sharding* sharding = to->At(out, rank);
        if (!sharding) continue;
        wanted = BlockOf(*sharding, rank % to->ranks);
      }
      for (const auto& [holder, block] : blocks) {
        if (Overlap(block, wanted)) needed.insert(holder);
      }
    }
  }
  return needed;
}

}  // namespace aoa
