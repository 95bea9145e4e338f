#include "compiler/core/dtype.h"

#include <array>

#include "compiler/core/check.h"

namespace aoa {
namespace {

struct Entry {
  std::string_view name;
  int width;
};

constexpr std::array<Entry, 19> kEntries = {{
    {"f64", 8}, {"f32", 4}, {"f16", 2},     {"bf16", 2},        {"f8_e4m3", 1},     {"f8_e5m2", 1}, {"i64", 8},
    {"i32", 4}, {"i16", 2}, {"i8", 1},      {"u8", 1},          {"bool", 1},        {"u64", 8},     {"u32", 4},
    {"u16", 2}, {"c64", 8}, {"f8_e8m0", 1}, {"f8_e4m3fnuz", 1}, {"f8_e5m2fnuz", 1},
}};
constexpr int kNamed = 12;  // the first so many may be named in rules

}  // namespace

int Width(DType type) { return kEntries[static_cast<int>(type)].width; }
bool IsFloat(DType type) { return type <= DType::kF8E5M2; }
std::string_view Name(DType type) { return kEntries[static_cast<int>(type)].name; }

std::optional<DType> DTypeNamed(std::string_view name) {
  for (int i = 0; i < kNamed; ++i) {
    if (kEntries[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

const std::vector<std::string_view>& DTypeNames() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> out;
    for (int i = 0; i < kNamed; ++i) out.push_back(kEntries[i].name);
    return out;
  }();
  return names;
}

FloatFormat FormatOf(DType type) {
  switch (type) {
    case DType::kF64:
      return {11, 52, true};
    case DType::kF32:
      return {8, 23, true};
    case DType::kF16:
      return {5, 10, true};
    case DType::kBF16:
      return {8, 7, true};
    case DType::kF8E4M3:
      return {4, 3, false};
    case DType::kF8E5M2:
      return {5, 2, true};
    default:
      AOA_CHECK(false, "no floating-point type");
  }
  return {};
}

}  // namespace aoa
