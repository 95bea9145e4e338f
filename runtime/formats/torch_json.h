// What torch files hold besides tensors (arguments, configurations), as JSON, and back.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "runtime/formats/pickle.h"

namespace aoa::formats {

// The attributes of a namespace, or the entries of a dictionary. What JSON cannot say is left out, a list with any of
// it altogether; an element type is the text "torch.bfloat16". An object, perhaps empty.
nlohmann::json JsonOf(const pickle::Value& value);

// The value that JSON says, texts that name element types as those.
const pickle::Value* ValueOf(const nlohmann::json& json, pickle::Tree& tree);

}  // namespace aoa::formats
