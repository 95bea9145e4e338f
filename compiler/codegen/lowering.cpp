// A key becomes one function: loops around one of two leaves. A row is the innermost loop; where bits are moved and
// both sides are contiguous it is a memcpy, else vectors of elements (rows.h). A square is a piece of two loops that
// are transposed, turned around in registers (transpose.h).
//
// Example: bf16 [? in 1 out 4096] [4096 in 11008 out 1], some rows of a transpose. Both strides of one element are
// there, on different loops, so they are a transposed pair, and are cut into tiles of 128 x 128 (nest.h). With
// registers of 64 bytes, that is of 32 elements:
//
//     n = extents[0], tile = min(n, 128)
//     if (tile >= 32)
//       for (i = 0; i < n; i += tile)         from min(i, n - tile)
//         for (j = 0; j < 4096; j += 128)
//           for (k = 0; k < tile; k += 32)    from min(k, tile - 32)
//             for (l = 0; l < 128; l += 32)
//               transpose 32 x 32 elements
//     else
//       for ..., for ...                      the same tiles,
//         for (k = 0; k < tile; ++k)          one row
//           for (l = 0; l < 128; l += 8)      after the other
//             gather 8 elements, store them
//     return flags                            none: bits are moved
//
// No loop has a remainder: where a count is no multiple of the step, the last step is moved back to end with the loop,
// and writes some elements twice. What is constant in the key is constant here, down to which of the branches exist.
#include "compiler/codegen/lowering.h"

#include <llvm/IR/Module.h>

#include <algorithm>

#include "compiler/codegen/rows.h"
#include "compiler/codegen/transpose.h"
#include "compiler/core/check.h"

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
constexpr int64_t kSmallestSquare = 4;      // elements on a side; smaller ones are no faster than rows

class KernelEmitter {
 public:
  KernelEmitter(llvm::Function* function, Builder& b, const KernelKey& key, const Nest& nest, unsigned vector_bytes)
      : function_(function),
        b_(b),
        nest_(nest),
        lowering_{b, key, nest, vector_bytes},
        rows_(lowering_),
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
  Fused FusePart(llvm::ArrayRef<Span> parts, const std::vector<int>& loops);

  llvm::Function* function_;
  Builder& b_;
  const Nest& nest_;
  Lowering lowering_;
  RowEmitter rows_;
  TransposeEmitter transposes_;
};

Span KernelEmitter::Whole(const Loop& loop) {
  if (loop.constant()) return {loop, b_.getInt64(loop.extent)};
  Value* place = b_.CreateConstGEP1_64(b_.getInt64Ty(), function_->getArg(2), loop.parameter);
  return {loop, b_.CreateNSWMul(b_.CreateLoad(b_.getInt64Ty(), place), b_.getInt64(loop.extent))};
}

// The part of `whole` within a tile that has `size` of it at most.
Span KernelEmitter::Part(const Span& whole, int64_t size) {
  if (whole.loop.constant() || size == 1) return {whole.loop, b_.getInt64(size)};
  return {whole.loop, Lesser(b_, whole.count, b_.getInt64(size))};
}

void KernelEmitter::EmitNest(llvm::ArrayRef<Span> spans, const Cursor& at, Leaf leaf) {
  if (spans.empty()) return leaf(at);
  EmitLoop(b_, spans.front().count,
           [&](Value* index) { EmitNest(spans.drop_front(), Advance(b_, at, spans.front().loop, index), leaf); });
}

// Plain loops around rows. Where rows are converted, the start of the next one is fetched early.
void KernelEmitter::EmitPlain(llvm::ArrayRef<Span> spans, const Cursor& at) {
  if (spans.empty()) return rows_.EmitRow({{1, -1, nest_.in_width, nest_.out_width, 0}, b_.getInt64(1)}, at);
  const Span& row = spans.back();
  std::optional<int64_t> length = ConstantOf(row.count);
  bool early = !lowering_.key.chain.empty() && row.loop.in == nest_.in_width && length && spans.size() > 1;
  EmitNest(spans.drop_back(), at, [&](const Cursor& start) {
    if (early) {
      Value* next = Offset(b_, start.in, b_.getInt64(1), spans[spans.size() - 2].loop.in);
      EmitPrefetch(b_, next, std::min(*length * nest_.in_width, kLongestPrefetch));
    }
    rows_.EmitRow(row, start);
  });
}

// Loops over tiles, whose sizes are the counts of `parts`.
void KernelEmitter::EmitTiles(llvm::ArrayRef<Span> spans, llvm::ArrayRef<Span> parts, const Cursor& at, Leaf leaf) {
  if (spans.empty()) return leaf(at);
  EmitBlocks(b_, spans.front().count, parts.front().count, [&](Value* index) {
    EmitTiles(spans.drop_front(), parts.drop_front(), Advance(b_, at, spans.front().loop, index), leaf);
  });
}

void KernelEmitter::EmitTiled(llvm::ArrayRef<Span> spans, const Tiling& tiling, const Cursor& at) {
  std::vector<Span> parts, within;
  for (size_t i = 0; i < spans.size(); ++i) {
    parts.push_back(Part(spans[i], tiling.size[i]));
    if (tiling.size[i] > 1) within.push_back(parts.back());
  }
  auto plain = [&] { EmitTiles(spans, parts, at, [&](const Cursor& tile) { EmitPlain(within, tile); }); };
  if (tiling.row.empty()) return plain();
  Fused row = FusePart(parts, tiling.row), column = FusePart(parts, tiling.column);
  int64_t side = transposes_.SideFor(row, column);
  if (side < kSmallestSquare) {  // such a pair is best walked along its longer loop
    std::ranges::stable_sort(within, {}, [](const Span& span) { return ConstantOf(span.count).value_or(INT64_MAX); });
    return plain();
  }
  std::vector<Span> around;
  for (int i = 0; i < static_cast<int>(spans.size()); ++i) {
    bool of_pair = std::ranges::count(tiling.row, i) || std::ranges::count(tiling.column, i);
    if (tiling.size[i] > 1 && !of_pair) around.push_back(parts[i]);
  }
  auto squares = [&] {
    EmitTiles(spans, parts, at, [&](const Cursor& tile) {
      EmitNest(around, tile, [&](const Cursor& pair) { transposes_.EmitTile(row, column, pair); });
    });
  };
  Value* shorter = Lesser(b_, row.count, column.count);
  EmitIf(b_, b_.CreateICmpSGE(shorter, b_.getInt64(side)), squares, plain);
}

Fused KernelEmitter::FusePart(llvm::ArrayRef<Span> parts, const std::vector<int>& loops) {
  std::vector<Span> chosen;
  for (int i : loops) chosen.push_back(parts[i]);
  return Fuse(b_, chosen);
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

// Before any IR exists, which a failing check would leave behind.
void CheckKey(const KernelKey& key) {
  DType stored = key.in;
  for (const ValueStep& step : key.chain) {
    AOA_CHECK(step.kind != ValueStep::Kind::kMean, "a mean needs all replicas");
    if (step.kind == ValueStep::Kind::kCast) stored = step.to;
  }
  AOA_CHECK(stored == key.out, ToString(key));
  AOA_CHECK(key.chain.empty() || key.chain.back().kind == ValueStep::Kind::kCast, "a chain ends in a cast");
}

}  // namespace

llvm::Function* LowerKernel(llvm::Module& module, const KernelKey& key, const std::string& name,
                            unsigned vector_bytes) {
  CheckKey(key);
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
