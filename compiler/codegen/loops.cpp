#include "compiler/codegen/loops.h"

#include <llvm/IR/Constants.h>

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

void EmitLoop(Builder& b, Value* count, int64_t step, llvm::function_ref<void(Value*)> body) {
  auto* constant = llvm::dyn_cast<ConstantInt>(count);
  if (constant && constant->getSExtValue() <= step) {
    if (constant->getSExtValue() > 0) body(b.getInt64(0));
    return;
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
  Value* next = b.CreateNSWAdd(index, b.getInt64(step));
  index->addIncoming(next, b.GetInsertBlock());
  b.CreateCondBr(b.CreateICmpSLT(next, count), loop, done);
  done->insertInto(function);
  b.SetInsertPoint(done);
}

void EmitBlocks(Builder& b, Value* count, int64_t size, llvm::function_ref<void(Value*)> body) {
  auto* constant = llvm::dyn_cast<ConstantInt>(count);
  if (constant && constant->getSExtValue() % size == 0) return EmitLoop(b, count, size, body);
  Value* last = b.CreateNSWSub(count, b.getInt64(size));
  EmitLoop(b, count, size, [&](Value* index) {
    body(b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, index, last));
  });
}

void EmitIf(Builder& b, Value* condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  if (auto* constant = llvm::dyn_cast<ConstantInt>(condition)) return constant->isOne() ? then() : otherwise();
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

}  // namespace aoa::codegen
