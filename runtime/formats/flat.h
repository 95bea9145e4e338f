// Flat buffers: tensors flattened one behind the other, with gaps, and cut into ranks' windows without regard to where
// tensors begin. Optimizers that keep a part of their state on every rank do so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace aoa::formats {

// A tensor's place in a buffer, in elements.
struct FlatItem {
  int64_t begin = 0, count = 0;
};

// What one window has of one tensor: its elements [first, first + count), from place `at` of the window on.
struct FlatWindow {
  size_t item = 0;
  int64_t first = 0, count = 0, at = 0;
  bool operator==(const FlatWindow&) const = default;
};

// Cuts [0, bounds.back()) at the bounds: the windows' contents, in the order of the buffer. Items ascend and do not
// overlap; bounds start at 0 and do not fall. Items of no elements are in no window.
std::vector<std::vector<FlatWindow>> CutFlat(std::span<const FlatItem> items, std::span<const int64_t> bounds);

}  // namespace aoa::formats
