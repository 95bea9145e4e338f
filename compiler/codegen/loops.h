// Loops as LLVM IR, and the place in both buffers that they move.
#pragma once

#include <llvm/ADT/STLFunctionalExtras.h>
#include <llvm/IR/IRBuilder.h>

#include <optional>

#include "compiler/codegen/nest.h"

namespace aoa::codegen {

using Builder = llvm::IRBuilder<>;

// A loop, and how often it runs here: its whole extent, or a part of it within a tile.
struct Span {
  Loop loop;
  llvm::Value* count = nullptr;
};

// Loops, outermost first, as one whose index counts through all of them; all but the first have constant counts.
struct Fused {
  llvm::SmallVector<Span, 2> spans;
  llvm::Value* count = nullptr;
};
Fused Fuse(Builder& b, llvm::ArrayRef<Span> spans);

// Where the current element is read and written, and its divisor where there are any (else null).
struct Cursor {
  llvm::Value* in = nullptr;
  llvm::Value* out = nullptr;
  llvm::Value* table = nullptr;
};

// The place `index` (i64) iterations of `loop` further.
Cursor Advance(Builder& b, const Cursor& at, const Loop& loop, llvm::Value* index);
Cursor Advance(Builder& b, Cursor at, const Fused& loops, llvm::Value* index);

// `base` plus `index` times `stride` bytes.
llvm::Value* Offset(Builder& b, llvm::Value* base, llvm::Value* index, int64_t stride);

// The value of a constant, or nothing.
std::optional<int64_t> ConstantOf(const llvm::Value* value);

// The lesser of two i64.
llvm::Value* Lesser(Builder& b, llvm::Value* one, llvm::Value* other);

using Body = llvm::function_ref<void(llvm::Value* index)>;

// for (index = 0; index < count; index += step) body(index);
void EmitLoop(Builder& b, llvm::Value* count, llvm::Value* step, Body body);
void EmitLoop(Builder& b, llvm::Value* count, Body body);  // step 1

// body(start) for blocks of `size` that cover 0..count-1, where count >= size. The last block is moved back to end at
// `count`: it may repeat a part of the one before, which does no harm to a copy, and saves the code for a remainder.
void EmitBlocks(Builder& b, llvm::Value* count, llvm::Value* size, Body body);

// if (condition) then() else otherwise(). A constant condition leaves one of them.
void EmitIf(Builder& b, llvm::Value* condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);

// Asks for `bytes` that will be read soon. Arithmetic leaves a processor no room to run ahead, and its own prefetching
// does not find a row in another page: on rows of 128 bytes, 4 KiB apart, 0.3 GB/s of casts become 2.5. Places beyond
// the end of the buffer do no harm.
void EmitPrefetch(Builder& b, llvm::Value* from, int64_t bytes);

}  // namespace aoa::codegen
