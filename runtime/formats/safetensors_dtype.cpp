#include "runtime/formats/safetensors_dtype.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/core/check.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

using Entry = std::pair<std::string_view, DType>;

// In the library's order.
constexpr std::array<Entry, 19> kTypes = {{
    {"BOOL", DType::kBool},
    {"U8", DType::kU8},
    {"I8", DType::kI8},
    {"F8_E5M2", DType::kF8E5M2},
    {"F8_E4M3", DType::kF8E4M3},
    {"F8_E8M0", DType::kF8E8M0},
    {"F8_E4M3FNUZ", DType::kF8E4M3FNUZ},
    {"F8_E5M2FNUZ", DType::kF8E5M2FNUZ},
    {"I16", DType::kI16},
    {"U16", DType::kU16},
    {"F16", DType::kF16},
    {"BF16", DType::kBF16},
    {"I32", DType::kI32},
    {"U32", DType::kU32},
    {"F32", DType::kF32},
    {"C64", DType::kC64},
    {"F64", DType::kF64},
    {"I64", DType::kI64},
    {"U64", DType::kU64},
}};

constexpr std::array<std::string_view, 3> kBelowAByte = {"F4", "F6_E2M3", "F6_E3M2"};

const Entry& Find(DType type) {
  auto it = std::find_if(kTypes.begin(), kTypes.end(), [&](const Entry& entry) { return entry.second == type; });
  AOA_CHECK(it != kTypes.end(), std::string(Name(type)));
  return *it;
}

}  // namespace

std::string_view SafetensorsName(DType type) { return Find(type).first; }

int SafetensorsOrder(DType type) { return static_cast<int>(&Find(type) - kTypes.data()); }

Result<DType> SafetensorsType(std::string_view name) {
  for (const auto& [known, type] : kTypes) {
    if (known == name) return type;
  }
  if (std::find(kBelowAByte.begin(), kBelowAByte.end(), name) != kBelowAByte.end()) {
    return Status::Invalid(
        fmt::format("dtype {} packs several elements into a byte, and elements can only be moved whole", name));
  }
  return Status::Invalid(fmt::format("dtype {} is unknown", Quote(name)));
}

}  // namespace aoa::formats
