// How DeepSpeed deals a group of parameters to its data-parallel ranks.
//
// ZeRO-1 and 2, and the bf16 optimizer, put the parameters of a group one behind the other, round the length up to a
// multiple of twice the number of ranks, and give every rank an equal part: a parameter may lie on several ranks.
// ZeRO-3 cuts every parameter by itself into equal parts, rounded up; a rank's parts stand one behind the other, and a
// sub-group ends when they add up to a given number of elements.
//
// Source: deepspeed/runtime/zero/stage_1_and_2.py and stage3.py; checked against files of DeepSpeed 0.19.8.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace aoa::formats {

// Elements of a parameter, and of the gap behind it.
struct ZeroItem {
  int64_t count = 0, gap = 0;
};

// The elements [first, first + count) of a parameter, from place `at` of a rank's part on.
struct ZeroWindow {
  size_t item = 0;
  int64_t first = 0, count = 0, at = 0;
  bool operator==(const ZeroWindow&) const = default;
};

struct ZeroPartition {
  int64_t total = 0;  // elements of the group, gaps included
  int64_t part = 0;   // elements of a rank's part
  std::vector<std::vector<ZeroWindow>> ranks;

  // Elements at the end of a rank's part that are no parameter's.
  int64_t Padding(int64_t rank) const;
};

// Of ZeRO-1 and 2. With `part` the parts are of that length, if it suffices.
ZeroPartition PartitionFlat(std::span<const ZeroItem> items, int64_t ranks, int64_t part = 0);

// Of ZeRO-3: one sub-group. A rank's part has the whole length of every parameter's part, filled or not.
ZeroPartition PartitionEach(std::span<const ZeroItem> items, int64_t ranks);

// The number of items in each of ZeRO-3's sub-groups: one closes with the item that reaches `most` elements of a rank.
std::vector<size_t> SubGroups(std::span<const ZeroItem> items, int64_t ranks, int64_t most);

}  // namespace aoa::formats
