#include "compiler/codegen/nest.h"

#include <algorithm>

namespace aoa::codegen {
namespace {

constexpr int64_t kTileBytes = 256;  // of each run of a tile, on either side
constexpr int64_t kWidestElement = 16;

// Whether stepping `outer` once is stepping `inner` through its whole extent.
bool Continues(const Loop& outer, const Loop& inner) {
  return inner.constant() && outer.in == inner.in * inner.extent && outer.out == inner.out * inner.extent &&
         outer.table == inner.table * inner.extent;
}

void Merge(std::vector<Loop>& loops) {
  for (size_t i = loops.size(); i-- > 1;) {
    Loop& outer = loops[i - 1];
    const Loop& inner = loops[i];
    if (!Continues(outer, inner)) continue;
    outer = {outer.extent * inner.extent, outer.parameter, inner.in, inner.out, inner.table};
    loops.erase(loops.begin() + i);
  }
}

void Widen(Nest& nest) {
  if (nest.loops.empty() || !nest.Contiguous(nest.loops.back()) || !nest.loops.back().constant()) return;
  int64_t bytes = nest.loops.back().extent * nest.in_width;
  if (bytes > kWidestElement || (bytes & (bytes - 1)) != 0) return;
  nest.in_width = nest.out_width = bytes;
  nest.loops.pop_back();
}

// The iterations of a loop with this stride that cover a tile's run.
int64_t Cover(int64_t stride) { return stride == 0 ? 1 : (kTileBytes + stride - 1) / stride; }

// Puts loops in front of `side` while it is short and one is there that goes on where it stops.
void Lengthen(const Nest& nest, const std::vector<int>& other, std::vector<int>& side,
              bool (*continues)(const Loop& outer, const Loop& inner)) {
  int64_t count = 1;
  while (true) {
    const Loop& first = nest.loops[side.front()];
    count *= first.extent;
    if (!first.constant() || count * nest.out_width >= kCacheLine) return;
    int found = -1;
    for (int i = 0; i < static_cast<int>(nest.loops.size()); ++i) {
      if (!std::ranges::count(other, i) && !std::ranges::count(side, i) && continues(nest.loops[i], first)) found = i;
    }
    if (found < 0) return;
    side.insert(side.begin(), found);
  }
}

}  // namespace

Nest MakeNest(const KernelKey& key) {
  Nest nest{Width(key.in), Width(key.out), {}};
  int parameters = 0;
  for (const KernelDim& dim : key.dims) {
    bool constant = dim.extent != 0;
    nest.loops.push_back({constant ? dim.extent : 1, constant ? -1 : parameters++, dim.in * nest.in_width,
                          dim.out * nest.out_width, dim.table});
  }
  std::ranges::stable_sort(nest.loops, std::greater<>(), &Loop::out);
  Merge(nest.loops);
  if (key.chain.empty()) Widen(nest);
  return nest;
}

std::optional<Tiling> MakeTiling(const Nest& nest) {
  Tiling tiling;
  bool agree = true;
  for (size_t i = 0; i < nest.loops.size(); ++i) {
    const Loop& loop = nest.loops[i];
    int64_t of_in = Cover(loop.in), of_out = Cover(loop.out);
    agree = agree && (of_in > 1) == (of_out > 1);
    int64_t size = std::max(of_in, of_out);
    bool whole = loop.constant() && (nest.Contiguous(loop) || loop.extent < size);
    tiling.size.push_back(whole ? loop.extent : size);
    if (loop.in == nest.in_width && loop.out != nest.out_width) tiling.row = {static_cast<int>(i)};
    if (loop.out == nest.out_width && loop.in != nest.in_width) tiling.column = {static_cast<int>(i)};
  }
  if (!tiling.row.empty() && !tiling.column.empty()) {
    Lengthen(nest, tiling.column, tiling.row, [](const Loop& outer, const Loop& inner) {
      return outer.in == inner.in * inner.extent && outer.table == inner.table * inner.extent;
    });
    Lengthen(nest, tiling.row, tiling.column,
             [](const Loop& outer, const Loop& inner) { return outer.out == inner.out * inner.extent; });
    return tiling;
  }
  if (agree) return std::nullopt;
  tiling.row.clear();
  tiling.column.clear();
  return tiling;
}

}  // namespace aoa::codegen
