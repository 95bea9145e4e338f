#include "compiler/core/convert.h"

#include <bit>
#include <cmath>
#include <limits>

#include "compiler/core/check.h"

namespace aoa {

double Decode(DType type, uint64_t bits) {
  if (type == DType::kF64) return std::bit_cast<double>(bits);
  if (type == DType::kF32) return std::bit_cast<float>(static_cast<uint32_t>(bits));
  FloatFormat format = FormatOf(type);
  int m = format.mantissa_bits, e = format.exponent_bits;
  uint64_t mantissa = bits & ((1ull << m) - 1);
  uint64_t exponent = (bits >> m) & ((1ull << e) - 1);
  double sign = bits >> (m + e) & 1 ? -1.0 : 1.0;
  bool top = exponent == (1ull << e) - 1;
  if (top && format.has_infinity) {
    double special = mantissa ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    return std::copysign(special, sign);
  }
  if (top && mantissa == (1ull << m) - 1) return std::copysign(std::numeric_limits<double>::quiet_NaN(), sign);
  if (exponent == 0) return sign * std::ldexp(static_cast<double>(mantissa), 1 - format.bias() - m);
  return sign * std::ldexp(static_cast<double>(mantissa | 1ull << m), static_cast<int>(exponent) - format.bias() - m);
}

uint64_t Encode(DType type, double value, Overflow overflow, uint32_t& flags) {
  FloatFormat format = FormatOf(type);
  int m = format.mantissa_bits, e = format.exponent_bits;
  uint64_t sign = std::signbit(value) ? 1ull << (m + e) : 0;
  uint64_t top = ((1ull << e) - 1) << m;  // all ones in the exponent
  if (std::isnan(value)) return sign | top | (format.has_infinity ? 1ull << (m - 1) : (1ull << m) - 1);
  uint64_t largest = format.has_infinity ? top - 1 : top | ((1ull << m) - 2);
  if (std::isinf(value)) {
    if (format.has_infinity) return sign | top;
    if (overflow != Overflow::kSaturate) flags |= kKernelInfinity;
    return sign | largest;
  }
  uint64_t magnitude = std::bit_cast<uint64_t>(value) & ~(1ull << 63);
  uint64_t rounded;  // as bits of the target, possibly beyond `largest`
  if (type == DType::kF64) {
    rounded = magnitude;
  } else {
    int exponent = static_cast<int>(magnitude >> 52) -
                   1023;  // of a normal double; the subnormal ones vanish in every narrower type
    uint64_t significand = (magnitude & ((1ull << 52) - 1)) | (magnitude >> 52 ? 1ull << 52 : 0);
    int smallest = 1 - format.bias();
    int drop = 52 - m + (exponent < smallest ? smallest - exponent : 0);  // bits that do not fit
    if (drop > 54) {
      rounded = 0;
    } else {
      uint64_t kept = significand >> drop, rest = significand & ((1ull << drop) - 1), half = 1ull << (drop - 1);
      kept += rest > half || (rest == half && (kept & 1));
      rounded = kept;
      if (exponent >= smallest)
        rounded += static_cast<uint64_t>(exponent - smallest) << m;  // kept carries the implicit bit: exponent field 1
    }
  }
  if (rounded > largest) {
    if (overflow == Overflow::kSaturate) return sign | largest;
    if (overflow == Overflow::kInfinity && format.has_infinity) return sign | top;
    flags |= kKernelOverflow;
    return sign | largest;
  }
  return sign | rounded;
}

namespace {

// Processors differ in the NaN that an operation returns, and vector code in the order of its operands. Here a value
// that is one stays, and a new one is positive.
double KeepNan(double value, double result) {
  if (std::isnan(value)) return value;
  return std::isnan(result) ? std::numeric_limits<double>::quiet_NaN() : result;
}

double Affine(const ValueStep& step, double value, uint32_t& flags) {
  volatile float x = static_cast<float>(value);  // volatile: no fused multiply-add, no wider intermediate
  if (step.inverse) {
    volatile float difference = x - step.offset;
    x = difference / step.scale;
  } else {
    volatile float product = x * step.scale;
    x = product + step.offset;
  }
  if (std::isinf(x) && std::isfinite(value)) {
    if (step.overflow == Overflow::kError) flags |= kKernelOverflow;
    if (step.overflow == Overflow::kSaturate) x = std::copysign(std::numeric_limits<float>::max(), x);
  }
  return KeepNan(value, x);
}

}  // namespace

uint64_t ApplyToValue(std::span<const ValueStep> chain, double value, double norm, uint32_t& flags) {
  AOA_CHECK(!chain.empty() && chain.back().kind == ValueStep::Kind::kCast, "a chain ends in a cast");
  uint64_t bits = 0;
  for (const ValueStep& step : chain) {
    switch (step.kind) {
      case ValueStep::Kind::kCast:
        bits = Encode(step.to, value, step.overflow, flags);
        value = Decode(step.to, bits);
        break;
      case ValueStep::Kind::kAffine:
        value = Affine(step, value, flags);
        break;
      case ValueStep::Kind::kNormalize:
        if (norm != 0) value = KeepNan(value, value / norm);
        break;
      case ValueStep::Kind::kMean:
        AOA_CHECK(false, "a mean needs all replicas");
    }
  }
  return bits;
}

uint64_t Apply(const ValueChain& chain, DType in, uint64_t bits, double norm, uint32_t& flags) {
  return chain.empty() ? bits : ApplyToValue(chain, Decode(in, bits), norm, flags);
}

}  // namespace aoa
