// A transposed pair of loops: one walks the input element by element, the other the output.
#pragma once

#include "compiler/codegen/rows.h"

namespace aoa::codegen {

// Moves tiles of a transposed pair with vector registers.
class TransposeEmitter {
 public:
  TransposeEmitter(const Lowering& lowering, RowEmitter& rows) : l_(lowering), b_(lowering.b), rows_(rows) {}

  // Elements on a side of the squares that `row` and `column` are cut into: as many as a register holds, or fewer.
  int64_t SideFor(const Fused& row, const Fused& column) const;

  // The counts are at least SideFor(row, column).
  void EmitTile(const Fused& row, const Fused& column, const Cursor& at);

 private:
  // A square of a tile: from these indices of the fused loops, which start at `tile`.
  struct Square {
    unsigned side;
    const Fused& row;
    const Fused& column;
    llvm::Value* row_index;
    llvm::Value* column_index;
    Cursor tile;
  };
  // Vectors in memory: the place of the n-th.
  using Places = llvm::function_ref<llvm::Value*(llvm::Value* n)>;

  void EmitSquare(const Square& square);
  void Convert(const Square& square, llvm::Value* to);
  void TransposeGroups(unsigned side, Places from, Places to);
  void TransposeLanesOf(unsigned side, Places from, Places to);

  const Lowering& l_;
  Builder& b_;
  RowEmitter& rows_;
};

}  // namespace aoa::codegen
