#include "compiler/codegen/loops.h"

#include <llvm/IR/Constants.h>

#include <algorithm>

namespace aoa::codegen {

using llvm::BasicBlock;
using llvm::ConstantInt;
using llvm::Value;

Value* Offset(Builder& b, Value* base, Value* index, int64_t stride) {
  if (stride == 0) return base;
  return b.CreatePtrAdd(base, b.CreateNSWMul(index, b.getInt64(stride)));
}

Cursor Advance(Builder& b, const Cursor& at, const Loop& loop, Value* index) {
  return {Offset(b, at.in, index, loop.in), Offset(b, at.out, index, loop.out),
          at.table ? Offset(b, at.table, index, loop.table * static_cast<int64_t>(sizeof(double))) : nullptr};
}

Fused Fuse(Builder& b, llvm::ArrayRef<Span> spans) {
  Fused fused{{spans.begin(), spans.end()}, spans.front().count};
  for (const Span& span : spans.drop_front()) fused.count = b.CreateNSWMul(fused.count, span.count);
  return fused;
}

Cursor Advance(Builder& b, Cursor at, const Fused& loops, Value* index) {
  for (size_t i = loops.spans.size(); i-- > 0;) {
    const Span& span = loops.spans[i];
    at = Advance(b, at, span.loop, i == 0 ? index : b.CreateURem(index, span.count));
    if (i > 0) index = b.CreateUDiv(index, span.count);
  }
  return at;
}

std::optional<int64_t> ConstantOf(const Value* value) {
  auto* constant = llvm::dyn_cast<ConstantInt>(value);
  return constant ? std::optional(constant->getSExtValue()) : std::nullopt;
}

Value* Lesser(Builder& b, Value* one, Value* other) {
  std::optional<int64_t> x = ConstantOf(one), y = ConstantOf(other);
  if (x && y) return *x < *y ? one : other;
  return b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, one, other);
}

void EmitLoop(Builder& b, Value* count, Value* step, Body body) {
  std::optional<int64_t> times = ConstantOf(count);
  if (step == count || (times && times <= ConstantOf(step))) {
    return EmitIf(
        b, b.CreateICmpSGT(count, b.getInt64(0)), [&] { body(b.getInt64(0)); }, [] {});
  }
  llvm::Function* function = b.GetInsertBlock()->getParent();
  BasicBlock* before = b.GetInsertBlock();
  BasicBlock* loop = BasicBlock::Create(b.getContext(), "loop", function);
  BasicBlock* done = BasicBlock::Create(b.getContext(), "done");
  b.CreateCondBr(b.CreateICmpSGT(count, b.getInt64(0)), loop, done);
  b.SetInsertPoint(loop);
  llvm::PHINode* index = b.CreatePHI(b.getInt64Ty(), 2, "i");
  index->addIncoming(b.getInt64(0), before);
  body(index);
  Value* next = b.CreateNSWAdd(index, step);
  index->addIncoming(next, b.GetInsertBlock());
  b.CreateCondBr(b.CreateICmpSLT(next, count), loop, done);
  done->insertInto(function);
  b.SetInsertPoint(done);
}

void EmitLoop(Builder& b, Value* count, Body body) { EmitLoop(b, count, b.getInt64(1), body); }

void EmitBlocks(Builder& b, Value* count, Value* size, Body body) {
  std::optional<int64_t> times = ConstantOf(count), step = ConstantOf(size);
  if (step == 1 || (times && step && *times % *step == 0)) return EmitLoop(b, count, size, body);
  Value* last = b.CreateNSWSub(count, size);
  EmitLoop(b, count, size, [&](Value* index) { body(Lesser(b, index, last)); });
}

void EmitIf(Builder& b, Value* condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  if (std::optional<int64_t> constant = ConstantOf(condition)) return *constant ? then() : otherwise();
  llvm::Function* function = b.GetInsertBlock()->getParent();
  BasicBlock* yes = BasicBlock::Create(b.getContext(), "then", function);
  BasicBlock* no = BasicBlock::Create(b.getContext(), "else");
  BasicBlock* done = BasicBlock::Create(b.getContext(), "endif");
  b.CreateCondBr(condition, yes, no);
  b.SetInsertPoint(yes);
  then();
  b.CreateBr(done);
  no->insertInto(function);
  b.SetInsertPoint(no);
  otherwise();
  b.CreateBr(done);
  done->insertInto(function);
  b.SetInsertPoint(done);
}

void EmitPrefetch(Builder& b, Value* from, int64_t bytes) {
  for (int64_t i = 0; i < bytes + kCacheLine; i += kCacheLine) {
    Value* place = b.CreateConstGEP1_64(b.getInt8Ty(), from, std::min(i, bytes - 1));
    Value *read = b.getInt32(0), *keep = b.getInt32(3), *data = b.getInt32(1);
    b.CreateIntrinsic(llvm::Intrinsic::prefetch, {place->getType()}, {place, read, keep, data});
  }
}

}  // namespace aoa::codegen
