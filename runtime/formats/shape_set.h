// Shapes numbered by first use, each held once.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <random>
#include <unordered_set>
#include <utility>
#include <vector>

#include "compiler/core/schema.h"

namespace aoa::formats {

// A seed that a file cannot know, so that no file can be made whose hashes all collide.
inline uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

// Finds shapes among those in a vector that lives elsewhere, and adds new ones to it.
class ShapeSet {
 public:
  explicit ShapeSet(std::vector<Shape>& shapes)
      : shapes_(shapes), numbers_(16, Hash{&shapes, RandomSeed()}, Equal{&shapes}) {}

  uint32_t Intern(const Shape& shape) {
    if (auto known = numbers_.find(shape); known != numbers_.end()) return *known;
    shapes_.push_back(shape);
    return *numbers_.insert(static_cast<uint32_t>(shapes_.size()) - 1).first;
  }

 private:
  struct Hash {
    using is_transparent = void;
    const std::vector<Shape>* shapes;
    uint64_t seed;
    size_t operator()(uint32_t number) const { return (*this)((*shapes)[number]); }
    size_t operator()(const Shape& shape) const {
      return XXH3_64bits_withSeed(shape.data(), shape.size() * sizeof(int64_t), seed);
    }
  };
  struct Equal {
    using is_transparent = void;
    const std::vector<Shape>* shapes;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(const Shape& shape, uint32_t number) const { return shape == (*shapes)[number]; }
    bool operator()(uint32_t number, const Shape& shape) const { return shape == (*shapes)[number]; }
  };

  std::vector<Shape>& shapes_;
  std::unordered_set<uint32_t, Hash, Equal> numbers_;
};

}  // namespace aoa::formats
