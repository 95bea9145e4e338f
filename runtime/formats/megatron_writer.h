// Laying out Megatron's checkpoints.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/mesh.h"
#include "compiler/core/status.h"
#include "runtime/formats/format.h"
#include "runtime/formats/megatron_args.h"

namespace aoa::formats {

// Where the coordinates of Megatron's axes stand in a mesh; those that it lacks are 0, their sizes 1.
struct MegatronAxes {
  std::optional<size_t> tp, pp, dp;

  static int64_t At(const std::optional<size_t>& axis, const std::vector<int64_t>& coordinates) {
    return axis ? coordinates[*axis] : 0;
  }
  MegatronMesh SizesIn(const Mesh& mesh) const;
};

// kInvalid for a mesh with other axes.
Result<MegatronAxes> FindMegatronAxes(const Mesh& mesh);

// The iteration of a target: the source's, at least 1; 1 where it says none.
int64_t MegatronIteration(const WriteOptions& options);

// One folder for each model-parallel rank.
Result<TargetLayout> LayOutMegatron(const TargetContent& content, const WriteOptions& options);

}  // namespace aoa::formats
