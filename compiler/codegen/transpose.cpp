// A square of `side` x `side` elements is transposed in vector registers, `side` elements in each. Registers are made of
// lanes of 16 bytes, and shuffles within lanes are the cheap ones, so it happens in two steps. With u16 and registers of
// 64 bytes: side = 32, 4 lanes of 8 elements.
//
//   1. Take 8 rows of the input. Interleave register i with register i + 4, low and high halves of each lane apart
//      (punpcklwd, punpckhwd), three times: this transposes the 8 x 8 block in each lane. Lane l of register k now holds
//      column 8 l + k, of these 8 rows. Do so for 4 groups of rows.
//   2. Take register k of each group: lane l of group g must become lane g of column 8 l + k. That is a 4 x 4 transpose of
//      whole lanes: even lanes of each pair of registers to the front, odd ones to the back (vshufi64x2), twice. Each
//      register now is a whole column, and is stored as a run of the output.
//
// A chain of value steps is computed first, row by row, into a square of the stack that lies in L1.
#include "compiler/codegen/transpose.h"

#include <algorithm>
#include <bit>

namespace aoa::codegen {
namespace {

using llvm::Align;
using llvm::SmallVector;
using llvm::Value;

constexpr unsigned kLaneBytes = 16;

// The elements that `first` + c and so on pick from the concatenation of two vectors: for each lane of `lane` elements
// half of the one's and half of the other's, by turns.
SmallVector<int, 64> InterleaveMask(unsigned side, unsigned lane, unsigned first) {
  SmallVector<int, 64> mask;
  for (unsigned l = 0; l < side; l += lane) {
    for (unsigned e = 0; e < lane / 2; ++e) {
      mask.push_back(l + first + e);
      mask.push_back(side + l + first + e);
    }
  }
  return mask;
}

// Every other lane of two vectors, from lane `first` on.
SmallVector<int, 64> AlternateMask(unsigned side, unsigned lane, unsigned first) {
  SmallVector<int, 64> mask;
  for (unsigned l = first * lane; l < 2 * side; l += 2 * lane) {
    for (unsigned e = 0; e < lane; ++e) mask.push_back(l + e);
  }
  return mask;
}

// Transposes the square blocks that rows make in each lane.
void TransposeWithinLanes(Builder& b, unsigned side, llvm::SmallVectorImpl<Value*>& rows) {
  size_t n = rows.size();
  auto low = InterleaveMask(side, n, 0), high = InterleaveMask(side, n, n / 2);
  for (size_t stage = 1; stage < n; stage *= 2) {
    SmallVector<Value*, 16> next;
    for (size_t i = 0; i < n / 2; ++i) {
      next.push_back(b.CreateShuffleVector(rows[i], rows[i + n / 2], low));
      next.push_back(b.CreateShuffleVector(rows[i], rows[i + n / 2], high));
    }
    rows = next;
  }
}

// Transposes a square of whole lanes.
void TransposeLanes(Builder& b, unsigned side, llvm::SmallVectorImpl<Value*>& rows) {
  size_t n = rows.size();
  auto even = AlternateMask(side, side / n, 0), odd = AlternateMask(side, side / n, 1);
  for (size_t stage = 1; stage < n; stage *= 2) {
    SmallVector<Value*, 16> next(n);
    for (size_t i = 0; i < n / 2; ++i) {
      next[i] = b.CreateShuffleVector(rows[2 * i], rows[2 * i + 1], even);
      next[i + n / 2] = b.CreateShuffleVector(rows[2 * i], rows[2 * i + 1], odd);
    }
    rows = next;
  }
}

}  // namespace

int64_t TransposeEmitter::SideFor(const Loop& row, const Loop& column) const {
  int64_t width = l_.nest.out_width;
  if (width > 8) return 1;
  uint64_t side = std::min({l_.vector_bytes / width, row.extent, column.extent});
  return std::bit_floor(side);
}

void TransposeEmitter::EmitTile(const Loop& row, const Loop& column, const Cursor& at) {
  int64_t side = SideFor(row, column);
  EmitBlocks(b_, b_.getInt64(row.extent), side, [&](Value* i) {
    Cursor strip = Advance(b_, at, row, i);
    EmitBlocks(b_, b_.getInt64(column.extent), side,
               [&](Value* j) { EmitSquare(side, row, column, Advance(b_, strip, column, j)); });
  });
}

// Runs the chain over the square; the result is contiguous.
Value* TransposeEmitter::Convert(unsigned side, const Loop& row, const Loop& column, const Cursor& at) {
  int64_t width = l_.nest.out_width;
  Value* square = l_.Scratch(llvm::ArrayType::get(b_.getInt8Ty(), side * side * width), "converted");
  Loop to_row{side, -1, row.in, width, row.table}, to_column{side, -1, column.in, side * width, column.table};
  EmitLoop(b_, b_.getInt64(side), 1, [&](Value* i) {
    rows_.EmitRow(to_row, b_.getInt64(side), Advance(b_, {at.in, square, at.table}, to_column, i));
  });
  return square;
}

void TransposeEmitter::EmitSquare(unsigned side, const Loop& row, const Loop& column, const Cursor& at) {
  unsigned width = l_.nest.out_width, in_lane = std::min(side, kLaneBytes / width), lanes = side / in_lane;
  llvm::Type* type = llvm::FixedVectorType::get(b_.getIntNTy(8 * width), side);
  Value* from = at.in;
  int64_t stride = column.in;
  if (!l_.key.chain.empty()) {
    from = Convert(side, row, column, at);
    stride = side * width;
  }
  int64_t vector = side * width;
  Value* groups = lanes > 1 ? l_.Scratch(llvm::ArrayType::get(b_.getInt8Ty(), side * vector), "groups") : nullptr;
  EmitLoop(b_, b_.getInt64(lanes), 1, [&](Value* g) {
    Vectors rows;
    for (unsigned i = 0; i < in_lane; ++i) {
      Value* r = b_.CreateAdd(b_.CreateMul(g, b_.getInt64(in_lane)), b_.getInt64(i));
      rows.push_back(b_.CreateAlignedLoad(type, Offset(b_, from, r, stride), Align(1)));
    }
    TransposeWithinLanes(b_, side, rows);
    for (unsigned k = 0; k < in_lane; ++k) {
      if (!groups) {
        b_.CreateAlignedStore(rows[k], Offset(b_, at.out, b_.getInt64(k), row.out), Align(1));
        continue;
      }
      Value* place = b_.CreateAdd(b_.getInt64(k * lanes), g);
      b_.CreateAlignedStore(rows[k], Offset(b_, groups, place, vector), Align(1));
    }
  });
  if (!groups) return;
  EmitLoop(b_, b_.getInt64(in_lane), 1, [&](Value* k) {
    Vectors rows;
    for (unsigned g = 0; g < lanes; ++g) {
      Value* place = b_.CreateAdd(b_.CreateMul(k, b_.getInt64(lanes)), b_.getInt64(g));
      rows.push_back(b_.CreateAlignedLoad(type, Offset(b_, groups, place, vector), Align(1)));
    }
    TransposeLanes(b_, side, rows);
    for (unsigned l = 0; l < lanes; ++l) {
      Value* c = b_.CreateAdd(b_.getInt64(l * in_lane), k);
      b_.CreateAlignedStore(rows[l], Offset(b_, at.out, c, row.out), Align(1));
    }
  });
}

}  // namespace aoa::codegen
