// Element types in torch's own words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compiler/core/dtype.h"

namespace aoa::formats {

// The type of "torch FloatStorage", "torch.cuda HalfStorage".
std::optional<DType> TorchStorageType(std::string_view global);
// The type of "torch bfloat16".
std::optional<DType> TorchDType(std::string_view global);
// "torch BFloat16Storage"; empty for types that have an untyped storage.
std::string TorchStorageName(DType type);
// "torch bfloat16"; empty for a type that torch does not have.
std::string TorchDTypeName(DType type);

}  // namespace aoa::formats
