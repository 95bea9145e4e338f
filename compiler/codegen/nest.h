// The loops of a kernel and the order that memory likes best. Plain arithmetic; LLVM comes later.
//
// Example: [4096 in 1 out 11008] [11008 in 4096 out 1] of u16, a transpose. Walked as it stands, row by row of the
// output, each read touches another cache line, and 11008 lines later, when the next element of the first one is
// wanted, that line is long gone: 0.25 GB/s. So both loops are cut into tiles that use up what they touch: 128 x 128
// elements here, four cache lines on either side. (Measured: two lines are 10 % slower, eight no faster.)
//
// In general every loop whose stride is shorter than a few lines takes part in the tile, with as many iterations as it
// takes to cover them. If input and output agree on those loops, and none is transposed, there is nothing to tile:
// plain loops walk both in order.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/core/kernel.h"

namespace aoa::codegen {

inline constexpr int64_t kCacheLine = 64;  // bytes

struct Loop {
  int64_t extent = 1;  // iterations; where `parameter` is not -1 the factor of a run-time extent
  int parameter = -1;  // index in the `extents` of the call, or -1
  int64_t in = 0;      // strides, of the buffers in bytes
  int64_t out = 0;
  int64_t table = 0;  // in entries

  bool constant() const { return parameter < 0; }
};

struct Nest {
  int64_t in_width = 1;  // bytes of an element
  int64_t out_width = 1;
  std::vector<Loop> loops;  // by falling `out`

  bool Contiguous(const Loop& loop) const { return loop.in == in_width && loop.out == out_width; }
};

// The loops of `key` with adjacent ones merged where both sides are contiguous across them. Where bits are moved, a
// contiguous run of 2, 4, 8 or 16 bytes becomes one wide element: pairs of bf16 move as u32.
Nest MakeNest(const KernelKey& key);

struct Tiling {
  std::vector<int64_t> size;  // for each loop its iterations within a tile; 1 where it stays outside
  // A transposed pair: `row` walks the input element by element, `column` the output; both empty without one. Each is
  // one loop, or several, outermost first, that go on where the next stops, if that is shorter than a cache line.
  std::vector<int> row, column;
};

// The tiles of a nest, or nothing where plain loops are best. A loop with a run-time extent is assumed to be long.
std::optional<Tiling> MakeTiling(const Nest& nest);

}  // namespace aoa::codegen
