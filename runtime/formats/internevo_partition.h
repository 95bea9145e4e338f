// How InternEvo shares an optimizer out: whole tensors, the largest first, each to the rank that has the least so far.
// A rank's tensors lie one after the other in one flat tensor, without padding.
//
// Source: internlm/solver/optimizer/hybrid_zero_optim.py, _partition_param_list, and internlm/train/utils.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/schema.h"

namespace aoa::formats {

// The groups of parameters, in their order: `embed_head` only with weight parallelism, where it is shared out over all
// data-parallel ranks; `fp32` has what is stored in f32 in a model that is of another type.
enum class InternEvoGroup { kDefault, kEmbedHead, kFp32 };
InternEvoGroup GroupOf(std::string_view weight, DType dtype, DType model, bool weight_parallel);
std::vector<InternEvoGroup> GroupsOf(bool weight_parallel);
std::string_view NameOf(InternEvoGroup group);

// What a plan of the partition holds: per group, in their order, and per rank that shares it, entries in the order of
// its flat tensor.
using InternEvoPlan = std::vector<std::vector<std::vector<std::string>>>;

// The numbers of the sizes, the largest first; of equal ones in their order.
std::vector<size_t> BySize(std::span<const int64_t> sizes);

// Which of the sizes, which descend, each rank takes.
std::vector<std::vector<size_t>> DealWhole(std::span<const int64_t> descending, int64_t ranks);

// "3_98_32": how a plan calls the fourth largest tensor, of shape [98, 32].
std::string PlanEntry(size_t number, const Shape& shape);

}  // namespace aoa::formats
