// Where the fp32 weights and the moments of a model-parallel rank lie: in the flat partitions of its data-parallel
// ranks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/formats/composite.h"
#include "runtime/formats/deepspeed_values.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

// Of a parameter: one of its states, put together from the windows of the ranks.
struct ZeroState {
  std::string role;  // "fp32", "exp_avg", ...
  DType dtype = DType::kF32;
  std::vector<StoredPart> parts;
};

struct ZeroParameter {
  std::string name;
  Shape shape;
  std::vector<ZeroState> states;  // "fp32" is the first
  std::optional<double> step;
};

// The files of the data-parallel ranks, in rank order, with their numbers among the stores.
struct ZeroRank {
  const TorchFile* file = nullptr;
  uint32_t store = 0;
};

// The stage that an optimizer's file is of: 1, 2 or 3.
int64_t ZeroStageOf(const TorchFile& file);

// The parameters of `groups` in the partitions of the ranks. What looks odd is added to `notes`.
Result<std::vector<ZeroParameter>> ReadZeroStates(const std::vector<std::vector<NamedShape>>& groups,
                                                  const std::vector<ZeroRank>& ranks, std::vector<std::string>& notes);

// The number in a file's tensor of one element.
Result<double> ReadNumber(const TorchFile& file, const TorchTensor& tensor);

}  // namespace aoa::formats
