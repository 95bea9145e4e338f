// What a DeepSpeed checkpoint that is written is made of: the weights of a rank with their states, and the mesh.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// A weight with its states, as numbers in the table of its rank.
struct DeepSpeedWeight {
  uint32_t weight = 0;
  std::optional<uint32_t> master;                         // the weight itself, if it is f32
  std::vector<std::pair<std::string, uint32_t>> moments;  // by key: "exp_avg"
  std::optional<uint32_t> step;
};

// The weights of a rank by parameter group. Every weight of a rank has the same states.
struct DeepSpeedRank {
  std::vector<std::vector<DeepSpeedWeight>> groups;
  std::vector<size_t> like;  // the source's group that each is
  // Second copies on the rank, which are no parameters, with the names of their originals.
  std::vector<std::pair<uint32_t, std::string>> aliases;
  DType dtype = DType::kF32;  // of the weights: f32 only if all are
  bool states = false;        // there are states beside the weights
};

// States are called WEIGHT.fp32, WEIGHT.KEY and WEIGHT.step. Groups are those that the side declares, in the order of
// the table; if it declares none those of the source, in its order, if that has all weights, or else one.
Result<DeepSpeedRank> SortTable(const std::vector<TargetTensor>& table,
                                const std::vector<std::vector<std::string>>& source);

// The sizes of the mesh's axes.
struct DeepSpeedMesh {
  int64_t pp = 1, dp = 1, tp = 1;
  struct Place {
    int64_t p = 0, d = 0, t = 0;
  };
  Place PlaceOf(const Mesh& mesh, int64_t rank) const;
  int64_t ModelRank(const Place& place) const { return place.p * tp + place.t; }
};
Result<DeepSpeedMesh> MeshOf(const Mesh& mesh);

}  // namespace aoa::formats
