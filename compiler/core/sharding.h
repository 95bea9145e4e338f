// How tensors are cut where the files of a checkpoint say so themselves, tensor by tensor, and not the axes of a mesh
// that all tensors share.
//
// Every tensor sees the ranks of a stage as a mesh of its own, and says for each of its axes which mesh axes cut it.
// Ranks that agree on all cutting axes hold the same block; they may share it further by cutting its axis 0 once more
// (an optimizer that is partitioned over replicas keeps the weights so, too). That is an ordinary type cut by an
// ordinary mesh, only that the last mesh axis, the number of a rank among the holders of its block, is no factor of
// the rank: `Apply` makes the type and the mesh, `CoordinatesIn` the place of a rank.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/axis_type.h"
#include "compiler/core/mesh.h"

namespace aoa {

struct Sharding {
  std::vector<int64_t> mesh;              // sizes of the axes over the ranks of a stage, slowest first
  std::vector<std::vector<size_t>> cuts;  // by axis of the tensor: the mesh axes that cut it, outermost first
  int64_t again = 1;                      // parts into which the holders of a block cut its axis 0
  // The whole shape that `cuts` speaks of, where it may have more axes than the tensor: one for each cut. Empty: the
  // tensor's own axes.
  Shape seen_as;
  // By axis of the tensor: equal parts that follow each other and are cut each on its own, so that a rank's block has
  // a piece of all of them. Empty: one part each. Only the cuts of a side's own types have such.
  std::vector<int64_t> parts = {};
  auto operator<=>(const Sharding&) const = default;
};

// What a writer wants to be told of how its target's tensors are cut.
enum class WantedCuts {
  kNone,
  kRuns,    // the cuts of files' axes into runs, or of equal parts of an axis into runs
  kBlocks,  // how the ranks' blocks lie side by side, whatever they are of
};

// The cuts of all tensors of a checkpoint. Ranks are numbered stage by stage.
class Shardings {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFF;

  std::string path;                                   // of the files that say it: for messages
  int64_t stages = 1, ranks = 1;                      // ranks of each stage
  std::vector<std::pair<std::string, int64_t>> mesh;  // the ranks by the names that meshes use, slowest first

  // Adds what a stage says of a tensor. False if it has said another thing of it.
  bool Add(std::string_view name, int64_t stage, const Sharding& sharding);
  // To be called when all is added: tensors of equal cuts get equal numbers.
  void Finish();

  // The number of a tensor's cuts; kNone for a tensor that nothing is said of: it lies whole on every rank.
  uint32_t Find(std::string_view name) const;
  // The cuts with this number as a rank has them; null where the rank's stage does not hold the tensor.
  const Sharding* At(uint32_t number, int64_t rank) const;
  int64_t StageOf(int64_t rank) const { return rank / ranks; }
  // Whether a rank holds a tensor.
  bool Holds(std::string_view name, int64_t rank) const;
  // Tensors with the sharding of each stage, ordered by name.
  const std::map<std::string, std::vector<uint32_t>, std::less<>>& tensors() const { return tensors_; }
  const Sharding& sharding(uint32_t index) const { return shardings_[index]; }

 private:
  std::vector<Sharding> shardings_;
  std::map<Sharding, uint32_t> known_;
  std::map<std::string, std::vector<uint32_t>, std::less<>> tensors_;  // by stage: in shardings_, or kNone
  std::vector<std::vector<uint32_t>> distinct_;
  std::map<std::string, uint32_t, std::less<>> numbers_;
};

// A type with its cuts, and the mesh whose axes they name.
struct ShardedType {
  TensorType type;
  Mesh mesh;
};
// The whole tensor's type, cut. What does not fit (axes, or blocks of unequal size) is said in `problem`.
std::optional<ShardedType> Apply(const Sharding& sharding, const TensorType& whole, std::string* problem);

// The coordinates of a rank of a stage (counted from the stage's first) in the mesh that Apply makes.
std::vector<int64_t> CoordinatesIn(const Sharding& sharding, int64_t rank);

// The whole shape of a tensor of which a rank holds a block of this shape. Nothing if the axes do not fit.
std::optional<Shape> WholeShapeOf(const Sharding& sharding, const Shape& block);

}  // namespace aoa
