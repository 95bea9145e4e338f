// The element types of safetensors files.
#pragma once

#include <string_view>

#include "compiler/core/dtype.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// "BF16"
std::string_view SafetensorsName(DType type);

// The type of this name. The failure names it, and says whether it is unknown or packs elements below a byte.
Result<DType> SafetensorsType(std::string_view name);

// Where the type stands in the library's own order (safetensors 0.8, checked by experiment). Files hold the last ones
// first, which aligns every tensor to its elements.
int SafetensorsOrder(DType type);

}  // namespace aoa::formats
