#include "compiler/codegen/rows.h"

#include <algorithm>
#include <bit>

#include "compiler/codegen/values.h"

namespace aoa::codegen {

using llvm::Align;
using llvm::Type;
using llvm::Value;

void RowEmitter::EmitRow(const Span& row, const Cursor& at) {
  if (l_.key.chain.empty() && l_.nest.Contiguous(row.loop)) {
    Value* bytes = b_.CreateNSWMul(row.count, b_.getInt64(row.loop.in));
    b_.CreateMemCpy(at.out, Align(1), at.in, Align(1), bytes);
    return;
  }
  auto each = [&](unsigned lanes) {
    return [&, lanes](Value* index) { EmitLanes(lanes, row.loop, Advance(b_, at, row.loop, index)); };
  };
  Value* lanes = b_.getInt64(LanesFor(row));
  if (lanes == b_.getInt64(1)) return EmitLoop(b_, row.count, each(1));
  EmitIf(
      b_, b_.CreateICmpSGE(row.count, lanes), [&] { EmitBlocks(b_, row.count, lanes, each(LanesFor(row))); },
      [&] { EmitLoop(b_, row.count, each(1)); });
}

// A vector register of the widest type that the chain computes in; where nothing is computed and elements move one by
// one, enough of them to keep the memory busy.
unsigned RowEmitter::LanesFor(const Span& row) const {
  int64_t width = l_.nest.in_width;
  if (width > 8) return 1;
  int64_t lanes = 8;
  if (!l_.key.chain.empty()) {
    bool is_double = l_.key.in == DType::kF64 || std::ranges::any_of(l_.key.chain, [](const ValueStep& step) {
                       return step.kind == ValueStep::Kind::kNormalize || step.to == DType::kF64;
                     });
    lanes = l_.vector_bytes / (is_double ? 8 : 4);
  } else if (row.loop.in == 0 && row.loop.out == width) {
    lanes = l_.vector_bytes / width;
  }
  lanes = std::min(lanes, ConstantOf(row.count).value_or(lanes));
  return std::bit_floor(static_cast<uint64_t>(lanes));
}

void RowEmitter::EmitLanes(unsigned lanes, const Loop& loop, const Cursor& at) {
  Value* value = Load(lanes, l_.Element(l_.nest.in_width), at.in, loop.in);
  if (!l_.key.chain.empty()) {
    Value* norm = nullptr;
    if (at.table) norm = Load(lanes, b_.getDoubleTy(), at.table, loop.table * static_cast<int64_t>(sizeof(double)));
    value = ValueEmitter(b_, lanes, FlagsOf(lanes)).Apply(l_.key.chain, l_.key.in, value, norm);
  }
  Store(lanes, value, at.out, loop.out);
}

Value* RowEmitter::Load(unsigned lanes, Type* element, Value* from, int64_t stride) {
  if (lanes == 1) return b_.CreateAlignedLoad(element, from, Align(1));
  if (stride == 0) return b_.CreateVectorSplat(lanes, Load(1, element, from, 0));
  Type* type = llvm::FixedVectorType::get(element, lanes);
  if (stride * 8 == element->getScalarSizeInBits()) return b_.CreateAlignedLoad(type, from, Align(1));
  Value* all = llvm::PoisonValue::get(type);
  for (unsigned lane = 0; lane < lanes; ++lane) {
    Value* one = Load(1, element, b_.CreateConstGEP1_64(b_.getInt8Ty(), from, lane * stride), 0);
    all = b_.CreateInsertElement(all, one, lane);
  }
  return all;
}

void RowEmitter::Store(unsigned lanes, Value* value, Value* to, int64_t stride) {
  if (lanes == 1 || stride * 8 == value->getType()->getScalarSizeInBits()) {
    b_.CreateAlignedStore(value, to, Align(1));
    return;
  }
  for (unsigned lane = 0; lane < lanes; ++lane) {
    Value* place = b_.CreateConstGEP1_64(b_.getInt8Ty(), to, lane * stride);
    b_.CreateAlignedStore(b_.CreateExtractElement(value, lane), place, Align(1));
  }
}

Value* RowEmitter::FlagsOf(unsigned lanes) {
  Value*& slot = flags_[lanes];
  if (!slot) {
    Type* type = b_.getInt32Ty();
    if (lanes > 1) type = llvm::FixedVectorType::get(type, lanes);
    slot = l_.Scratch(type, "flags");
    auto* memory = llvm::cast<llvm::AllocaInst>(slot);
    Builder after(memory->getParent(), std::next(memory->getIterator()));
    after.CreateStore(llvm::Constant::getNullValue(type), slot);
  }
  return slot;
}

Value* RowEmitter::Flags() {
  Value* all = b_.getInt32(0);
  for (auto [lanes, slot] : flags_) {
    Value* some = b_.CreateLoad(llvm::cast<llvm::AllocaInst>(slot)->getAllocatedType(), slot);
    all = b_.CreateOr(all, lanes == 1 ? some : b_.CreateOrReduce(some));
  }
  return all;
}

}  // namespace aoa::codegen
