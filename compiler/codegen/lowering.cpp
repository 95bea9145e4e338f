#include "compiler/codegen/lowering.h"

#include <llvm/IR/Module.h>

#include <algorithm>

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

constexpr int64_t kLongestPrefetch = 1024;  // bytes of a row; the processor finds the rest of a longer one itself

class KernelEmitter {
 public:
  KernelEmitter(llvm::Function* function, Builder& b, const KernelKey& key, const Nest& nest, unsigned vector_bytes)
      : function_(function), b_(b), nest_(nest), lowering_{b, key, nest, vector_bytes}, rows_(lowering_),
        transposes_(lowering_, rows_) {}

  void Emit();

 private:
  using Leaf = llvm::function_ref<void(const Cursor&)>;

  Span Whole(const Loop& loop);
  Span Part(const Span& whole, int64_t size);
  void EmitNest(llvm::ArrayRef<Span> spans, const Cursor& at, Leaf leaf);
  void EmitPlain(llvm::ArrayRef<Span> spans, const Cursor& at);
  void EmitTiled(llvm::ArrayRef<Span> spans, const Tiling& tiling, const Cursor& at);
  void EmitTiles(llvm::ArrayRef<Span> spans, llvm::ArrayRef<Span> parts, const Cursor& at, Leaf leaf);

  llvm::Function* function_;
  Builder& b_;
  const Nest& nest_;
  Lowering lowering_;
  RowEmitter rows_;
  TransposeEmitter transposes_;
  std::map<int, Value*> counts_;
};

// The run-time extents are read at the entry, once.
Span KernelEmitter::Whole(const Loop& loop) {
  if (loop.constant()) return {loop, b_.getInt64(loop.extent)};
  Value*& count = counts_[loop.parameter];
  if (!count) {
    Builder::InsertPointGuard guard(b_);
    b_.SetInsertPoint(&function_->getEntryBlock(), function_->getEntryBlock().getFirstInsertionPt());
    Value* place = b_.CreateConstGEP1_64(b_.getInt64Ty(), function_->getArg(2), loop.parameter);
    count = b_.CreateNSWMul(b_.CreateLoad(b_.getInt64Ty(), place), b_.getInt64(loop.extent));
  }
  return {loop, count};
}

// The part of `whole` within a tile that has `size` of it at most.
Span KernelEmitter::Part(const Span& whole, int64_t size) {
  if (whole.loop.constant() || size == 1) return {whole.loop, b_.getInt64(size)};
  return {whole.loop, Lesser(b_, whole.count, b_.getInt64(size))};
}

void KernelEmitter::EmitNest(llvm::ArrayRef<Span> spans, const Cursor& at, Leaf leaf) {
  if (spans.empty()) return leaf(at);
  EmitLoop(b_, spans.front().count, [&](Value* index) {
    EmitNest(spans.drop_front(), Advance(b_, at, spans.front().loop, index), leaf);
  });
}

void KernelEmitter::EmitPlain(llvm::ArrayRef<Span> spans, const Cursor& at) {
  if (spans.empty()) return rows_.EmitRow({{1, -1, nest_.in_width, nest_.out_width, 0}, b_.getInt64(1)}, at);
  const Span& row = spans.back();
  std::optional<int64_t> length = ConstantOf(row.count);
  EmitNest(spans.drop_back(), at, [&](const Cursor& start) {
    bool slow = !lowering_.key.chain.empty() && row.loop.in == nest_.in_width;
    if (slow && spans.size() > 1 && length) {
      Value* next = Offset(b_, start.in, b_.getInt64(1), spans[spans.size() - 2].loop.in);
      EmitPrefetch(b_, next, std::min(*length * nest_.in_width, kLongestPrefetch));
    }
    rows_.EmitRow(row, start);
  });
}

void KernelEmitter::EmitTiles(llvm::ArrayRef<Span> spans, llvm::ArrayRef<Span> parts, const Cursor& at, Leaf leaf) {
  if (spans.empty()) return leaf(at);
  EmitBlocks(b_, spans.front().count, parts.front().count, [&](Value* index) {
    EmitTiles(spans.drop_front(), parts.drop_front(), Advance(b_, at, spans.front().loop, index), leaf);
  });
}

void KernelEmitter::EmitTiled(llvm::ArrayRef<Span> spans, const Tiling& tiling, const Cursor& at) {
  std::vector<Span> parts, within, around_pair;
  for (int i = 0; i < static_cast<int>(spans.size()); ++i) {
    parts.push_back(Part(spans[i], tiling.size[i]));
    if (tiling.size[i] == 1) continue;
    within.push_back(parts.back());
    if (!std::ranges::count(tiling.row, i) && !std::ranges::count(tiling.column, i)) around_pair.push_back(parts.back());
  }
  auto plain = [&] { EmitTiles(spans, parts, at, [&](const Cursor& tile) { EmitPlain(within, tile); }); };
  if (tiling.row.empty()) return plain();
  auto fuse = [&](const std::vector<int>& loops) {
    std::vector<Span> fused;
    for (int i : loops) fused.push_back(parts[i]);
    return Fuse(b_, fused);
  };
  Fused row = fuse(tiling.row), column = fuse(tiling.column);
  int64_t side = transposes_.SideFor(row, column);
  if (side < 4) {
    std::ranges::stable_sort(within, {}, [](const Span& span) { return ConstantOf(span.count).value_or(INT64_MAX); });
    return plain();
  }
  auto transposed = [&] {
    EmitTiles(spans, parts, at, [&](const Cursor& tile) {
      EmitNest(around_pair, tile, [&](const Cursor& square) { transposes_.EmitTile(row, column, square); });
    });
  };
  Value* shorter = Lesser(b_, row.count, column.count);
  EmitIf(b_, b_.CreateICmpSGE(shorter, b_.getInt64(side)), transposed, plain);
}

void KernelEmitter::Emit() {
  Cursor start{function_->getArg(0), function_->getArg(1), nullptr};
  for (const ValueStep& step : lowering_.key.chain) {
    if (step.kind == ValueStep::Kind::kNormalize) start.table = function_->getArg(3);
  }
  std::vector<Span> spans;
  for (const Loop& loop : nest_.loops) spans.push_back(Whole(loop));
  if (std::optional<Tiling> tiling = MakeTiling(nest_)) {
    EmitTiled(spans, *tiling, start);
  } else {
    EmitPlain(spans, start);
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
