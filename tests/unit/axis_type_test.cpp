// Types against brute force: an interpreter that enumerates positions of a type one by one.
#include "compiler/core/axis_type.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace aoa {
namespace {

Axis Var(const std::string& name, int64_t extent) {
  Axis axis;
  axis.kind = Axis::Kind::kVariable;
  axis.variable = name;
  axis.extent = extent;
  return axis;
}
Axis Node(Axis::Kind kind, std::vector<Axis> parts) {
  Axis axis;
  axis.kind = kind;
  axis.parts = std::move(parts);
  return axis;
}
Axis Product(std::vector<Axis> parts) { return Node(Axis::Kind::kProduct, std::move(parts)); }
Axis Sum(std::vector<Axis> parts) { return Node(Axis::Kind::kSum, std::move(parts)); }
Axis Pad(Axis part, int64_t multiple) {
  Axis axis = Node(Axis::Kind::kPad, {std::move(part)});
  axis.multiple = multiple;
  return axis;
}
Axis CutBy(Axis axis, size_t mesh_axis, Cut::Rounding rounding = Cut::Rounding::kEven) {
  axis.cuts.push_back({mesh_axis, rounding});
  return axis;
}

// What stands at each position of a node on a rank: the position in the whole node, or -1 for filler.
std::vector<int64_t> Positions(const Axis& axis, const Mesh& mesh, const std::vector<int64_t>& at, int64_t& whole) {
  std::vector<int64_t> out;
  switch (axis.kind) {
    case Axis::Kind::kVariable:
      for (int64_t i = 0; i < axis.extent; ++i) out.push_back(i);
      whole = axis.extent;
      break;
    case Axis::Kind::kOne:
      out = {0};
      whole = 1;
      break;
    case Axis::Kind::kProduct:
      out = {0};
      whole = 1;
      for (const Axis& part : axis.parts) {
        int64_t size = 0;
        std::vector<int64_t> next = Positions(part, mesh, at, size), product;
        for (int64_t a : out) {
          for (int64_t b : next) product.push_back(a < 0 || b < 0 ? -1 : a * size + b);
        }
        out = product;
        whole *= size;
      }
      break;
    case Axis::Kind::kSum:
      whole = 0;
      for (const Axis& part : axis.parts) {
        int64_t size = 0;
        for (int64_t p : Positions(part, mesh, at, size)) out.push_back(p < 0 ? -1 : whole + p);
        whole += size;
      }
      break;
    case Axis::Kind::kPad:
      out = Positions(axis.parts[0], mesh, at, whole);
      while (out.size() % static_cast<size_t>(axis.multiple)) out.push_back(-1);
      while (whole % axis.multiple) ++whole;
      break;
  }
  for (const Cut& cut : axis.cuts) {
    auto n = static_cast<int64_t>(out.size()), m = mesh.axis(cut.axis).size, c = at[cut.axis];
    int64_t lo = 0, hi = 0;
    if (cut.rounding == Cut::Rounding::kEven && n % m == 0) {
      lo = n / m * c;
      hi = lo + n / m;
    } else if (cut.rounding == Cut::Rounding::kEven) {
      lo = c * n / m;
      hi = lo + 1;
    } else {
      for (int64_t i = 0; i <= c; ++i) {
        int64_t size = cut.rounding == Cut::Rounding::kCeil
                           ? std::min((n + m - 1) / m, n - std::min(n, i * ((n + m - 1) / m)))
                           : n / m + (i < n % m);
        lo = hi;
        hi += size;
      }
    }
    out = std::vector<int64_t>(out.begin() + lo, out.begin() + hi);
  }
  return out;
}

Axis RandomAxis(std::mt19937& random, int depth, std::vector<size_t>& free_axes, int& names) {
  auto pick = [&](int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random); };
  Axis axis;
  int kind = depth == 0 ? 0 : pick(0, 4);
  if (kind <= 1)
    axis = pick(0, 9) == 0 ? Axis{} : Var("v" + std::to_string(names++), pick(0, 12) == 0 ? 0 : pick(1, 6));
  if (kind == 2 || kind == 3) {
    std::vector<Axis> parts;
    for (int i = pick(2, 3); i > 0; --i) parts.push_back(RandomAxis(random, depth - 1, free_axes, names));
    axis = kind == 2 ? Product(parts) : Sum(parts);
  }
  if (kind == 4) axis = Pad(RandomAxis(random, depth - 1, free_axes, names), pick(1, 4));
  if (!free_axes.empty() && pick(0, 2) == 0) {
    auto rounding = static_cast<Cut::Rounding>(pick(0, 2));
    axis = CutBy(axis, free_axes.back(), rounding);
    free_axes.pop_back();
  }
  return axis;
}

TEST(AxisType, ViewsAgreeWithEnumeration) {
  std::mt19937 random(11);
  int compared = 0;
  for (int i = 0; i < 6000; ++i) {
    Mesh mesh;
    mesh.axes = {{"a", 1 + i % 4}, {"b", 1 + i / 4 % 3}};
    std::vector<size_t> free_axes = {0, 1};
    int names = 0;
    TensorType type;
    for (int k = std::uniform_int_distribution<int>(0, 3)(random); k > 0; --k)
      type.axes.push_back(RandomAxis(random, 2, free_axes, names));
    for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
      std::vector<int64_t> at = mesh.Coordinates(rank);
      CutProblem problem;
      auto view = ViewOf(type, mesh, at, {}, &problem);
      if (!view) {
        EXPECT_NE(problem.node, nullptr);
        continue;
      }
      ++compared;
      Axis all = Product(type.axes);
      int64_t whole = 0;
      std::vector<int64_t> expected = Positions(all, mesh, at, whole);
      ASSERT_EQ(view->elements, static_cast<int64_t>(expected.size()));
      ASSERT_EQ(ElementCount(view->shape), view->elements);
      std::vector<int64_t> found(expected.size(), -2);
      auto fill = [&](const Relation& relation, bool filler) {
        for (const Piece& piece : relation) {
          std::vector<int64_t> index(piece.digits.size(), 0);
          for (int64_t n = ElementCount(piece); n > 0; --n) {
            int64_t out = piece.out_base, in = piece.in_base;
            for (size_t d = 0; d < index.size(); ++d) {
              out += index[d] * piece.digits[d].out;
              in += index[d] * piece.digits[d].in;
            }
            ASSERT_EQ(found[static_cast<size_t>(out)], -2);
            ASSERT_LT(in, whole);
            found[static_cast<size_t>(out)] = filler ? -1 : in;
            for (size_t d = index.size(); d-- > 0;) {
              if (++index[d] < piece.digits[d].extent) break;
              index[d] = 0;
            }
          }
        }
      };
      fill(view->real, false);
      fill(view->filler, true);
      ASSERT_EQ(found, expected) << ToString(type, &mesh) << " rank " << rank;
    }
  }
  EXPECT_GT(compared, 5000);
}

TEST(AxisType, PiecesStandInOrder) {
  // [(a + b) (c + d)]: the four blocks of a matrix, row by row.
  TensorType type;
  type.axes = {Sum({Var("a", 2), Var("b", 3)}), Sum({Var("c", 4), Var("d", 5)})};
  std::vector<TypePiece> pieces = Pieces(type);
  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces[1].variables[0].name, "a");
  EXPECT_EQ(pieces[1].variables[1].name, "d");
  EXPECT_EQ(pieces[1].base, 4);
  EXPECT_EQ(pieces[2].base, 18);
  EXPECT_EQ(pieces[3].base, 22);
  EXPECT_EQ(pieces[3].variables[0].stride, 9);
}

TEST(AxisType, GroupedHeadsInterleave) {
  // [(g (r + 1 + 1) d)]: q, k, v by group.
  TensorType type;
  type.axes = {Product({Var("g", 2), Sum({Var("r", 3), Axis{}, Axis{}}), Var("d", 4)})};
  std::vector<TypePiece> pieces = Pieces(type);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].variables.size(), 3u);
  EXPECT_EQ(pieces[1].variables.size(), 2u);
  EXPECT_EQ(pieces[1].base, 12);
  EXPECT_EQ(pieces[2].base, 16);
  EXPECT_EQ(pieces[2].variables[0].stride, 20);
  EXPECT_EQ(WholeShape(type), (Shape{40}));
}

TEST(AxisType, PiecesOfUnknownExtentsHaveNames) {
  TensorType type;
  type.axes = {Product({Var("g", Axis::kUnknown), Sum({Var("r", Axis::kUnknown), Axis{}}), Var("d", 4)})};
  std::vector<TypePiece> pieces = Pieces(type);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[1].variables[1].name, "d");
  EXPECT_EQ(pieces[1].variables[1].extent, 4);
}

TEST(AxisType, ADealtAxisHoldsTheIndicesOfItsStage) {
  Mesh mesh;
  mesh.axes = {{"pp", 2}};
  TensorType type;
  type.axes = {Var("l", 8), Var("h", 3)};
  Deal deal = *DealEvenly(8, 2, 2);
  EXPECT_EQ(deal.stages[1], (std::vector<int64_t>{2, 3, 6, 7}));
  auto view = ViewOf(type, mesh, {1}, {{"l", &deal.stages[1]}}, nullptr);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->shape, (Shape{4, 3}));
  Canonicalize(view->real);
  ASSERT_EQ(view->real.size(), 1u);  // two runs of layers, equally far apart, are one piece
  EXPECT_EQ(view->real[0].in_base, 6);
  EXPECT_EQ(view->real[0].digits, (std::vector<Digit>{{2, 6, 12}, {6, 1, 1}}));
}

TEST(AxisType, TheLastRealRowIsRepeatedInFiller) {
  Mesh mesh;
  mesh.axes = {{"tp", 2}};
  TensorType type;
  type.axes = {CutBy(Pad(Var("v", 3), 8), 0), Var("h", 2)};
  auto view = ViewOf(type, mesh, {1}, {}, nullptr);  // rows 4..7: filler only
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->real.empty());
  ASSERT_EQ(view->filler.size(), 1u);
  EXPECT_EQ(view->filler[0].in_base, 4);  // row 2
  EXPECT_EQ(view->filler[0].digits, (std::vector<Digit>{{4, 2, 0}, {2, 1, 1}}));
}

TEST(AxisType, RepeatedSumsAreFound) {
  Mesh mesh;
  mesh.axes = {{"tp", 4}};
  TensorType type;
  type.axes = {Product({CutBy(Var("g", 2), 0), Sum({Var("r", 3), Axis{}}), Var("d", 2)})};
  EXPECT_NE(RepeatedSum(type, mesh), nullptr);
  type.axes = {Product({CutBy(Var("g", 2), 0), Var("d", 2)})};
  EXPECT_EQ(RepeatedSum(type, mesh), nullptr);
  type.axes = {Product({CutBy(Var("g", 4), 0), Sum({Var("r", 3), Axis{}}), Var("d", 2)})};
  EXPECT_EQ(RepeatedSum(type, mesh), nullptr);
}

TEST(Mesh, AnOverlayCountsTheSameRanksAgain) {
  Mesh mesh;
  mesh.axes = {{"dp", 4}, {"tp", 2}};
  mesh.overlays = {{{{"wdp", 2}, {"wp", 4}}, {0, 1}}};
  EXPECT_EQ(mesh.ranks(), 8);
  EXPECT_EQ(mesh.Coordinates(5), (std::vector<int64_t>{2, 1, 1, 1}));
  EXPECT_EQ(mesh.ToString(), "dp=4,tp=2,wdp=2,wp=4");
}

}  // namespace
}  // namespace aoa
