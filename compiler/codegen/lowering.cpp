#include "compiler/codegen/lowering.h"

#include <llvm/IR/Module.h>

#include "compiler/codegen/rows.h"
#include "compiler/codegen/transpose.h"

namespace aoa::codegen {

using llvm::Type;
using llvm::Value;

Type* Lowering::Element(int64_t bytes) const {
  if (bytes == 16) return llvm::FixedVectorType::get(b.getInt64Ty(), 2);
  return b.getIntNTy(8 * bytes);
}

Value* Lowering::Scratch(Type* type, const char* name) const {
  llvm::BasicBlock& entry = b.GetInsertBlock()->getParent()->getEntryBlock();
  Builder at_entry(&entry, entry.getFirstInsertionPt());
  llvm::AllocaInst* memory = at_entry.CreateAlloca(type, nullptr, name);
  memory->setAlignment(llvm::Align(64));
  return memory;
}

namespace {

class KernelEmitter {
 public:
  KernelEmitter(llvm::Function* function, Builder& b, const KernelKey& key, const Nest& nest, unsigned vector_bytes)
      : function_(function), b_(b), nest_(nest), lowering_{b, key, nest, vector_bytes}, rows_(lowering_),
        transposes_(lowering_, rows_) {}

  void Emit();

 private:
  using Leaf = llvm::function_ref<void(const Cursor&)>;

  Value* Count(const Loop& loop);
  void EmitNest(llvm::ArrayRef<Loop> loops, const Cursor& at, Leaf leaf);
  void EmitPlain(llvm::ArrayRef<Loop> loops, const Cursor& at);
  void EmitTiled(const Tiling& tiling, size_t depth, const Cursor& at);
  void EmitTile(const Tiling& tiling, const Cursor& at);
  Value* FillsTiles(const Tiling& tiling);

  llvm::Function* function_;
  Builder& b_;
  const Nest& nest_;
  Lowering lowering_;
  RowEmitter rows_;
  TransposeEmitter transposes_;
  std::map<int, Value*> parameters_;
};

// The run-time extents are read at the entry, once.
Value* KernelEmitter::Count(const Loop& loop) {
  if (loop.constant()) return b_.getInt64(loop.extent);
  Value*& count = parameters_[loop.parameter];
  if (!count) {
    Builder::InsertPointGuard guard(b_);
    b_.SetInsertPoint(&function_->getEntryBlock(), function_->getEntryBlock().getFirstInsertionPt());
    Value* place = b_.CreateConstGEP1_64(b_.getInt64Ty(), function_->getArg(2), loop.parameter);
    count = b_.CreateLoad(b_.getInt64Ty(), place);
    if (loop.extent > 1) count = b_.CreateNSWMul(count, b_.getInt64(loop.extent));
  }
  return count;
}

void KernelEmitter::EmitNest(llvm::ArrayRef<Loop> loops, const Cursor& at, Leaf leaf) {
  if (loops.empty()) return leaf(at);
  EmitLoop(b_, Count(loops.front()), 1, [&](Value* index) {
    EmitNest(loops.drop_front(), Advance(b_, at, loops.front(), index), leaf);
  });
}

void KernelEmitter::EmitPlain(llvm::ArrayRef<Loop> loops, const Cursor& at) {
  if (loops.empty()) return rows_.EmitRow({1, -1, nest_.in_width, nest_.out_width, 0}, b_.getInt64(1), at);
  EmitNest(loops.drop_back(), at, [&](const Cursor& row) { rows_.EmitRow(loops.back(), Count(loops.back()), row); });
}

Value* KernelEmitter::FillsTiles(const Tiling& tiling) {
  Value* all = b_.getTrue();
  for (size_t i = 0; i < nest_.loops.size(); ++i) {
    if (nest_.loops[i].constant() || tiling.size[i] == 1) continue;
    all = b_.CreateAnd(all, b_.CreateICmpSGE(Count(nest_.loops[i]), b_.getInt64(tiling.size[i])));
  }
  return all;
}

void KernelEmitter::EmitTiled(const Tiling& tiling, size_t depth, const Cursor& at) {
  if (depth == nest_.loops.size()) return EmitTile(tiling, at);
  const Loop& loop = nest_.loops[depth];
  EmitBlocks(b_, Count(loop), tiling.size[depth],
             [&](Value* index) { EmitTiled(tiling, depth + 1, Advance(b_, at, loop, index)); });
}

void KernelEmitter::EmitTile(const Tiling& tiling, const Cursor& at) {
  std::vector<Loop> inner;
  std::optional<Loop> row, column;
  for (size_t i = 0; i < nest_.loops.size(); ++i) {
    Loop loop = nest_.loops[i];
    loop.extent = tiling.size[i];
    loop.parameter = -1;
    if (static_cast<int>(i) == tiling.row) {
      row = loop;
    } else if (static_cast<int>(i) == tiling.column) {
      column = loop;
    } else if (loop.extent > 1) {
      inner.push_back(loop);
    }
  }
  if (row && transposes_.SideFor(*row, *column) >= 4) {
    return EmitNest(inner, at, [&](const Cursor& square) { transposes_.EmitTile(*row, *column, square); });
  }
  if (row) inner.insert(inner.end(), {*row, *column});
  EmitPlain(inner, at);
}

void KernelEmitter::Emit() {
  Cursor start{function_->getArg(0), function_->getArg(1), nullptr};
  for (const ValueStep& step : lowering_.key.chain) {
    if (step.kind == ValueStep::Kind::kNormalize) start.table = function_->getArg(3);
  }
  auto plain = [&] { EmitPlain(nest_.loops, start); };
  if (std::optional<Tiling> tiling = MakeTiling(nest_)) {
    EmitIf(b_, FillsTiles(*tiling), [&] { EmitTiled(*tiling, 0, start); }, plain);
  } else {
    plain();
  }
  b_.CreateRet(rows_.Flags());
}

}  // namespace

llvm::Function* LowerKernel(llvm::Module& module, const KernelKey& key, const std::string& name,
                            unsigned vector_bytes) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* pointer = llvm::PointerType::get(context, 0);
  auto* type = llvm::FunctionType::get(Type::getInt32Ty(context), {pointer, pointer, pointer, pointer}, false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module);
  const char* arguments[] = {"in", "out", "extents", "table"};
  for (llvm::Argument& argument : function->args()) {
    argument.setName(arguments[argument.getArgNo()]);
    argument.addAttr(llvm::Attribute::NoAlias);
    if (argument.getArgNo() != 1) argument.addAttr(llvm::Attribute::ReadOnly);
  }
  function->setDoesNotThrow();
  Builder b(llvm::BasicBlock::Create(context, "entry", function));
  Nest nest = MakeNest(key);
  KernelEmitter(function, b, key, nest, vector_bytes).Emit();
  return function;
}

}  // namespace aoa::codegen
