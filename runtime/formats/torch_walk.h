// Walking what a torch file holds. Included by torch_file.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "runtime/formats/pickle.h"

namespace aoa::formats {

// A key as a part of a dotted path; empty if it is no text or number.
std::string PathPart(const pickle::Value& key);

// Whether an object is a bag of attributes, which its state names.
bool HoldsAttributes(const pickle::Value& value);

// The items of a container with their keys: of a dictionary, list, tuple, or of an object that holds attributes or
// items. Nothing for what is no container.
std::vector<std::pair<std::string, const pickle::Value*>> MembersOf(const pickle::Value& value);

// The value at keys below one another; null if there is none.
const pickle::Value* FindPath(const pickle::Value& value, std::initializer_list<std::string_view> keys);
// The value of a number as a key.
const pickle::Value* FindNumber(const pickle::Value& dict, int64_t key);
// A number, or an enumeration's member that is made of one.
std::optional<int64_t> NumberIn(const pickle::Value* value);

template <class Visit>
Status EachLeaf(const pickle::Value& root, Visit visit) {
  std::unordered_set<const pickle::Value*> seen;
  std::vector<std::pair<std::string, const pickle::Value*>> rest = {{"", &root}};
  while (!rest.empty()) {
    auto [path, value] = std::move(rest.back());
    rest.pop_back();
    AOA_RETURN_IF_ERROR(visit(path, *value));
    if (seen.contains(value)) continue;
    auto members = MembersOf(*value);
    if (members.empty()) continue;
    seen.insert(value);
    for (auto it = members.rbegin(); it != members.rend(); ++it) {
      if (it->first.empty()) continue;
      constexpr size_t kLongestPath = 1024;
      std::string name = path.empty() ? it->first : path + "." + it->first;
      if (name.size() <= kLongestPath) rest.emplace_back(std::move(name), it->second);
    }
  }
  return Status();
}

}  // namespace aoa::formats
