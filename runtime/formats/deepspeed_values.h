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

struct NamedShape {
  std::string name;
  Shape shape;
};

// Dictionaries of names and shapes, in their order: one, or a list of them. Empty for None and null. kInvalid for what
// is neither, for extents that are no numbers, and where the elements of all are too many to count.
Result<std::vector<std::vector<NamedShape>>> ShapesOf(const pickle::Value* value);

}  // namespace aoa::formats
