// Named parallel axes over ranks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aoa {

// Ranks as a grid: axes slowest first, so rank = (c_0 * size_1 + c_1) * size_2 + ... An overlay is a second
// factorisation of some of the axes: the ranks over these, counted in mesh order, are split again, the first overlay
// axis slowest. Overlay axes may cut tensors and multiply no ranks.
struct Mesh {
  struct Axis {
    std::string name;
    int64_t size = 1;
  };
  struct Overlay {
    std::vector<Axis> axes;  // product of sizes = product of the sizes of `on`
    std::vector<size_t> on;  // axes of the mesh, in mesh order
  };

  std::vector<Axis> axes;
  std::vector<Overlay> overlays;

  int64_t ranks() const;
  // Axes and overlay axes share one numbering: axes first, then the overlays' in order.
  size_t axis_count() const;
  const Axis& axis(size_t index) const;
  std::optional<size_t> Find(std::string_view name) const;

  // The coordinate of `rank` on every axis, overlay axes included.
  std::vector<int64_t> Coordinates(int64_t rank) const;

  // "pp=2,tp=2", overlays after the mesh.
  std::string ToString() const;
};

// How a dealt dimension (layers, experts) lies on the coordinates of a mesh axis: stage s holds the indices of
// stages[s], ascending. Every index has one stage.
struct Deal {
  std::vector<std::vector<int64_t>> stages;
  int64_t rounds = 1;  // in which it was dealt evenly
  int64_t extent() const;
};

// Even blocks in `rounds` rounds. Nothing if rounds * stages does not divide the extent.
std::optional<Deal> DealEvenly(int64_t extent, int64_t stages, int64_t rounds);
// counts[s] indices to stage s; the counts add up to the extent.
Deal DealByCounts(const std::vector<int64_t>& counts);

}  // namespace aoa
