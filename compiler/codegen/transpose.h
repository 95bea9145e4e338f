// A transposed pair of loops: one walks the input element by element, the other the output.
#pragma once

#include "compiler/codegen/rows.h"

namespace aoa::codegen {

// Moves tiles of a transposed pair with vector registers.
class TransposeEmitter {
 public:
  TransposeEmitter(const Lowering& lowering, RowEmitter& rows) : l_(lowering), b_(lowering.b), rows_(rows) {}

  // Elements on a side of the squares that `row` and `column` are cut into; less than 4: not worth it.
  int64_t SideFor(const Span& row, const Span& column) const;

  // The counts are at least SideFor(row, column).
  void EmitTile(const Span& row, const Span& column, const Cursor& at);

 private:
  using Vectors = llvm::SmallVector<llvm::Value*, 16>;
  void EmitSquare(unsigned side, const Loop& row, const Loop& column, const Cursor& at);
  void Prefetch(llvm::Value* from, int64_t bytes);
  llvm::Value* Convert(unsigned side, const Loop& row, const Loop& column, const Cursor& at);

  const Lowering& l_;
  Builder& b_;
  RowEmitter& rows_;
};

}  // namespace aoa::codegen
