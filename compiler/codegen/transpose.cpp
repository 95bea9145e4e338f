// A square of `side` x `side` elements is transposed in vector registers, `side` elements in each. Registers are made of
// lanes of 16 bytes, and shuffles within lanes are the cheap ones, so it happens in two steps. With u16 and registers of
// 64 bytes: side = 32, 4 lanes of 8 elements.
//
//   1. Take 8 rows of the input. Interleave neighbours, the lower and the upper halves of each lane apart: element by
//      element (punpcklwd, punpckhwd), then by pairs (punpckldq), then by fours. This transposes the 8 x 8 block in each
//      lane: lane l of register k now holds column 8 l + k, of these 8 rows. Do so for 4 groups of rows.
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
using llvm::SmallVectorImpl;
using llvm::Value;

constexpr unsigned kLaneBytes = 16;
constexpr int64_t kCacheLine = 64;

// Vectors of `bytes` as such of integers of `unit` bytes.
llvm::Type* VectorOf(Builder& b, unsigned bytes, unsigned unit) {
  return llvm::FixedVectorType::get(b.getIntNTy(8 * unit), bytes / unit);
}

// Lane by lane, the lower or the upper halves of two vectors, unit by unit by turns.
Value* Interleave(Builder& b, Value* one, Value* other, unsigned lane, bool upper) {
  SmallVector<int, 64> mask;
  unsigned all = llvm::cast<llvm::FixedVectorType>(one->getType())->getNumElements();
  for (unsigned start = upper ? lane / 2 : 0; start < all; start += lane) {
    for (unsigned i = start; i < start + lane / 2; ++i) mask.append({static_cast<int>(i), static_cast<int>(all + i)});
  }
  return b.CreateShuffleVector(one, other, mask);
}

// Every other lane of two vectors, the even or the odd ones.
Value* Alternate(Builder& b, Value* one, Value* other, unsigned lane, bool odd) {
  SmallVector<int, 64> mask;
  unsigned all = llvm::cast<llvm::FixedVectorType>(one->getType())->getNumElements();
  for (unsigned start = odd ? lane : 0; start < 2 * all; start += 2 * lane) {
    for (unsigned i = start; i < start + lane; ++i) mask.push_back(i);
  }
  return b.CreateShuffleVector(one, other, mask);
}

// Transposes the square that the rows make in each lane. After a stage with units of u elements register r * u + c holds
// rows r * u to r * u + u - 1, and of each lane the c-th of u parts of the columns.
void TransposeWithinLanes(Builder& b, unsigned bytes, unsigned width, SmallVectorImpl<Value*>& rows) {
  unsigned n = rows.size();
  for (unsigned u = 1; u < n; u *= 2) {
    llvm::Type* type = VectorOf(b, bytes, u * width);
    SmallVector<Value*, 16> next(n);
    for (unsigned r = 0; r < n; r += 2 * u) {
      for (unsigned c = 0; c < u; ++c) {
        Value* one = b.CreateBitCast(rows[r + c], type);
        Value* other = b.CreateBitCast(rows[r + u + c], type);
        next[r + 2 * c] = Interleave(b, one, other, n / u, false);
        next[r + 2 * c + 1] = Interleave(b, one, other, n / u, true);
      }
    }
    rows = next;
  }
}

// Transposes a square of whole lanes, given as vectors of halves of lanes.
void TransposeLanes(Builder& b, SmallVectorImpl<Value*>& rows) {
  size_t n = rows.size();
  for (size_t stage = 1; stage < n; stage *= 2) {
    SmallVector<Value*, 16> next(n);
    for (size_t i = 0; i < n / 2; ++i) {
      next[i] = Alternate(b, rows[2 * i], rows[2 * i + 1], 2, false);
      next[i + n / 2] = Alternate(b, rows[2 * i], rows[2 * i + 1], 2, true);
    }
    rows = next;
  }
}

}  // namespace

int64_t TransposeEmitter::SideFor(const Span& row, const Span& column) const {
  int64_t width = l_.nest.out_width;
  if (width > 8) return 1;
  int64_t side = l_.vector_bytes / width;
  for (const Span& span : {row, column}) side = std::min(side, ConstantOf(span.count).value_or(side));
  return std::bit_floor(static_cast<uint64_t>(side));
}

void TransposeEmitter::EmitTile(const Span& row, const Span& column, const Cursor& at) {
  int64_t side = SideFor(row, column);
  EmitBlocks(b_, row.count, b_.getInt64(side), [&](Value* i) {
    Cursor strip = Advance(b_, at, row.loop, i);
    EmitBlocks(b_, column.count, b_.getInt64(side),
               [&](Value* j) { EmitSquare(side, row.loop, column.loop, Advance(b_, strip, column.loop, j)); });
  });
}

// Arithmetic on one row leaves the processor no room to run ahead to the next, in another page, so its hardware prefetches
// nothing: measured on rows of 128 bytes, 0.3 GB/s become 2.5. Beyond the end of the buffer a prefetch does nothing.
void TransposeEmitter::Prefetch(Value* from, int64_t bytes) {
  for (int64_t i = 0; i < bytes + kCacheLine; i += kCacheLine) {
    Value* place = b_.CreateConstGEP1_64(b_.getInt8Ty(), from, std::min(i, bytes - 1));
    b_.CreateIntrinsic(llvm::Intrinsic::prefetch, {place->getType()},
                       {place, b_.getInt32(0), b_.getInt32(3), b_.getInt32(1)});
  }
}

// Runs the chain over the square; the result is contiguous.
Value* TransposeEmitter::Convert(unsigned side, const Loop& row, const Loop& column, const Cursor& at) {
  int64_t width = l_.nest.out_width;
  Value* square = l_.Scratch(llvm::ArrayType::get(b_.getInt8Ty(), side * side * width), "converted");
  Loop to_row{side, -1, row.in, width, row.table}, to_column{side, -1, column.in, side * width, column.table};
  EmitLoop(b_, b_.getInt64(side), [&](Value* i) {
    Prefetch(Offset(b_, at.in, b_.CreateAdd(i, b_.getInt64(side)), column.in), side * l_.nest.in_width);
    rows_.EmitRow({to_row, b_.getInt64(side)}, Advance(b_, {at.in, square, at.table}, to_column, i));
  });
  return square;
}

void TransposeEmitter::EmitSquare(unsigned side, const Loop& row, const Loop& column, const Cursor& at) {
  unsigned width = l_.nest.out_width, in_lane = std::min(side, kLaneBytes / width), lanes = side / in_lane;
  Value* from = at.in;
  int64_t stride = column.in;
  if (!l_.key.chain.empty()) {
    from = Convert(side, row, column, at);
    stride = side * width;
  }
  int64_t vector = side * width;
  llvm::Type* type = VectorOf(b_, vector, width);
  Value* groups = lanes > 1 ? l_.Scratch(llvm::ArrayType::get(b_.getInt8Ty(), side * vector), "groups") : nullptr;
  EmitLoop(b_, b_.getInt64(lanes), [&](Value* g) {
    Vectors rows;
    for (unsigned i = 0; i < in_lane; ++i) {
      Value* r = b_.CreateAdd(b_.CreateMul(g, b_.getInt64(in_lane)), b_.getInt64(i));
      rows.push_back(b_.CreateAlignedLoad(type, Offset(b_, from, r, stride), Align(1)));
    }
    TransposeWithinLanes(b_, vector, width, rows);
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
  type = VectorOf(b_, vector, kLaneBytes / 2);
  EmitLoop(b_, b_.getInt64(in_lane), [&](Value* k) {
    Vectors rows;
    for (unsigned g = 0; g < lanes; ++g) {
      Value* place = b_.CreateAdd(b_.CreateMul(k, b_.getInt64(lanes)), b_.getInt64(g));
      rows.push_back(b_.CreateAlignedLoad(type, Offset(b_, groups, place, vector), Align(1)));
    }
    TransposeLanes(b_, rows);
    for (unsigned l = 0; l < lanes; ++l) {
      Value* c = b_.CreateAdd(b_.getInt64(l * in_lane), k);
      b_.CreateAlignedStore(rows[l], Offset(b_, at.out, c, row.out), Align(1));
    }
  });
}

}  // namespace aoa::codegen
