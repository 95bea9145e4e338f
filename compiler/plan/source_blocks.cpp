#include "compiler/plan/source_blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"
#include "compiler/plan/content.h"
#include "compiler/plan/strided_block.h"

namespace aoa::plan {

using bind::Tensor;
using bind::TensorId;

// Looks at the entries of tables, which many files share: this is asked of every tensor.
SourceBlocks::Irregular SourceBlocks::LookAt(TensorId id) const {
  Irregular out;
  for (uint32_t h = 0; h < tensor(id).holders; ++h) {
    const bind::Holder& holder = end_.holders[tensor(id).first_holder + h];
    const StoredTensor& stored = schema_.tables[end_.groups[holder.group].table][holder.entry];
    out.chunks |= stored.whole != StoredTensor::kNoChunk;
    out.strides |= stored.strides != StoredTensor::kRowMajor;
    AOA_CHECK(h == 0 || out.held == stored.held, "copies of a tensor that are held in several types");
    out.held = stored.held;
  }
  return out;
}

const SourceBlocks::Form& SourceBlocks::FormOf(TensorId id) {
  if (forms_.size() <= id) forms_.resize(end_.tensors.size());
  Form& form = forms_[id];
  if (form.known) return form;
  form.known = true;
  Irregular irregular = LookAt(id);
  form.held = irregular.held;
  form.layout = irregular.chunks ? OfChunks(id) : layouts_.Of(id);
  if (form.layout && irregular.strides) form.layout = WithStrides(id, form.layout);
  return form;
}

const Layout* SourceBlocks::OfChunks(TensorId id) {
  const Tensor& t = tensor(id);
  const uint32_t type = t.role < 0 ? t.type : tensor(t.weight).type;
  std::vector<std::pair<Shape, Shape>> chunks;
  EachHolder(id, [&](uint32_t, uint64_t, const StoredTensor& stored) {
    if (stored.whole != StoredTensor::kNoChunk) chunks.emplace_back(schema_.shapes[stored.at], ShapeOf(stored));
  });
  auto [it, added] = chunked_.try_emplace({type, chunks});
  if (added) it->second = std::make_unique<Layout>(layouts_.OfChunks(type, chunks));
  return it->second.get();
}

// The layout for a tensor whose blocks lie strided: their element numbers are those of the files.
const Layout* SourceBlocks::WithStrides(TensorId id, const Layout* layout) {
  std::vector<Shape> strides(layout->blocks.size());
  std::vector<const StoredTensor*> lowest(layout->blocks.size());
  std::vector<int64_t> ranks(layout->blocks.size(), INT64_MAX);
  EachHolder(id, [&](uint32_t file, uint64_t, const StoredTensor& stored) {
    uint32_t block = BlockOf(*layout, file, stored);
    if (RankOf(file) >= ranks[block]) return;
    ranks[block] = RankOf(file);
    lowest[block] = &stored;
    strides[block] = StridesOf(stored) ? *StridesOf(stored) : Shape();
  });
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

SourceRange SourceBlocks::WhereOf(TensorId id) const {
  return tensor(id).family == bind::kNoFamily ? SourceRange{} : end_.families[tensor(id).family].where;
}

void SourceBlocks::KeepLowest(Plan::InShard& shard, uint32_t file, uint64_t offset) const {
  auto order = [&](uint32_t f) { return std::pair(schema_.files[f].absent, RankOf(f)); };
  if (shard.file == Plan::kNoFile || order(file) < order(shard.file)) shard = {file, offset};
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
  bool good = true;
  EachHolder(id, [&](uint32_t file, uint64_t offset, const StoredTensor& stored) {
    if (!good) return;
    good = IsPlain(stored);
    if (!good) return ReportScale(id, stored, file, "scales that lie row-major, in their own type");
    auto block = ScaleBlock(id, weight, file, stored);
    good = block.has_value();
    if (!good) return ReportScale(id, stored, file, "chunks of scales beside the chunks of their weight");
    const Shape& shape = weight.blocks[*block].shape;
    Shape expected = ScaleShape(shape, end_.families[tensor(id).family].blocks);
    good = ShapeOf(stored) == expected;
    if (!good)
      return ReportScale(id, stored, file, fmt::format("{} for {}", aoa::ToString(expected), aoa::ToString(shape)));
    KeepLowest(plan_.in_shards[it->second + *block], file, offset);
  });
  if (!good) return it->second;
  std::vector<bool> held;
  for (size_t b = 0; b < weight.blocks.size(); ++b)
    held.push_back(plan_.in_shards[it->second + b].file != Plan::kNoFile);
  layouts_.CheckHeld(weight, held, diag::Printable(end_.NameOf(id)), WhereOf(id));
  return it->second;
}

// The block of the weight whose scales an entry holds. A chunk of scales begins where one of the weight does.
std::optional<uint32_t> SourceBlocks::ScaleBlock(TensorId id, const Layout& weight, uint32_t file,
                                                 const StoredTensor& stored) const {
  if (weight.of_chunk.empty()) {
    if (stored.whole != StoredTensor::kNoChunk) return std::nullopt;
    return weight.of_rank[static_cast<size_t>(RankOf(file))];
  }
  if (stored.whole == StoredTensor::kNoChunk) return std::nullopt;
  const std::vector<int64_t>& blocks = end_.families[tensor(id).family].blocks;
  for (const auto& [chunk, number] : weight.of_chunk) {
    bool begins = true;
    for (size_t i = 0; i < chunk.first.size(); ++i) {
      int64_t block = i < blocks.size() ? blocks[i] : 1;
      begins &= chunk.first[i] == schema_.shapes[stored.at][i] * block;
    }
    if (begins) return number;
  }
  return std::nullopt;
}

void SourceBlocks::ReportScale(TensorId id, const StoredTensor& stored, uint32_t file, const std::string& expected) {
  const bind::Family& family = end_.families[tensor(id).family];
  std::string what = fmt::format("`{}` {} in {} is not one scale per block", diag::Printable(end_.NameOf(id)),
                                 aoa::ToString(ShapeOf(stored)), schema_.files[file].path);
  diagnostics_.Error(diag::Code::kBlocks, family.where, what)
      .Expected(fmt::format("{}, in blocks of {}", expected, aoa::ToString(family.blocks)));
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
