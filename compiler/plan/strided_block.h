// A block of a tensor that does not lie row-major in its file.
#pragma once

#include "compiler/core/index_map.h"
#include "compiler/core/schema.h"

namespace aoa::plan {

// The row-major elements of a block of `shape` among those of the file, from the block's first one on.
Piece StridedBlock(const Shape& shape, const Shape& strides);

}  // namespace aoa::plan
