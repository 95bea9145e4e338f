// The one algebra of the compiler: strided boxes between linear spaces.
//
// A tensor is a linear space, the row-major numbers 0 .. n-1 of its elements. Every question that a conversion asks is
// about pairs of such numbers: which element of `wq` becomes which element of `linear_qkv`; which of them rank 3 holds,
// and at which place in its file; where a flattened optimizer window starts. All of these relations are made of
// *pieces*. A piece is a box of indices x_0 < n_0, x_1 < n_1, ... with one affine form on either side:
//
//     out = out_base + sum out_i * x_i          in = in_base + sum in_i * x_i
//
// Example. `q [(g r d) h]`, with g = 2, r = 3, d = 4, h = 5, into `qkv [(g (r + 1 + 1) d) h]` is one piece: digits
//     g: extent 2, in 60, out 100      r: extent 3, in 20, out 20      (d h): extent 20, in 1, out 1
// (d and h lie together on both sides, so they are one digit). k and v give one piece each, with out_base 60 and 80.
//
// Transposes are pieces whose digits stand in another order on the two sides; a cut by tensor parallelism restricts a
// digit to a range; a cut through groups restricts the affine form `out` to an interval, which `RestrictOut` turns into
// at most 2d - 1 boxes. Joining two relations over a common space (`Compose`) is what layouts, hubs and chains of
// statements need: both sides' digits of the common space are refined to a common set of digits. Where they refine (12
// = 3 * 4 against 12), that costs one piece; where they do not (3 * 4 against 4 * 3), the pieces meet by intervals.
//
// What an `in` number belongs to is the business of the piece's `source`: a relation may read several tensors. A third
// form, `table`, is carried along: where arithmetic needs a number per row (the norms of `normalize`), it says which.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace aoa {

// One index of a box. Strides are in elements and not negative. A stride of 0 repeats: every value of the index has the
// same number on that side.
struct Digit {
  int64_t extent = 1;
  int64_t out = 0;
  int64_t in = 0;
  int64_t table = 0;
  bool operator==(const Digit&) const = default;
};

struct Piece {
  static constexpr uint32_t kConstant = 0xFFFFFFFF;

  uint32_t source = 0;  // which of the relation's sources `in` numbers; kConstant: every element is `constant`
  uint32_t chain = 0;   // what happens to the value on the way; the owner of the relation knows what the number means
  int64_t out_base = 0;
  int64_t in_base = 0;  // for a constant: which constant (the owner knows)
  int64_t table_base = 0;
  std::vector<Digit> digits;
  bool operator==(const Piece&) const = default;
};

// Disjoint on the out side: no two pieces, and no two indices of a piece, have the same out number. (The in side may
// repeat: padding that repeats a row, a copy.)
using Relation = std::vector<Piece>;

// Number of elements of the box.
int64_t ElementCount(const Piece& piece);
int64_t ElementCount(const Relation& relation);

// Puts a piece into canonical form: no digit of extent 1; digits by falling out stride, then in stride; digits that
// continue each other on both sides are one. Equal boxes then compare equal.
void Canonicalize(Piece& piece);

// Canonical pieces, sorted by out_base, with neighbours that continue each other joined. Drops empty pieces.
void Canonicalize(Relation& relation);

// The same pairs with the sides exchanged.
Piece Invert(const Piece& piece);
Relation Invert(const Relation& relation);

// The elements with lo <= out < hi, as disjoint boxes in ascending order. Numbers stay as they are.
// At most 2d - 1 boxes if the out strides nest (each at least the span of all smaller ones), as those of a tensor do.
std::vector<Piece> RestrictOut(const Piece& piece, int64_t lo, int64_t hi);

// Splits a box by an interval of one of its forms: calls emit(first, count) for disjoint sub-boxes (the first index and
// the number of indices of every digit) that together hold the indices with lo <= sum stride_i * x_i < hi, in ascending
// order of the sum. Digits stand by falling stride. Works on any strides; with those of a tensor there are at most 2d -
// 1 sub-boxes.
struct FormDigit {
  int64_t extent = 1, stride = 0;
};
template <class Emit>
void SplitInterval(const std::vector<FormDigit>& digits, int64_t lo, int64_t hi, Emit emit);

// All (out of `b`, in of `a`) for which a's out equals b's in: a leads A -> M, b leads M -> B, the result A -> B.
// Both must nest on the M side (see RestrictOut); a stride of 0 in M is allowed in b only.
// `limit` bounds the number of boxes; beyond it the result is false and `result` is unspecified.
bool Compose(const Piece& a, const Piece& b, std::vector<Piece>& result, size_t limit);

// All pairs of pieces. The result's source is that of a, its chain `join(a.chain, b.chain)`. Pieces of b whose source
// is not `middle` do not take part (they read something else, or are constants); pieces of a that are constants stay
// constants, with their in_base.
template <class JoinChains>
bool Compose(const Relation& a, const Relation& b, uint32_t middle, JoinChains join, Relation& result, size_t limit);

// [lowest, highest] numbers of a side; the piece must not be empty.
struct Span {
  int64_t first = 0, last = 0;
};
Span OutSpan(const Piece& piece);
Span InSpan(const Piece& piece);

// "out 60 + 100 g.. <- in ..." : one line for dumps, e.g. `[60 +] 2*100 3*20 20*1 <- #0 [0 +] 60 20 1`.
std::string ToString(const Piece& piece);

// ---------------------------------------------------------------- implementation of the templates

namespace internal {

inline int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
inline int64_t CeilDiv(int64_t a, int64_t b) { return -FloorDiv(-a, b); }

// Digits are visited by falling stride, so a value of the first digits leaves the others free, excluded, or (for at
// most two values, if strides nest) in need of a further split.
template <class Emit>
class IntervalSplitter {
 public:
  IntervalSplitter(const std::vector<FormDigit>& digits, Emit& emit)
      : digits_(digits), emit_(emit), first_(digits.size(), 0), count_(digits.size(), 0), reach_(digits.size() + 1, 0) {
    for (size_t i = digits.size(); i-- > 0;) {
      reach_[i] = reach_[i + 1] + (digits[i].extent - 1) * digits[i].stride;
      count_[i] = digits[i].extent;
    }
  }

  // Emits the indices with lo <= sum of the digits from i < hi.
  void Split(size_t i, int64_t lo, int64_t hi) {
    if (hi <= 0 || lo > reach_[i]) return;
    if (lo <= 0 && hi > reach_[i]) {
      emit_(first_, count_);
      return;
    }
    int64_t step = digits_[i].stride, rest = reach_[i + 1];  // positive: a rest of zero strides is all in or all out
    int64_t begin = std::max<int64_t>(0, CeilDiv(lo - rest, step));                  // may reach lo
    int64_t end = std::min<int64_t>(digits_[i].extent, FloorDiv(hi - 1, step) + 1);  // may start below hi
    int64_t inner_begin = std::min(end, std::max(begin, CeilDiv(lo, step)));         // starts at lo or later
    int64_t inner_end = std::max(inner_begin, std::min(end, FloorDiv(hi - 1 - rest, step) + 1));  // ends below hi
    for (int64_t x = begin; x < inner_begin; ++x) Take(i, x, 1, lo - x * step, hi - x * step);
    if (inner_begin < inner_end) Take(i, inner_begin, inner_end - inner_begin, -1, rest + 1);
    for (int64_t x = inner_end; x < end; ++x) Take(i, x, 1, lo - x * step, hi - x * step);
  }

 private:
  void Take(size_t i, int64_t first, int64_t count, int64_t lo, int64_t hi) {
    first_[i] = first;
    count_[i] = count;
    Split(i + 1, lo, hi);
    first_[i] = 0;
    count_[i] = digits_[i].extent;
  }

  const std::vector<FormDigit>& digits_;
  Emit& emit_;
  std::vector<int64_t> first_, count_;
  std::vector<int64_t> reach_;  // the largest sum of the digits from i
};

}  // namespace internal

template <class Emit>
void SplitInterval(const std::vector<FormDigit>& digits, int64_t lo, int64_t hi, Emit emit) {
  for (const FormDigit& digit : digits) {
    if (digit.extent <= 0) return;
  }
  internal::IntervalSplitter<Emit>(digits, emit).Split(0, lo, hi);
}

template <class JoinChains>
bool Compose(const Relation& a, const Relation& b, uint32_t middle, JoinChains join, Relation& result, size_t limit) {
  std::vector<Piece> boxes;
  for (const Piece& second : b) {
    if (second.source != middle || ElementCount(second) == 0) continue;
    Span wanted = InSpan(second);
    for (const Piece& first : a) {
      if (ElementCount(first) == 0) continue;
      Span given = OutSpan(first);
      if (given.last < wanted.first || wanted.last < given.first) continue;
      boxes.clear();
      if (!Compose(first, second, boxes, limit - result.size())) return false;
      uint32_t chain = join(first.chain, second.chain);
      for (Piece& box : boxes) {
        box.source = first.source;
        box.chain = chain;
        if (first.source == Piece::kConstant) {
          box.in_base = first.in_base;
          for (Digit& digit : box.digits) digit.in = 0;
        }
        result.push_back(std::move(box));
      }
      if (result.size() > limit) return false;
    }
  }
  return true;
}

}  // namespace aoa
