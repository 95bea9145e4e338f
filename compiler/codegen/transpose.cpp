// A square of `side` x `side` elements is transposed in vector registers, `side` elements in each. Registers are made
// of lanes of 16 bytes, and shuffles within lanes are the cheap ones, so it happens in two steps. With u16 and
// registers of 64 bytes: side = 32, 4 lanes of 8 elements.
//
//   1. Take 8 rows of the input. Interleave neighbours, the lower and the upper halves of each lane apart: element by
//      element (punpcklwd, punpckhwd), then by pairs (punpckldq), then by fours. This transposes the 8 x 8 block in
//      each lane: lane l of register k now holds column 8 l + k, of these 8 rows. Do so for 4 groups of rows.
//   2. Take register k of each group: lane l of group g must become lane g of column 8 l + k. That is a 4 x 4 transpose
//   of
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

// Transposes the square that the rows make in each lane. After a stage with units of u elements register r * u + c
// holds rows r * u to r * u + u - 1, and of each lane the c-th of u parts of the columns.
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

int64_t TransposeEmitter::SideFor(const Fused& row, const Fused& column) const {
  int64_t width = l_.nest.out_width;
  if (width > 8) return 1;
  int64_t side = l_.vector_bytes / width;
  for (Value* count : {row.count, column.count}) side = std::min(side, ConstantOf(count).value_or(side));
  return std::bit_floor(static_cast<uint64_t>(side));
}

void TransposeEmitter::EmitTile(const Fused& row, const Fused& column, const Cursor& at) {
  unsigned side = SideFor(row, column);
  EmitBlocks(b_, row.count, b_.getInt64(side), [&](Value* i) {
    EmitBlocks(b_, column.count, b_.getInt64(side), [&](Value* j) { EmitSquare({side, row, column, i, j, at}); });
  });
}

void TransposeEmitter::EmitSquare(const Square& s) {
  int64_t bytes = s.side * l_.nest.out_width;  // of a row
  auto scratch = [&](const char* name) {
    Value* memory = l_.Scratch(llvm::ArrayType::get(b_.getInt8Ty(), s.side * bytes), name);
    return [this, memory, bytes](Value* n) { return Offset(b_, memory, n, bytes); };
  };
  Cursor first_row = Advance(b_, s.tile, s.row, s.row_index),
         first_column = Advance(b_, s.tile, s.column, s.column_index);
  auto input = [&](Value* n) { return Advance(b_, first_row, s.column, b_.CreateNSWAdd(s.column_index, n)).in; };
  auto output = [&](Value* n) { return Advance(b_, first_column, s.row, b_.CreateNSWAdd(s.row_index, n)).out; };
  auto transpose = [&](Places from) {
    if (bytes <= kLaneBytes) return TransposeGroups(s.side, from, output);
    auto groups = scratch("groups");
    TransposeGroups(s.side, from, groups);
    TransposeLanesOf(s.side, groups, output);
  };
  if (l_.key.chain.empty()) return transpose(input);
  auto converted = scratch("converted");
  Convert(s, converted(b_.getInt64(0)));
  transpose(converted);
}

// Runs the chain over the square, row by row; the result is contiguous.
void TransposeEmitter::Convert(const Square& s, Value* to) {
  int64_t width = l_.nest.out_width;
  const Loop& along = s.row.spans.back().loop;
  Span row{{s.side, -1, along.in, width, along.table}, b_.getInt64(s.side)};
  Cursor first = Advance(b_, s.tile, s.row, s.row_index);
  EmitLoop(b_, row.count, [&](Value* n) {
    Value* index = b_.CreateNSWAdd(s.column_index, n);
    Cursor at = Advance(b_, first, s.column, index);
    at.out = Offset(b_, to, n, s.side * width);
    EmitPrefetch(b_, Advance(b_, first, s.column, b_.CreateNSWAdd(index, row.count)).in, s.side * l_.nest.in_width);
    rows_.EmitRow(row, at);
  });
}

// Step 1. Where a vector has several lanes the results of all groups for one place in the lanes follow each other.
void TransposeEmitter::TransposeGroups(unsigned side, Places from, Places to) {
  unsigned width = l_.nest.out_width, bytes = side * width;
  unsigned lanes = std::max(1u, bytes / kLaneBytes), in_lane = side / lanes;
  EmitLoop(b_, b_.getInt64(lanes), [&](Value* group) {
    SmallVector<Value*, 16> rows;
    for (unsigned i = 0; i < in_lane; ++i) {
      Value* n = b_.CreateAdd(b_.CreateMul(group, b_.getInt64(in_lane)), b_.getInt64(i));
      rows.push_back(b_.CreateAlignedLoad(VectorOf(b_, bytes, width), from(n), Align(1)));
    }
    TransposeWithinLanes(b_, bytes, width, rows);
    for (unsigned i = 0; i < in_lane; ++i) {
      b_.CreateAlignedStore(rows[i], to(b_.CreateAdd(b_.getInt64(i * lanes), group)), Align(1));
    }
  });
}

// Step 2, from where step 1 left its results.
void TransposeEmitter::TransposeLanesOf(unsigned side, Places from, Places to) {
  unsigned bytes = side * l_.nest.out_width, lanes = bytes / kLaneBytes, in_lane = side / lanes;
  EmitLoop(b_, b_.getInt64(in_lane), [&](Value* place) {
    SmallVector<Value*, 16> rows;
    for (unsigned group = 0; group < lanes; ++group) {
      Value* n = b_.CreateAdd(b_.CreateMul(place, b_.getInt64(lanes)), b_.getInt64(group));
      rows.push_back(b_.CreateAlignedLoad(VectorOf(b_, bytes, kLaneBytes / 2), from(n), Align(1)));
    }
    TransposeLanes(b_, rows);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      b_.CreateAlignedStore(rows[lane], to(b_.CreateAdd(b_.getInt64(lane * in_lane), place)), Align(1));
    }
  });
}

}  // namespace aoa::codegen
