// Element types: those of the language, and those that files may hold and a rule can only move.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace aoa {

enum class DType : uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kF8E4M3,
  kF8E5M2,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,  // the language names these
  kU64,
  kU32,
  kU16,
  kC64,
  kF8E8M0,
  kF8E4M3FNUZ,
  kF8E5M2FNUZ,  // only moved
};

// Bytes of an element.
int Width(DType type);
// Whether values can be cast, scaled and averaged: f64, f32, f16, bf16, f8_e4m3, f8_e5m2.
bool IsFloat(DType type);
// The name in rules: "bf16", "f8_e4m3". Types that rules cannot name have a name of the same kind.
std::string_view Name(DType type);
// The type with this name in rules, if there is one.
std::optional<DType> DTypeNamed(std::string_view name);
// The names that rules may use, for messages.
const std::vector<std::string_view>& DTypeNames();

// The layout of a binary floating-point format: 1 sign bit, `exponent_bits`, `mantissa_bits`.
struct FloatFormat {
  int exponent_bits = 0;
  int mantissa_bits = 0;
  bool has_infinity = true;  // f8_e4m3 has none: its all-ones exponent holds ordinary values, and one NaN
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};
// Of a float type (IsFloat).
FloatFormat FormatOf(DType type);

}  // namespace aoa
