// Value chains as LLVM IR: what compiler/core/convert.cpp does to one element, for a scalar or for all lanes of a
// vector.
//
// Everything is integer arithmetic on the bits, or a floating-point operation whose result IEEE 754 fixes, so every
// target agrees bit by bit: no fast-math, no fused operations, and no NaN of the hardware's choice survives. A value
// between two steps is held as f32 where that is exact, else as f64; so every cast rounds once.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include "compiler/core/kernel.h"

namespace aoa::codegen {

class ValueEmitter {
 public:
  // Code for `lanes` elements at a time; 1 is a scalar. Flags are OR-ed into `flags`, one i32 for each lane.
  ValueEmitter(llvm::IRBuilder<>& builder, unsigned lanes, llvm::Value* flags)
      : b_(builder), lanes_(lanes), flags_(flags) {}

  // The stored bits for loaded `bits`. `norm` (f64) is the divisor of kNormalize, null without one.
  llvm::Value* Apply(const ValueChain& chain, DType in, llvm::Value* bits, llvm::Value* norm);

  llvm::Type* IntType(unsigned bits) const { return Lanes(b_.getIntNTy(bits)); }
  llvm::Type* DoubleType() const { return Lanes(b_.getDoubleTy()); }

 private:
  // A floating-point type as arithmetic sees it, with integer constants of its width.
  struct Wide;

  llvm::Value* Decode(DType type, llvm::Value* bits);
  llvm::Value* Encode(const ValueStep& step, llvm::Value* value);
  llvm::Value* RoundMagnitude(const Wide& from, FloatFormat to, llvm::Value* magnitude);
  llvm::Value* Affine(const ValueStep& step, llvm::Value* value);
  llvm::Value* Normalize(llvm::Value* value, llvm::Value* norm);
  llvm::Value* KeepNan(llvm::Value* operand, llvm::Value* result);

  llvm::Type* Lanes(llvm::Type* scalar) const;
  llvm::Value* Int(llvm::Type* type, uint64_t value) const;
  Wide WideOf(llvm::Value* value) const;
  void RaiseFlag(llvm::Value* condition, uint32_t flag);

  llvm::IRBuilder<>& b_;
  unsigned lanes_;
  llvm::Value* flags_;
};

}  // namespace aoa::codegen
