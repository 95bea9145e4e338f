// Looking into what DeepSpeed's files hold: dictionaries, shapes, numbers in their several spellings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/schema.h"
#include "runtime/formats/pickle.h"

namespace aoa::formats {

// The value at keys below one another; null if there is none.
const pickle::Value* FindPath(const pickle::Value& value, std::initializer_list<std::string_view> keys);
// The value of a number as a key.
const pickle::Value* FindNumber(const pickle::Value& dict, int64_t key);
// A number, or an enumeration's member that is made of one.
std::optional<int64_t> NumberIn(const pickle::Value* value);

struct NamedShape {
  std::string name;
  Shape shape;
};

// Dictionaries of names and shapes, in their order: one, or a list of them. Empty for None and null. kInvalid for what
// is neither, for extents that are no numbers, and where the elements of all are too many to count.
Result<std::vector<std::vector<NamedShape>>> ShapesOf(const pickle::Value* value);

}  // namespace aoa::formats
