#include "compiler/plan/source_blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"
#include "compiler/plan/content.h"

namespace aoa::plan {

using bind::Tensor;
using bind::TensorId;

const Layout* SourceBlocks::LayoutOf(TensorId id) {
  const Tensor& t = tensor(id);
  if (const Layout* chunks = ChunksOf(id, t.role < 0 ? t.type : tensor(t.weight).type)) return WithStrides(id, chunks);
  const Layout* layout = layouts_.Of(id);
  return layout ? WithStrides(id, layout) : nullptr;
}

// The layout of a tensor that is stored in chunks; null for any other.
const Layout* SourceBlocks::ChunksOf(TensorId id, uint32_t type) {
  std::vector<std::pair<Shape, Shape>> chunks;
  EachHolder(id, [&](uint32_t, uint64_t, const StoredTensor& stored) {
    if (stored.whole != StoredTensor::kNoChunk) chunks.emplace_back(schema_.shapes[stored.at], ShapeOf(stored));
  });
  if (chunks.empty()) return nullptr;
  auto [it, added] = chunked_.try_emplace({type, chunks});
  if (added) it->second = std::make_unique<Layout>(layouts_.OfChunks(type, chunks));
  return it->second.get();
}

// The layout for a tensor whose blocks lie strided: their element numbers are those of the files.
const Layout* SourceBlocks::WithStrides(TensorId id, const Layout* layout) {
  std::vector<Shape> strides(layout->blocks.size());
  std::vector<const StoredTensor*> lowest(layout->blocks.size());
  std::vector<int64_t> ranks(layout->blocks.size(), INT64_MAX);
  bool plain = true;
  EachHolder(id, [&](uint32_t file, uint64_t, const StoredTensor& stored) {
    uint32_t block = BlockOf(*layout, file, stored);
    if (RankOf(file) >= ranks[block]) return;
    ranks[block] = RankOf(file);
    lowest[block] = &stored;
    strides[block] = StridesOf(stored) ? *StridesOf(stored) : Shape();
    plain &= strides[block].empty();
  });
  if (plain) return layout;
  auto [it, added] = strided_.try_emplace({layout, strides});
  if (!added) return it->second.get();
  it->second = std::make_unique<Layout>(*layout);
  it->second->plain = layout;
  for (size_t b = 0; b < strides.size(); ++b) {
    if (strides[b].empty()) continue;
    Relation primary;
    auto take = [](uint32_t first, uint32_t) { return first; };
    bool ok = Compose({StridedBlock(ShapeOf(*lowest[b]), strides[b])}, layout->primary[b], 0, take, primary, SIZE_MAX);
    AOA_CHECK(ok, "a block of too many boxes");
    it->second->primary[b] = std::move(primary);
  }
  return it->second.get();
}

std::optional<DType> SourceBlocks::HeldOf(TensorId id) const {
  std::optional<DType> held;
  EachHolder(id, [&](uint32_t, uint64_t, const StoredTensor& stored) { held = stored.held; });
  return held;
}

SourceRange SourceBlocks::WhereOf(TensorId id) const {
  return tensor(id).family == bind::kNoFamily ? SourceRange{} : end_.families[tensor(id).family].where;
}

void SourceBlocks::KeepLowest(Plan::InShard& shard, uint32_t file, uint64_t offset) const {
  if (shard.file == Plan::kNoFile || RankOf(file) < RankOf(shard.file)) shard = {file, offset};
}

uint32_t SourceBlocks::ShardsOf(TensorId id) {
  auto [it, added] = shards_.try_emplace(id, static_cast<uint32_t>(plan_.in_shards.size()));
  if (!added) return it->second;
  const Layout& layout = *LayoutOf(id);
  plan_.in_shards.resize(plan_.in_shards.size() + layout.blocks.size());
  EachHolder(id, [&](uint32_t file, uint64_t offset, const StoredTensor& stored) {
    KeepLowest(plan_.in_shards[it->second + BlockOf(layout, file, stored)], file, offset);
  });
  std::vector<bool> held;
  for (size_t b = 0; b < layout.blocks.size(); ++b) {
    held.push_back(plan_.in_shards[it->second + b].file != Plan::kNoFile);
  }
  layouts_.CheckHeld(layout, held, diag::Printable(end_.NameOf(id)), WhereOf(id));
  return it->second;
}

uint32_t SourceBlocks::ScaleShardsOf(TensorId id, const Layout& weight) {
  auto [it, added] = shards_.try_emplace(id, static_cast<uint32_t>(plan_.in_shards.size()));
  if (!added) return it->second;
  plan_.in_shards.resize(plan_.in_shards.size() + weight.blocks.size());
  for (uint32_t h = 0; h < tensor(id).holders; ++h) {
    const bind::Holder& holder = end_.holders[tensor(id).first_holder + h];
    const bind::FileGroup& group = end_.groups[holder.group];
    const StoredTensor& stored = schema_.tables[group.table][holder.entry];
    for (uint32_t file : group.files) {
      uint32_t block = weight.of_rank.empty() ? 0 : weight.of_rank[static_cast<size_t>(RankOf(file))];
      if (!IsPlain(stored)) {
        diagnostics_
            .Error(diag::Code::kBlocks, WhereOf(id),
                   fmt::format("`{}` does not lie row-major", diag::Printable(end_.NameOf(id))))
            .Found(schema_.files[file].path)
            .Expected("scales in the order of their blocks");
        return it->second;
      }
      if (!CheckScaleShape(id, schema_.shapes[stored.shape], weight.blocks[block].shape, file)) return it->second;
      KeepLowest(plan_.in_shards[it->second + block], file, schema_.files[file].data_start + stored.begin);
    }
  }
  return it->second;
}

bool SourceBlocks::CheckScaleShape(TensorId id, const Shape& stored, const Shape& weight, uint32_t file) {
  const bind::Family& family = end_.families[tensor(id).family];
  Shape expected = ScaleShape(weight, family.blocks);
  if (stored == expected) return true;
  std::string what = fmt::format("`{}` {} in {} is not one scale per block", diag::Printable(end_.NameOf(id)),
                                 aoa::ToString(stored), schema_.files[file].path);
  diagnostics_.Error(diag::Code::kBlocks, family.where, what)
      .Expected(fmt::format("{} for blocks of {} in {}", aoa::ToString(expected), aoa::ToString(family.blocks),
                            aoa::ToString(weight)));
  return false;
}

void SourceBlocks::NoteMeans(TensorId id) {
  const Tensor& t = tensor(id);
  bool mean = t.role < 0 && t.family != bind::kNoFamily && end_.families[t.family].mean;
  if (!mean || !means_.insert(id).second) return;
  uint32_t first = ShardsOf(id);
  const Layout& layout = *LayoutOf(id);
  std::map<uint32_t, std::vector<std::pair<int64_t, Plan::InShard>>> copies;
  EachHolder(id, [&](uint32_t file, uint64_t offset, const StoredTensor& stored) {
    copies[BlockOf(layout, file, stored)].push_back({RankOf(file), {file, offset}});
  });
  for (auto& [block, list] : copies) {
    std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    Plan::Replicas replicas;
    replicas.in_shard = first + block;
    for (const auto& [rank, shard] : list) replicas.all.push_back(shard);
    plan_.replicas.push_back(std::move(replicas));
  }
}

Plan::Places SourceBlocks::PlacesOf(TensorId id) const {
  Plan::Places places{end_.NameOf(id), {}};
  EachHolder(id, [&](uint32_t file, uint64_t offset, const StoredTensor&) { places.all.push_back({file, offset}); });
  return places;
}

}  // namespace aoa::plan
