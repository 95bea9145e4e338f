// A value of a configuration as people keep them (JSON, YAML, a Python literal), with the place of each part.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compiler/core/source.h"

namespace aoa::draft {

struct Value {
  enum class Kind { kNull, kTruth, kNumber, kText, kList, kMap };
  Kind kind = Kind::kNull;
  bool truth = false;
  std::string text;  // kText; kNumber as it is written
  // kText: where each of the literals that were written side by side begins in `text`, but the first. Python joins such
  // literals; where a comma was forgotten, two texts become one.
  std::vector<size_t> joints;
  std::vector<Value> items;                        // kList
  std::vector<std::pair<std::string, Value>> map;  // kMap, in written order; a later key of the same name wins
  SourceRange where;

  // The value under `key`, or null.
  const Value* Find(std::string_view key) const {
    for (size_t i = map.size(); i-- > 0;) {
      if (map[i].first == key) return &map[i].second;
    }
    return nullptr;
  }
};

// What both readers refuse to go beyond.
inline constexpr int kDeepestValue = 64;
inline constexpr size_t kMostValues = 2'000'000;

}  // namespace aoa::draft
