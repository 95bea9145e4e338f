#include "compiler/plan/scales.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diag/suggest.h"
#include "compiler/plan/content.h"

namespace aoa::plan {

bool Scales::Fill(uint32_t number, int64_t rank, std::vector<SlotLayout> slots, Plan::OutShard& shard) {
  for (SlotLayout& slot : slots) {  // blocks are counted in the tensor, not in the file
    if (slot.layout->plain) slot.layout = slot.layout->plain;
  }
  const index::BlockTarget& blocks = index_.blocks[number];
  const index::Target& weight = index_.targets[blocks.weight];
  const Layout& layout = *layouts_.Of(weight.tensor);
  uint32_t block = layout.of_rank[static_cast<size_t>(rank)];
  std::string key = fmt::format("{} {} {}", weight.relation, static_cast<const void*>(&layout), block);
  for (const SlotLayout& slot : slots) key += fmt::format(" {}", static_cast<const void*>(slot.layout));
  auto [it, added] = known_.try_emplace(key, kNoBlock);
  if (added) {
    ScaleRequest request = RequestOf(blocks, slots, layout, block);
    auto boxes = ScaleBoxes(request);
    if (!boxes) {
      Report(blocks, slots);
      return false;
    }
    std::vector<SlotLayout> scales;
    for (bind::TensorId source : blocks.sources) scales.push_back({nullptr, sources_.tensor(source).dtype});
    it->second = programs_.FromBoxes(*boxes, scales, ElementCount(ScaleShape(request.shape, request.blocks)),
                                     to_.tensors[blocks.tensor].dtype, 0, Programs::Purpose::kFile);
  }
  if (it->second == kNoBlock) return false;
  shard.program = it->second;
  shard.first_slot = static_cast<uint32_t>(plan_.slots.size());
  for (uint32_t s = 0; s < weight.slot_count; ++s) {
    plan_.slots.push_back(sources_.ScaleShardsOf(blocks.sources[s], *slots[s].layout));
  }
  return true;
}

ScaleRequest Scales::RequestOf(const index::BlockTarget& blocks, const std::vector<SlotLayout>& slots,
                               const Layout& layout, uint32_t block) {
  const index::Target& weight = index_.targets[blocks.weight];
  ScaleRequest request{programs_.Boxes(weight.relation, slots, layout, block, false),
                       layout.blocks[block].shape,
                       to_.families[to_.tensors[blocks.tensor].family].blocks,
                       {}};
  for (uint32_t s = 0; s < weight.slot_count; ++s) {
    const bind::Family& scale = sources_.end().families[sources_.tensor(blocks.sources[s]).family];
    request.slots.push_back({slots[s].layout, scale.blocks});
  }
  return request;
}

void Scales::Report(const index::BlockTarget& blocks, const std::vector<SlotLayout>& slots) {
  const bind::Tensor& weight = to_.tensors[index_.targets[blocks.weight].tensor];
  const bind::Family& family = to_.families[to_.tensors[blocks.tensor].family];
  std::string name = diag::Printable(to_.NameOf(index_.targets[blocks.weight].tensor));
  std::string what = fmt::format("`{}` is cut off the edges of its blocks of {}", name, aoa::ToString(family.blocks));
  auto& d = diagnostics_.Error(diag::Code::kBlocks, family.where, what);
  d.Note("a block has one scale: all its elements must come from one block of the source");
  for (size_t axis : CuttingAxes(to_.types[weight.type])) {
    d.Found(fmt::format("{} = {}", to_.mesh.axis(axis).name, to_.mesh.axis(axis).size));
    std::vector<std::string> legal = LegalSizes(blocks, slots, axis);
    if (legal.empty()) continue;
    d.Help(fmt::format("{} = {} would do", to_.mesh.axis(axis).name, diag::Enumerate(legal, 16, " or ")));
  }
}

// The sizes of a cutting axis are tried.
std::vector<std::string> Scales::LegalSizes(const index::BlockTarget& blocks, const std::vector<SlotLayout>& slots,
                                            size_t axis) {
  std::vector<std::string> legal;
  if (axis >= to_.mesh.axes.size()) return legal;
  const bind::Tensor& weight = to_.tensors[index_.targets[blocks.weight].tensor];
  for (int64_t size = 1; size <= std::max<int64_t>(to_.mesh.axis(axis).size, 8); ++size) {
    Mesh mesh = to_.mesh;
    mesh.axes[axis].size = size;
    auto layout = Layouts::Try(to_, mesh, to_.types[weight.type]);
    bool fits = layout.has_value();
    for (uint32_t b = 0; fits && b < layout->blocks.size(); ++b) {
      fits = ScaleBoxes(RequestOf(blocks, slots, *layout, b)).has_value();
    }
    if (fits) legal.push_back(std::to_string(size));
  }
  return legal;
}

}  // namespace aoa::plan
