#include "compiler/plan/build_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"
#include "compiler/plan/absent.h"
#include "compiler/plan/agreements.h"
#include "compiler/plan/memory.h"
#include "compiler/plan/programs.h"
#include "compiler/plan/scales.h"
#include "compiler/plan/sizes.h"
#include "compiler/plan/source_blocks.h"

namespace aoa::plan {
namespace {

using bind::End;
using bind::Tensor;
using bind::TensorId;
using diag::Code;

class Builder {
 public:
  Builder(const bind::Program& program, const index::IndexProgram& index, const Schema& source,
          const Resources& resources, diag::Diagnostics& diagnostics)
      : program_(program),
        index_(index),
        schema_(source),
        from_(program.ends.front()),
        to_(program.ends.back()),
        resources_(resources),
        diagnostics_(diagnostics),
        to_layouts_(to_, diagnostics),
        sources_(from_, source, plan_, diagnostics),
        programs_(index, plan_, resources.in_order ? Programs::Purpose::kStream : Programs::Purpose::kFile),
        scales_(index, to_, plan_, sources_, to_layouts_, programs_, diagnostics),
        agreements_(index, plan_, sources_, programs_, diagnostics) {}

  std::optional<Plan> Build(const LayOut& lay_out, const std::vector<int64_t>& ranks) {
    plan_.chains.emplace_back();
    auto content = MakeContent(program_, index_, schema_, to_layouts_, ranks, resources_.cuts, diagnostics_);
    HelpWithSizes(program_, to_layouts_.refused(), diagnostics_);
    if (!content || diagnostics_.HasErrors()) return std::nullopt;
    auto layout = lay_out(content->target);
    if (!layout) return std::nullopt;
    for (const SchemaFile& file : schema_.files) plan_.in_files.push_back({file.path, file.size, file.stretches});
    plan_.stores = schema_.stores;
    PlaceScalars();
    placed_.resize(index_.targets.size());
    for (const TargetFile& file : layout->files) AddFile(file, *content);
    AddNorms();
    agreements_.AddTied();
    if (resources_.check_replicas) agreements_.AddReplicas();
    if (diagnostics_.HasErrors() || !LeaveAbsentOut(schema_, plan_, diagnostics_)) return std::nullopt;
    std::sort(plan_.replicas.begin(), plan_.replicas.end(),
              [](const auto& a, const auto& b) { return a.in_shard < b.in_shard; });
    if (!Fit(plan_, resources_, from_.tensors.size() + to_.tensors.size(), diagnostics_)) return std::nullopt;
    return std::move(plan_);
  }

 private:
  // ------------------------------------------------------------ where target tensors lie

  void AddFile(const TargetFile& file, const Content& content) {
    Plan::OutFile out;
    out.path = file.path;
    out.head = file.head;
    out.data_start = file.data_start;
    out.size = file.size;
    out.rank = file.rank;
    out.inserts = file.inserts;
    out.checksums = file.checksums;
    out.first_shard = plan_.out_shards.size();
    auto number = static_cast<uint32_t>(plan_.out_files.size());
    for (const PlacedTensor& placed : *file.tensors) {
      bool own = placed.rank == PlacedTensor::kFileRank;
      const ContentEntry& entry = content.entries[own ? file.table : TableOf(content, placed.rank)][placed.tensor];
      uint64_t offset = file.data_start + placed.offset;
      if (entry.kind == ContentEntry::Kind::kScalar) {
        plan_.scalar_shards.push_back({number, offset, entry.index});
        continue;
      }
      AddShard(entry, own ? file.rank : placed.rank, placed, offset);
    }
    out.shards = plan_.out_shards.size() - out.first_shard;
    plan_.bytes_written += out.size;
    plan_.out_files.push_back(std::move(out));
  }

  static uint32_t TableOf(const Content& content, int64_t rank) {
    const auto& ranks = content.target.ranks;
    auto it = std::lower_bound(ranks.begin(), ranks.end(), std::pair(rank, uint32_t{0}));
    AOA_CHECK(it != ranks.end() && it->first == rank, "a tensor of a rank that is not written");
    return it->second;
  }

  void AddShard(const ContentEntry& entry, int64_t rank, const PlacedTensor& part, uint64_t offset) {
    Plan::OutShard shard;
    shard.offset = offset;
    shard.target = entry.kind == ContentEntry::Kind::kTensor
                       ? entry.index
                       : static_cast<uint32_t>(index_.targets.size()) + entry.index;
    if (entry.kind == ContentEntry::Kind::kBlocks) {
      AOA_CHECK(part.count == PlacedTensor::kAll, "scales in parts");
      auto slots = SlotsOf(index_.targets[index_.blocks[entry.index].weight]);
      if (!slots || !scales_.Fill(entry.index, rank, *slots, shard)) return;
    } else {
      const Placed* placed = PlacedTarget(entry.index);
      if (!placed) return;
      uint32_t block = placed->layout->of_rank[static_cast<size_t>(rank)];
      int64_t elements = placed->layout->blocks[block].elements;
      bool whole = part.count == PlacedTensor::kAll || (part.first == 0 && part.count == elements);
      AOA_CHECK(whole || (part.first >= 0 && part.count >= 0 && part.first + part.count <= elements),
                "a part beyond its tensor");
      shard.program =
          whole ? programs_.Of(placed->id, block) : programs_.Part(placed->id, block, part.first, part.count);
      shard.first_slot = placed->first_slot;
      if (index_.targets[entry.index].norms) shard.norms = *index_.targets[entry.index].norms;
    }
    if (plan_.programs[shard.program].elements > 0) plan_.out_shards.push_back(shard);
  }

  std::optional<std::vector<SlotLayout>> SlotsOf(const index::Target& target) {
    std::vector<SlotLayout> slots;
    for (uint32_t s = 0; s < target.slot_count; ++s) {
      slots.push_back(sources_.SlotOf(index_.slots[target.first_slot + s]));
      if (!slots.back().layout) return std::nullopt;
    }
    return slots;
  }

  // What all shards of a target share: made when the first one is placed.
  struct Placed {
    uint32_t id = 0, first_slot = 0;
    const Layout* layout = nullptr;
  };

  const Placed* PlacedTarget(uint32_t number) {
    std::optional<Placed>& placed = placed_[number];
    if (placed) return &*placed;
    const index::Target& target = index_.targets[number];
    const Tensor& tensor = to_.tensors[target.tensor];
    auto slots = SlotsOf(target);
    if (!slots) return nullptr;
    placed.emplace();
    placed->layout = to_layouts_.Of(target.tensor);
    placed->id =
        programs_.Template(target.relation, *slots, *placed->layout, tensor.dtype, target.fill_last, target.fill.bits);
    std::vector<uint32_t> list;
    for (uint32_t s = 0; s < target.slot_count; ++s) {
      list.push_back(sources_.ShardsOf(index_.slots[target.first_slot + s]));
      sources_.NoteMeans(index_.slots[target.first_slot + s]);
    }
    placed->first_slot = static_cast<uint32_t>(plan_.slots.size());
    plan_.slots.insert(plan_.slots.end(), list.begin(), list.end());
    return &*placed;
  }

  // ------------------------------------------------------------ scalars, norms

  void PlaceScalars() {
    for (const index::ScalarTarget& target : index_.scalars) {
      Plan::Scalar scalar;
      scalar.name = to_.NameOf(target.tensor);
      scalar.dtype = to_.tensors[target.tensor].dtype;
      for (TensorId id : target.sources) scalar.sources.push_back(sources_.PlacesOf(id));
      for (const auto& [role, ids] : target.inputs) {
        auto& input = scalar.inputs.emplace_back();
        input.role = role;
        if (!ids.empty()) input.dtype = from_.tensors[ids[0]].dtype;
        for (TensorId id : ids) input.sources.push_back(sources_.PlacesOf(id));
      }
      scalar.computed = target.computed != nullptr;
      plan_.scalars.push_back(std::move(scalar));
    }
  }

  // A norm reads its source as one block whose numbers are only an order.
  void AddNorms() {
    for (const index::NormTable& table : index_.norms) {
      Plan::Norm norm;
      norm.size = table.size;
      std::vector<SlotLayout> slots;
      for (uint32_t s = 0; s < table.slot_count; ++s)
        slots.push_back(sources_.SlotOf(index_.slots[table.first_slot + s]));
      if (std::any_of(slots.begin(), slots.end(), [](const SlotLayout& s) { return !s.layout; })) return;
      int64_t elements = 0;
      for (const Piece& piece : index_.relations[table.relation])
        elements = std::max(elements, OutSpan(piece).last + 1);
      Layout whole;
      whole.blocks.emplace_back();
      whole.blocks[0].elements = elements;
      whole.blocks[0].real.push_back({0, 0, 0, 0, 0, {{elements, 1, 1, 0}}});
      Relation boxes = programs_.Boxes(table.relation, slots, whole, 0, false);
      norm.program =
          programs_.FromBoxes(boxes, slots, ElementCount(boxes), table.dtype, 0, Programs::Purpose::kElements);
      norm.first_slot = static_cast<uint32_t>(plan_.slots.size());
      std::vector<uint32_t> list;
      for (uint32_t s = 0; s < table.slot_count; ++s)
        list.push_back(sources_.ShardsOf(index_.slots[table.first_slot + s]));
      plan_.slots.insert(plan_.slots.end(), list.begin(), list.end());
      plan_.norms.push_back(norm);
    }
  }

  const bind::Program& program_;
  const index::IndexProgram& index_;
  const Schema& schema_;
  const End& from_;
  const End& to_;
  Resources resources_;
  diag::Diagnostics& diagnostics_;
  Plan plan_;
  Layouts to_layouts_;
  SourceBlocks sources_;
  Programs programs_;
  Scales scales_;
  Agreements agreements_;
  std::vector<std::optional<Placed>> placed_;  // by target
};

}  // namespace

std::optional<Plan> BuildPlan(const bind::Program& program, const index::IndexProgram& index, const Schema& source,
                              const LayOut& lay_out, const std::vector<int64_t>& ranks, const Resources& resources,
                              diag::Diagnostics& diagnostics) {
  return Builder(program, index, source, resources, diagnostics).Build(lay_out, ranks);
}

}  // namespace aoa::plan
