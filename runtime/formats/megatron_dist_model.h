// A model of Megatron Core as its distributed checkpoints have it: whole tensors, most with an axis of layers, of which
// every rank has a parameter for each of its layers.
//
// Source: megatron/core/models/gpt, transformer and tensor_parallel of Megatron Core 0.16 (the order in which modules
// register their parameters, sharded_state_dict).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/schema.h"

namespace aoa::formats {

// A tensor of a checkpoint, and how tensor-parallel ranks share it.
struct DistTensor {
  static constexpr size_t kWhole = SIZE_MAX;

  std::string name;
  DType dtype = DType::kF32;
  Shape whole;           // with the axis of layers, if it has one
  bool stacked = false;  // axis 0 counts layers
  size_t axis = kWhole;  // that the ranks cut
  int64_t parts = 1;     // of that axis, equal, each cut on its own: a gate, and what it gates
};

// Whether a name is of one tensor for all layers: `layers.` without a number behind it.
bool IsStackedName(std::string_view name);

// A box of a whole tensor, and the row-major elements [first, first + count) of a rank's parameter that it is.
struct DistBox {
  Shape at, shape;
  int64_t first = 0, count = 0;
};

// What rank t of tp has of a tensor's layer (of the tensor itself, if it has no axis of layers), ascending by `first`.
std::vector<DistBox> BoxesOf(const DistTensor& tensor, int64_t layer, int64_t t, int64_t tp);
// The elements of a rank's parameter.
int64_t ParameterElements(const DistTensor& tensor, int64_t tp);

// What of a model a stage (of several, a virtual one) has.
struct DistStage {
  int64_t begin = 0, end = 0;  // layers
  bool first = true, last = true;
};

// In a layer, its first norm stands before the attention's output projection, or behind it as a part of the queries'.
enum class DistOrder { kLocal, kTransformerEngine };

struct DistParameter {
  size_t tensor = 0;   // its number
  int64_t layer = 0;   // of a tensor with an axis of layers
  bool alone = false;  // an embedding that the first and the last stage share
  bool copy = false;   // the last stage's copy of it
};

// The parameters of a stage in the order of the model. Nothing if a tensor is none of a decoder of dense layers, whose
// place is known.
std::optional<std::vector<DistParameter>> ParametersOf(const std::vector<DistTensor>& tensors, const DistStage& stage,
                                                       DistOrder order);

}  // namespace aoa::formats
