// Block scales: which scale of the source each block of the target takes.
#pragma once

#include <optional>
#include <vector>

#include "compiler/core/index_map.h"
#include "compiler/plan/layouts.h"

namespace aoa::plan {

struct ScaleSlot {
  const Layout* layout = nullptr;  // of the weight in this slot
  std::vector<int64_t> blocks;     // extents of its blocks, axis by axis
};

struct ScaleRequest {
  Relation boxes;               // of the weight's target block (Programs::Boxes)
  Shape shape;                  // of that block
  std::vector<int64_t> blocks;  // extents of the target's blocks
  std::vector<ScaleSlot> slots;
};

// out: the scales of the target's block, row-major; in: those of the source's blocks; sources coded as in the request.
// Nothing if a block of the target takes elements from more than one block of the source.
std::optional<Relation> ScaleBoxes(const ScaleRequest& request);

}  // namespace aoa::plan
