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

// The state of ZeRO's optimizer in the root of a rank's file, or of a universal checkpoint's `optimizer_state.pt`; null
// if there is none.
const pickle::Value* OptimizerIn(const pickle::Value& root);

// `param_groups` of the inner optimizer in such a state: a list of dictionaries; null if there is none.
const pickle::Value* ParamGroupsIn(const pickle::Value& optimizer);

// The names of parameters by group, in order, over the lists of all model-parallel ranks. ZeRO-3 has a list for each of
// its sub-groups: those of a group are joined as `param_groups`, which may be null, numbers them.
std::vector<std::vector<std::string>> GroupsOf(const std::vector<std::vector<std::vector<NamedShape>>>& ranks,
                                               const pickle::Value* param_groups);

}  // namespace aoa::formats
