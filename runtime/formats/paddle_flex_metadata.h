// The metadata of a flex checkpoint (paddle_flex.h) as Paddle pickles it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// A block of a tensor, or a window of its row-major elements, and the file that has it.
struct PaddleFlexBlock {
  std::string name;
  DType dtype = DType::kF32;
  Shape whole, at, shape;                            // of the tensor; where the block begins; of the block
  std::optional<std::pair<int64_t, int64_t>> range;  // [first, behind the last), or all
  std::string file;
};

// `state_dict_metadata`, `storage_metadata` and `flat_mapping` of these blocks, which differ in name, place or range.
// Fails for element types that Paddle has no name for.
Result<std::string> PaddleFlexMetadata(const std::vector<PaddleFlexBlock>& blocks);

}  // namespace aoa::formats
