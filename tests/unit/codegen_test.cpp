// Every shape of small boxes, and random larger ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "tests/unit/kernel_case.h"

namespace aoa::codegen {
namespace {

constexpr DType kMoved[] = {DType::kU8, DType::kU16, DType::kU32, DType::kU64};

// A box whose input runs through the dimensions in the order `order` (outermost first), with gaps between the
// rows of either side and one dimension that the input repeats.
struct Shape {
  std::vector<int64_t> extents;  // the greatest, for run-time ones
  std::vector<int> order;
  size_t run_time = 0;  // so many of the outermost
  int64_t in_gap = 0, out_gap = 0;
  int repeated = -1;
};

std::vector<KernelDim> DimsOf(const Shape& shape) {
  std::vector<KernelDim> dims(shape.extents.size());
  int64_t in = 1, out = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    int of_in = shape.order[i];
    dims[of_in].in = of_in == shape.repeated ? 0 : in;
    if (of_in != shape.repeated) in = in * shape.extents[of_in] + shape.in_gap;
    dims[i].out = out;
    out = out * shape.extents[i] + shape.out_gap;
    dims[i].extent = i < shape.run_time ? 0 : shape.extents[i];
  }
  return dims;
}

// All assignments of `values` to the run-time dimensions.
std::vector<Case> Calls(const KernelKey& key, const Shape& shape, const std::vector<int64_t>& values) {
  std::vector<Case> cases = {{key, shape.extents}};
  for (size_t i = 0; i < shape.run_time; ++i) {
    std::vector<Case> more;
    for (const Case& c : cases) {
      for (int64_t value : values) {
        more.push_back(c);
        more.back().extents[i] = value;
      }
    }
    cases = std::move(more);
  }
  return cases;
}

// Every order of every rank to 4, with any number of run-time dimensions, and without gaps, with either, with a repeat.
// `variants` says how many of these, of rank 4.
std::vector<Case> SmallBoxes(int variants, const std::function<KernelKey(int, std::vector<KernelDim>)>& key_of) {
  std::vector<Case> cases;
  int count = 0;
  for (size_t rank = 0; rank <= 4; ++rank) {
    std::vector<int64_t> values = rank < 4 ? std::vector<int64_t>{0, 1, 2, 3, 4, 5} : std::vector<int64_t>{0, 1, 3, 5};
    Shape shape;
    shape.order.resize(rank);
    std::iota(shape.order.begin(), shape.order.end(), 0);
    do {
      for (shape.run_time = 0; shape.run_time <= rank; ++shape.run_time) {
        for (int variant = 0; variant < (rank < 4 ? 4 : variants); ++variant) {
          ++count;
          shape.extents.clear();
          for (size_t i = 0; i < rank; ++i) shape.extents.push_back(i < shape.run_time ? 5 : 2 + (count + i) % 4);
          shape.in_gap = variant == 1 ? 3 : 0;
          shape.out_gap = variant == 2 ? 1 : 0;
          shape.repeated = variant == 3 && rank ? count % rank : -1;
          KernelKey key = key_of(count, DimsOf(shape));
          std::ranges::copy(Calls(key, shape, values), std::back_inserter(cases));
        }
      }
    } while (std::ranges::next_permutation(shape.order).found);
  }
  return cases;
}

TEST(CodegenTest, MovesEverySmallBox) {
  CheckAll(SmallBoxes(4,
                      [](int count, std::vector<KernelDim> dims) {
                        DType type = kMoved[(count + count / 4) % 4];
                        return KernelKey{type, type, {}, std::move(dims)};
                      }),
           FillWithNoise);
}

TEST(CodegenTest, ConvertsEverySmallBox) {
  CheckAll(SmallBoxes(2,
                      [](int count, std::vector<KernelDim> dims) {
                        constexpr DType kOut[] = {DType::kBF16, DType::kF16, DType::kF64};
                        DType out = kOut[count % 3];
                        return KernelKey{DType::kF32, out, {CastTo(out)}, std::move(dims)};
                      }),
           FillWithTameFloats);
}

// Boxes of a size that all vector code runs, with extents that no vector divides, and some that one does.
TEST(CodegenTest, RandomBoxes) {
  for (const std::string& cpu : Processors()) {
    std::mt19937 random(7);
    std::vector<Case> moves, conversions;
    for (int i = 0; i < 80; ++i) {
      Shape shape;
      size_t rank = 2 + random() % 3;
      int64_t budget = 60000;
      for (size_t d = 0; d < rank; ++d) {
        constexpr int64_t kNice[] = {2, 4, 8, 16, 32, 64, 128};
        int64_t most = std::max<int64_t>(2, std::pow(budget, 1.0 / double(rank - d)) * 3);
        int64_t extent = random() % 2 ? kNice[random() % 7] : 2 + random() % 200;
        shape.extents.push_back(std::clamp<int64_t>(extent, 2, std::min(budget, most)));
        budget = std::max<int64_t>(budget / shape.extents.back(), 2);
        shape.order.push_back(d);
      }
      std::ranges::shuffle(shape.order, random);
      shape.run_time = random() % 3 ? 0 : random() % (rank + 1);
      shape.in_gap = random() % 4 ? 0 : random() % 5;
      shape.out_gap = random() % 4 ? 0 : random() % 5;
      shape.repeated = random() % 5 ? -1 : random() % rank;
      DType type = kMoved[random() % 4], out = kFloats[random() % 6];
      KernelKey move{type, type, {}, DimsOf(shape)}, conversion{DType::kF32, out, {CastTo(out)}, DimsOf(shape)};
      if (out == DType::kF32) conversion.chain = {Affine(3, -1, i % 2), CastTo(out)};
      if (i % 5 == 0) {
        conversion.chain.insert(conversion.chain.begin(), Normalize());
        for (auto& step : conversion.chain) step.overflow = Overflow::kSaturate;
        for (KernelDim& dim : conversion.dims) dim.table = random() % 3;
      }
      moves.push_back({move, shape.extents});
      conversions.push_back({conversion, shape.extents});
      if (shape.run_time) {  // shorter than any tile, shorter than any vector
        for (int64_t extent : {7, 1}) {
          moves.push_back(moves.back());
          moves.back().extents[0] = std::min(extent, shape.extents[0]);
        }
      }
    }
    CheckAll(moves, FillWithNoise, cpu);
    CheckAll(conversions, FillWithTameFloats, cpu);
  }
}

// Transposes as checkpoints have them, and the smallest that still are tiles.
TEST(CodegenTest, Transposes) {
  for (const std::string& cpu : Processors()) {
    std::vector<Case> moves;
    for (DType type : kMoved) {
      for (auto [rows, columns] :
           {std::pair<int64_t, int64_t>{256, 256}, {300, 131}, {64, 4}, {4, 64}, {3, 100}, {65, 63}}) {
        std::vector<KernelDim> dims = {{columns, 1, rows}, {rows, columns, 1}};
        moves.push_back({{type, type, {}, dims}, {columns, rows}});
        dims[0].extent = dims[1].extent = 0;
        for (int64_t less : {0, 1, 2}) moves.push_back({{type, type, {}, dims}, {columns - less, rows - less}});
        // Two heads apart on both sides, and pairs that stay together.
        dims = {{2, columns, rows * 2}, {columns, 1, rows * 4}, {rows, columns * 2, 1}};
        moves.push_back({{type, type, {}, dims}, {2, columns, rows}});
        dims = {{columns, 2, rows * 2}, {rows, columns * 2, 2}, {2, 1, 1}};
        moves.push_back({{type, type, {}, dims}, {columns, rows, 2}});
        dims = {{columns, 3, rows * 3}, {rows, columns * 3, 3}, {3, 1, 1}};
        moves.push_back({{type, type, {}, dims}, {columns, rows, 3}});
      }
    }
    CheckAll(moves, FillWithNoise, cpu);
  }
}

}  // namespace
}  // namespace aoa::codegen
