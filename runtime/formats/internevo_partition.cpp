#include "runtime/formats/internevo_partition.h"

#include <algorithm>
#include <numeric>

namespace aoa::formats {

InternEvoGroup GroupOf(std::string_view weight, DType dtype, DType model, bool weight_parallel) {
  if (dtype == DType::kF32 && model != DType::kF32) return InternEvoGroup::kFp32;
  const bool ends = weight.find("embedding") != std::string_view::npos || weight.starts_with("output.") ||
                    weight.starts_with("head.");
  return ends && weight_parallel ? InternEvoGroup::kEmbedHead : InternEvoGroup::kDefault;
}

std::vector<InternEvoGroup> GroupsOf(bool weight_parallel) {
  if (weight_parallel) return {InternEvoGroup::kDefault, InternEvoGroup::kEmbedHead, InternEvoGroup::kFp32};
  return {InternEvoGroup::kDefault, InternEvoGroup::kFp32};
}

std::string_view NameOf(InternEvoGroup group) {
  if (group == InternEvoGroup::kDefault) return "default";
  return group == InternEvoGroup::kEmbedHead ? "embed_head" : "fp32";
}

std::vector<size_t> BySize(std::span<const int64_t> sizes) {
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sizes[a] > sizes[b]; });
  return order;
}

std::vector<std::vector<size_t>> DealWhole(std::span<const int64_t> descending, int64_t ranks) {
  std::vector<std::vector<size_t>> out(static_cast<size_t>(ranks));
  std::vector<int64_t> load(static_cast<size_t>(ranks), 0);
  for (size_t i = 0; i < descending.size(); ++i) {
    const auto least = static_cast<size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    out[least].push_back(i);
    load[least] += descending[i];
  }
  return out;
}

std::string PlanEntry(size_t number, const Shape& shape) {
  std::string out = std::to_string(number);
  for (int64_t extent : shape) out += "_" + std::to_string(extent);
  return out;
}

}  // namespace aoa::formats
