#include "compiler/codegen/values.h"

#include <cmath>
#include <limits>

namespace aoa::codegen {

using llvm::Type;
using llvm::Value;

struct ValueEmitter::Wide {
  FloatFormat format;
  Type* integer;  // of the same width, lane by lane
  Type* floating;
  uint64_t infinity() const { return ((1ull << format.exponent_bits) - 1) << format.mantissa_bits; }
  uint64_t quiet_nan() const { return infinity() | 1ull << (format.mantissa_bits - 1); }
  uint64_t magnitude_mask() const { return (1ull << (format.exponent_bits + format.mantissa_bits)) - 1; }
  // The bits of 2^exponent.
  uint64_t PowerOfTwo(int exponent) const {
    return static_cast<uint64_t>(exponent + format.bias()) << format.mantissa_bits;
  }
};

Type* ValueEmitter::Lanes(Type* scalar) const {
  return lanes_ == 1 ? scalar : llvm::FixedVectorType::get(scalar, lanes_);
}

Value* ValueEmitter::Int(Type* type, uint64_t value) const { return llvm::ConstantInt::get(type, value); }

ValueEmitter::Wide ValueEmitter::WideOf(Value* value) const {
  bool is_double = value->getType()->getScalarType()->isDoubleTy();
  return {FormatOf(is_double ? DType::kF64 : DType::kF32), IntType(is_double ? 64 : 32), value->getType()};
}

void ValueEmitter::RaiseFlag(Value* condition, uint32_t flag) {
  Type* type = IntType(32);
  Value* raised = b_.CreateSelect(condition, Int(type, flag), Int(type, 0));
  b_.CreateStore(b_.CreateOr(b_.CreateLoad(type, flags_), raised), flags_);
}

Value* ValueEmitter::Apply(const ValueChain& chain, DType in, Value* bits, Value* norm) {
  Value* value = nullptr;
  for (const ValueStep& step : chain) {
    if (!value) value = Decode(in, bits);
    switch (step.kind) {
      case ValueStep::Kind::kCast:
        bits = Encode(step, value);
        in = step.to;
        value = nullptr;
        break;
      case ValueStep::Kind::kAffine:
        value = Affine(step, value);
        break;
      case ValueStep::Kind::kNormalize:
        value = Normalize(value, norm);
        break;
      case ValueStep::Kind::kMean:
        break;  // not in kernels
    }
  }
  return bits;
}

// Moves exponent and mantissa to their places in f32 and corrects the bias; the subnormal ones, which f32 holds as
// normal, go through an exact conversion from integer.
Value* ValueEmitter::Decode(DType type, Value* bits) {
  if (type == DType::kF64) return b_.CreateBitCast(bits, DoubleType());
  FloatFormat format = FormatOf(type);
  int m = format.mantissa_bits, e = format.exponent_bits;
  Wide wide{FormatOf(DType::kF32), IntType(32), Lanes(b_.getFloatTy())};
  Value* word = b_.CreateZExt(bits, wide.integer);
  if (e == wide.format.exponent_bits) {  // f32, bf16: the upper bits of an f32
    return b_.CreateBitCast(b_.CreateShl(word, wide.format.mantissa_bits - m), wide.floating);
  }
  Value* sign = b_.CreateShl(b_.CreateAnd(word, 1ull << (m + e)), 31 - (m + e));
  Value* magnitude = b_.CreateAnd(word, (1ull << (m + e)) - 1);
  Value* rebias = Int(wide.integer, wide.PowerOfTwo(-format.bias()));
  Value* result = b_.CreateAdd(b_.CreateShl(magnitude, wide.format.mantissa_bits - m), rebias);
  if (format.has_infinity) {  // all ones must stay all ones; the distance is that of the biases once more
    Value* special = b_.CreateICmpUGE(magnitude, Int(wide.integer, ((1ull << e) - 1) << m));
    result = b_.CreateSelect(special, b_.CreateAdd(result, rebias), result);
  } else {
    Value* nan = b_.CreateICmpEQ(magnitude, Int(wide.integer, (1ull << (m + e)) - 1));
    result = b_.CreateSelect(nan, Int(wide.integer, wide.quiet_nan()), result);
  }
  Value* unit = llvm::ConstantFP::get(wide.floating, std::ldexp(1.0, 1 - format.bias() - m));
  Value* small = b_.CreateFMul(b_.CreateUIToFP(magnitude, wide.floating), unit);
  Value* subnormal = b_.CreateICmpULT(magnitude, Int(wide.integer, 1ull << m));
  result = b_.CreateSelect(subnormal, b_.CreateBitCast(small, wide.integer), result);
  return b_.CreateBitCast(b_.CreateOr(result, sign), wide.floating);
}

// The magnitude as bits of `to`, rounded to nearest even; beyond the largest finite value the bits count on, so that
// too large ones compare greater.
Value* ValueEmitter::RoundMagnitude(const Wide& from, FloatFormat to, Value* magnitude) {
  int drop = from.format.mantissa_bits - to.mantissa_bits;
  if (drop == 0) return magnitude;
  Value* odd = b_.CreateAnd(b_.CreateLShr(magnitude, drop), 1);
  uint64_t rebias = from.PowerOfTwo(-to.bias()), below_half = (1ull << (drop - 1)) - 1;
  Value* shifted = b_.CreateAdd(b_.CreateAdd(magnitude, odd), Int(from.integer, below_half - rebias));
  Value* normal = b_.CreateLShr(shifted, drop);
  if (to.exponent_bits == from.format.exponent_bits) return normal;
  // A subnormal result is a multiple of a fixed unit. Adding the power of two whose last place is that unit lets the
  // addition round, and leaves the multiple in the low bits of the sum.
  uint64_t magic = from.PowerOfTwo(1 - to.bias() - to.mantissa_bits + from.format.mantissa_bits);
  Value* sum = b_.CreateFAdd(b_.CreateBitCast(magnitude, from.floating),
                             b_.CreateBitCast(Int(from.integer, magic), from.floating));
  Value* subnormal = b_.CreateSub(b_.CreateBitCast(sum, from.integer), Int(from.integer, magic));
  Value* tiny = b_.CreateICmpULT(magnitude, Int(from.integer, from.PowerOfTwo(1 - to.bias())));
  return b_.CreateSelect(tiny, subnormal, normal);
}

Value* ValueEmitter::Encode(const ValueStep& step, Value* value) {
  FloatFormat to = FormatOf(step.to);
  if (step.to == DType::kF64) value = b_.CreateFPExt(value, DoubleType());  // exact
  Wide from = WideOf(value);
  int width = from.format.exponent_bits + from.format.mantissa_bits, to_width = to.exponent_bits + to.mantissa_bits;
  uint64_t top = ((1ull << to.exponent_bits) - 1) << to.mantissa_bits, all = (1ull << to_width) - 1;
  uint64_t largest = to.has_infinity ? top - 1 : all - 1;

  Value* bits = b_.CreateBitCast(value, from.integer);
  Value* magnitude = b_.CreateAnd(bits, from.magnitude_mask());
  Value* sign = b_.CreateShl(b_.CreateLShr(bits, width), to_width);
  Value* infinity = Int(from.integer, from.infinity());
  Value* result = RoundMagnitude(from, to, magnitude);

  bool saturate = step.overflow == Overflow::kSaturate;
  if (to_width != width) {
    Value* too_large = b_.CreateICmpUGT(result, Int(from.integer, largest));
    bool infinite = step.overflow == Overflow::kInfinity && to.has_infinity;
    result = b_.CreateSelect(too_large, Int(from.integer, infinite ? top : largest), result);
    if (!saturate && !infinite) {
      RaiseFlag(b_.CreateAnd(too_large, b_.CreateICmpULT(magnitude, infinity)), kKernelOverflow);
    }
  }
  Value* is_infinite = b_.CreateICmpEQ(magnitude, infinity);
  if (!to.has_infinity && !saturate) RaiseFlag(is_infinite, kKernelInfinity);
  if (to.has_infinity) result = b_.CreateSelect(is_infinite, Int(from.integer, top), result);
  Value* is_nan = b_.CreateICmpUGT(magnitude, infinity);
  uint64_t nan = to.has_infinity ? top | 1ull << (to.mantissa_bits - 1) : all;
  result = b_.CreateSelect(is_nan, Int(from.integer, nan), result);
  return b_.CreateTrunc(b_.CreateOr(result, sign), IntType(8 * Width(step.to)));
}

// Hardware differs in the NaN that an operation returns. Here an operand that is one stays, and a new one is positive.
Value* ValueEmitter::KeepNan(Value* operand, Value* result) {
  Value* positive = llvm::ConstantFP::getQNaN(result->getType());
  Value* kept = b_.CreateSelect(b_.CreateFCmpUNO(result, result), positive, result);
  return b_.CreateSelect(b_.CreateFCmpUNO(operand, operand), operand, kept);
}

Value* ValueEmitter::Affine(const ValueStep& step, Value* value) {
  Type* type = Lanes(b_.getFloatTy());
  Value* scale = llvm::ConstantFP::get(type, step.scale);
  Value* offset = llvm::ConstantFP::get(type, step.offset);
  Value* x = b_.CreateFPTrunc(value, type);
  Value* result =
      step.inverse ? b_.CreateFDiv(b_.CreateFSub(x, offset), scale) : b_.CreateFAdd(b_.CreateFMul(x, scale), offset);
  if (step.overflow != Overflow::kInfinity) {
    auto is_infinite = [&](Value* v) {
      return b_.CreateFCmpOEQ(b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, v),
                              llvm::ConstantFP::getInfinity(v->getType()));
    };
    Value* overflow = b_.CreateAnd(is_infinite(result), b_.CreateNot(is_infinite(value)));
    if (step.overflow == Overflow::kError) {
      RaiseFlag(overflow, kKernelOverflow);
    } else {
      Value* largest = llvm::ConstantFP::get(type, std::numeric_limits<float>::max());
      Value* saturated = b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, largest, result);
      result = b_.CreateSelect(overflow, saturated, result);
    }
  }
  return KeepNan(x, result);
}

Value* ValueEmitter::Normalize(Value* value, Value* norm) {
  value = b_.CreateFPExt(value, DoubleType());
  Value* quotient = KeepNan(value, b_.CreateFDiv(value, norm));
  Value* is_zero = b_.CreateFCmpOEQ(norm, llvm::ConstantFP::getZero(norm->getType()));
  return b_.CreateSelect(is_zero, value, quotient);
}

}  // namespace aoa::codegen
