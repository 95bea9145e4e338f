// The algebra against brute force: a piece is the set of its (out, in) pairs.
#include "compiler/core/index_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace aoa {
namespace {

using Pairs = std::map<int64_t, int64_t>;  // out -> in; a relation is a function of out

void Enumerate(const Piece& piece, size_t digit, int64_t out, int64_t in, Pairs& pairs) {
  if (digit == piece.digits.size()) {
    ASSERT_TRUE(pairs.emplace(out, in).second) << "out " << out << " twice in " << ToString(piece);
    return;
  }
  const Digit& d = piece.digits[digit];
  for (int64_t x = 0; x < d.extent; ++x) Enumerate(piece, digit + 1, out + x * d.out, in + x * d.in, pairs);
}

Pairs PairsOf(const Relation& relation) {
  Pairs pairs;
  for (const Piece& piece : relation) Enumerate(piece, 0, piece.out_base, piece.in_base, pairs);
  return pairs;
}

// A random box in a space of 0 .. size-1: nested strides, as those of a tensor's type.
struct Form {
  int64_t base = 0;
  std::vector<std::pair<int64_t, int64_t>> digits;  // (extent, stride), outermost first
};

Form RandomForm(std::mt19937& random, int rank, int64_t largest) {
  auto pick = [&](int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random); };
  Form form;
  form.base = pick(0, 6);
  int64_t span = 1;
  for (int i = 0; i < rank; ++i) {
    int64_t stride = pick(0, 2) == 0 ? span + pick(0, 3) : span;
    int64_t extent = pick(1, 5);
    if (stride * extent > largest) break;
    form.digits.insert(form.digits.begin(), {extent, stride});
    span = stride * (extent - 1) + span;
    span = std::max(span, stride);
  }
  return form;
}

// out is the form; in is another order of the same digits, dense.
Piece PieceOf(const Form& form, std::mt19937& random) {
  Piece piece;
  piece.out_base = form.base;
  piece.in_base = std::uniform_int_distribution<int64_t>(0, 9)(random);
  std::vector<size_t> order(form.digits.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  for (auto [extent, stride] : form.digits) piece.digits.push_back({extent, stride, 0});
  int64_t in = 1;
  for (size_t i : order) {
    piece.digits[i].in = in;
    in *= piece.digits[i].extent;
  }
  return piece;
}

TEST(IndexMap, CanonicalFormKeepsThePairs) {
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    Piece piece = PieceOf(RandomForm(random, 4, 400), random);
    Piece canonical = piece;
    Canonicalize(canonical);
    EXPECT_EQ(PairsOf({piece}), PairsOf({canonical}));
    Piece again = canonical;
    Canonicalize(again);
    EXPECT_EQ(canonical, again);
  }
}

TEST(IndexMap, ContinuedDigitsAndPiecesAreJoined) {
  Piece piece;
  piece.digits = {{3, 12, 12}, {4, 3, 3}, {3, 1, 1}};
  Canonicalize(piece);
  EXPECT_EQ(piece.digits, (std::vector<Digit>{{36, 1, 1}}));

  Relation halves;
  for (int64_t i = 0; i < 6; ++i) {
    Piece row;
    row.out_base = 10 * i;
    row.in_base = 7 * i + 3;
    row.digits = {{4, 1, 1}};
    halves.push_back(row);
  }
  Canonicalize(halves);
  ASSERT_EQ(halves.size(), 1u);
  EXPECT_EQ(halves[0].digits, (std::vector<Digit>{{6, 10, 7}, {4, 1, 1}}));
}

TEST(IndexMap, RelationsKeepTheirPairsWhenJoined) {
  std::mt19937 random(2);
  for (int i = 0; i < 3000; ++i) {
    Piece whole = PieceOf(RandomForm(random, 3, 200), random);
    Span span = OutSpan(whole);
    Relation parts;
    for (int64_t at = span.first; at <= span.last;) {  // cut in random intervals, then join again
      int64_t next = at + std::uniform_int_distribution<int64_t>(1, 20)(random);
      for (Piece& part : RestrictOut(whole, at, next)) parts.push_back(part);
      at = next;
    }
    Pairs expected = PairsOf({whole});
    EXPECT_EQ(PairsOf(parts), expected);
    Canonicalize(parts);
    EXPECT_EQ(PairsOf(parts), expected);
  }
}

TEST(IndexMap, RestrictionIsExactAndSmall) {
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    Piece piece = PieceOf(RandomForm(random, 4, 300), random);
    Canonicalize(piece);
    Span span = OutSpan(piece);
    int64_t lo = std::uniform_int_distribution<int64_t>(span.first - 3, span.last + 3)(random);
    int64_t hi = std::uniform_int_distribution<int64_t>(lo, span.last + 4)(random);
    Pairs expected;
    for (auto [out, in] : PairsOf({piece})) {
      if (lo <= out && out < hi) expected.emplace(out, in);
    }
    std::vector<Piece> parts = RestrictOut(piece, lo, hi);
    EXPECT_EQ(PairsOf(parts), expected);
    EXPECT_LE(parts.size(), std::max<size_t>(1, 2 * piece.digits.size()));
  }
}

TEST(IndexMap, InversionIsAnInvolution) {
  std::mt19937 random(4);
  for (int i = 0; i < 500; ++i) {
    Piece piece = PieceOf(RandomForm(random, 4, 300), random);
    Canonicalize(piece);
    Piece twice = Invert(Invert(piece));
    Canonicalize(twice);
    EXPECT_EQ(piece, twice);
  }
}

Relation Composed(const Relation& a, const Relation& b) {
  Relation out;
  EXPECT_TRUE(Compose(
      a, b, 0, [](uint32_t x, uint32_t y) { return x + y; }, out, 1 << 20));
  return out;
}

Pairs ComposedByHand(const Relation& a, const Relation& b) {
  Pairs first = PairsOf(a), out;
  for (auto [to, middle] : PairsOf(b)) {
    if (auto it = first.find(middle); it != first.end()) out.emplace(to, it->second);
  }
  return out;
}

TEST(IndexMap, CompositionAgreesWithEnumeration) {
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    Piece a = PieceOf(RandomForm(random, 4, 250), random);
    Piece b = Invert(PieceOf(RandomForm(random, 4, 250), random));  // nests on its in side
    Relation joined = Composed({a}, {b});
    ASSERT_EQ(PairsOf(joined), ComposedByHand({a}, {b})) << ToString(a) << "\n" << ToString(b);
    Canonicalize(joined);
    ASSERT_EQ(PairsOf(joined), ComposedByHand({a}, {b}));
  }
}

TEST(IndexMap, EveryPairOfSmallFactorisationsMeets) {
  // All ordered factorisations of 24 on both sides of the same dense space.
  std::vector<std::vector<int64_t>> all;
  std::vector<int64_t> stack;
  auto factor = [&](auto&& self, int64_t rest) -> void {
    if (rest == 1) {
      all.push_back(stack);
      return;
    }
    for (int64_t f = 2; f <= rest; ++f) {
      if (rest % f) continue;
      stack.push_back(f);
      self(self, rest / f);
      stack.pop_back();
    }
  };
  factor(factor, 24);
  auto dense = [](const std::vector<int64_t>& extents, bool reversed) {
    Piece piece;  // out row-major, in either the same order or column-major
    int64_t stride = 1, other = 1;
    for (size_t i = extents.size(); i-- > 0; stride *= extents[i])
      piece.digits.insert(piece.digits.begin(), {extents[i], stride, stride});
    for (size_t i = 0; reversed && i < extents.size(); other *= extents[i], ++i) piece.digits[i].in = other;
    return piece;
  };
  for (const auto& x : all) {
    for (const auto& y : all) {
      Piece a = dense(x, true), b = Invert(dense(y, true));
      Relation joined = Composed({a}, {b});
      ASSERT_EQ(PairsOf(joined), ComposedByHand({a}, {b}));
      Relation row_major = {dense(x, false)}, other = {dense(y, false)};
      Canonicalize(row_major);  // equally ordered factors are one digit, so factorisations do not show
      Canonicalize(other);
      Relation same = Composed(row_major, other);
      ASSERT_EQ(same.size(), 1u);
      EXPECT_EQ(same[0].digits, (std::vector<Digit>{{24, 1, 1}}));
    }
  }
}

TEST(IndexMap, ComposingWithTheInverseIsTheIdentity) {
  std::mt19937 random(6);
  for (int i = 0; i < 2000; ++i) {
    Piece piece = PieceOf(RandomForm(random, 4, 250), random);
    // a: A -> M is `piece`; back: M -> A.
    Relation identity = Composed({piece}, {Invert(piece)});
    for (auto [out, in] : PairsOf(identity)) EXPECT_EQ(out, in);
    EXPECT_EQ(ElementCount(identity), ElementCount(piece));
  }
}

TEST(IndexMap, CompositionIsAssociative) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    Piece a = PieceOf(RandomForm(random, 3, 120), random), c = Invert(PieceOf(RandomForm(random, 3, 120), random));
    Piece b;  // M -> N, dense on both sides
    int64_t n = 120;
    b.digits = {{n, 1, 1}};
    if (i % 2) b.digits = {{2, 60, 1}, {3, 20, 2}, {20, 1, 6}};
    EXPECT_EQ(PairsOf(Composed(Composed({a}, {b}), {c})), PairsOf(Composed({a}, Composed({b}, {c}))));
  }
}

TEST(IndexMap, ARepeatedInSideStaysRepeated) {
  Piece a, b;
  a.digits = {{10, 1, 3}};
  b.out_base = 100;
  b.in_base = 9;
  b.digits = {{4, 1, 0}};  // four times the last row
  Relation joined = Composed({a}, {b});
  EXPECT_EQ(PairsOf(joined), (Pairs{{100, 27}, {101, 27}, {102, 27}, {103, 27}}));
}

TEST(IndexMap, ABoundOnTheNumberOfBoxesHolds) {
  Piece a, b;
  a.digits = {{1000, 7, 7}, {7, 1, 1}};
  b.digits = {{700, 1, 10}, {10, 700, 1}};  // tens against sevens
  std::vector<Piece> out;
  EXPECT_FALSE(Compose(a, b, out, 10));
}

}  // namespace
}  // namespace aoa
