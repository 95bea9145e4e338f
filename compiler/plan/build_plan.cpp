#include "compiler/plan/build_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"
#include "compiler/plan/blocks.h"
#include "compiler/plan/jobs.h"
#include "compiler/plan/programs.h"

namespace aoa::plan {
namespace {

using bind::End;
using bind::Tensor;
using bind::TensorId;
using diag::Code;

class Builder {
 public:
  Builder(const bind::Program& program, const index::IndexProgram& index, const Schema& source, const Resources& resources, diag::Diagnostics& diagnostics)
      : program_(program), index_(index), schema_(source), from_(program.ends.front()), to_(program.ends.back()), resources_(resources), diagnostics_(diagnostics),
        from_layouts_(from_, diagnostics), to_layouts_(to_, diagnostics), programs_(index, plan_, BudgetOf(resources, resources.in_order)), in_order_(index, plan_, BudgetOf(resources, true)) {}

  std::optional<Plan> Build(const LayOut& lay_out, const std::vector<int64_t>& ranks) {
    plan_.chains.emplace_back();
    plan_.threads = resources_.threads;
    auto content = MakeContent(program_, index_, schema_, to_layouts_, ranks, diagnostics_);
    if (!content || diagnostics_.HasErrors()) return std::nullopt;
    auto layout = lay_out(content->target);
    if (!layout) return std::nullopt;
    for (const SchemaFile& file : schema_.files) plan_.in_files.push_back({file.path, file.size});
    PlaceScalars();
    placed_.resize(index_.targets.size());
    for (const TargetFile& file : layout->files) AddFile(file, *content);
    AddNorms();
    AddAgreements();
    if (resources_.check_replicas) AddReplicas();
    if (diagnostics_.HasErrors()) return std::nullopt;
    std::sort(plan_.replicas.begin(), plan_.replicas.end(), [](const auto& a, const auto& b) { return a.in_shard < b.in_shard; });
    MakeJobs(plan_, BudgetOf(resources_, false).chunk_bytes, resources_.part, resources_.parts);
    if (!Account()) return std::nullopt;
    return std::move(plan_);
  }

 private:
  static Budget BudgetOf(const Resources& r, bool in_order) {
    // A job's share of the memory; the rest is for the plan itself. Chunks beyond 16 MiB gain nothing.
    uint64_t share = std::max<uint64_t>(r.memory / static_cast<uint64_t>(r.threads) / 10 * 8, 256 << 10);
    Budget budget;
    budget.job_bytes = std::min<uint64_t>(share, 256 << 20);
    budget.chunk_bytes = std::clamp<uint64_t>(share / 4, 64 << 10, 8 << 20);
    budget.in_order = in_order;
    return budget;
  }

  // ------------------------------------------------------------ where source blocks lie

  // The first in_shard of a source tensor; its blocks follow.
  uint32_t ShardsOf(TensorId id) {
    auto [it, added] = shards_.try_emplace(id, static_cast<uint32_t>(plan_.in_shards.size()));
    if (!added) return it->second;
    const Layout& layout = *LayoutOf(id);
    plan_.in_shards.resize(plan_.in_shards.size() + layout.blocks.size());
    EachHolder(id, [&](uint32_t file, uint64_t offset) {
      uint32_t block = layout.of_rank[static_cast<size_t>(schema_.files[file].rank)];
      Plan::InShard& shard = plan_.in_shards[it->second + block];
      if (shard.file == 0xFFFFFFFF || schema_.files[file].rank < schema_.files[shard.file].rank) shard = {file, offset};
    });
    std::vector<bool> held;
    for (size_t b = 0; b < layout.blocks.size(); ++b) held.push_back(plan_.in_shards[it->second + b].file != 0xFFFFFFFF);
    from_layouts_.CheckHeld(layout, held, diag::Printable(from_.NameOf(id)), WhereOf(id));
    return it->second;
  }

  template <class Visit>
  void EachHolder(TensorId id, Visit visit) const {
    const Tensor& tensor = from_.tensors[id];
    for (uint32_t h = 0; h < tensor.holders; ++h) {
      const bind::Holder& holder = from_.holders[tensor.first_holder + h];
      const bind::FileGroup& group = from_.groups[holder.group];
      const StoredTensor& stored = schema_.tables[group.table][holder.entry];
      for (uint32_t file : group.files) visit(file, schema_.files[file].data_start + stored.begin);
    }
  }

  // The layout of a source tensor; null (and a diagnostic) if a cut does not divide.
  const Layout* LayoutOf(TensorId id) {
    const Tensor& tensor = from_.tensors[id];
    uint32_t type = tensor.role < 0 ? tensor.type : from_.tensors[tensor.weight].type;
    bool flat = tensor.role >= 0 && from_.zero && from_.zero->by.text == "flat";
    return from_layouts_.Of(type, flat, diag::Printable(from_.NameOf(id)), WhereOf(id));
  }

  SourceRange WhereOf(TensorId id) const {
    const Tensor& tensor = from_.tensors[id];
    return tensor.family == bind::kNoFamily ? SourceRange{} : from_.families[tensor.family].where;
  }

  SlotLayout SlotOf(TensorId id) { return {LayoutOf(id), from_.tensors[id].dtype}; }

  // ------------------------------------------------------------ where target tensors lie

  void AddFile(const TargetFile& file, const Content& content) {
    Plan::OutFile out;
    out.path = file.path;
    out.head = file.head;
    out.data_start = file.data_start;
    out.size = file.size;
    out.rank = file.rank;
    out.first_shard = plan_.out_shards.size();
    auto number = static_cast<uint32_t>(plan_.out_files.size());
    for (const PlacedTensor& placed : *file.tensors) {
      const ContentEntry& entry = content.entries[file.table][placed.tensor];
      uint64_t offset = file.data_start + placed.offset;
      if (entry.kind == ContentEntry::Kind::kScalar) {
        plan_.scalar_shards.push_back({number, offset, entry.index});
        continue;
      }
      AddShard(entry, file.rank, offset);
    }
    out.shards = plan_.out_shards.size() - out.first_shard;
    plan_.bytes_written += out.size;
    plan_.out_files.push_back(std::move(out));
  }

  void AddShard(const ContentEntry& entry, int64_t rank, uint64_t offset) {
    Plan::OutShard shard;
    shard.offset = offset;
    shard.target = entry.kind == ContentEntry::Kind::kTensor ? entry.index : static_cast<uint32_t>(index_.targets.size()) + entry.index;
    if (entry.kind == ContentEntry::Kind::kBlocks) {
      if (!AddScales(entry.index, rank, shard)) return;
    } else {
      const Placed* placed = PlacedTarget(entry.index);
      if (!placed) return;
      shard.program = programs_.Of(placed->id, placed->layout->of_rank[static_cast<size_t>(rank)]);
      shard.first_slot = placed->first_slot;
      if (index_.targets[entry.index].norms) shard.norms = *index_.targets[entry.index].norms;
    }
    if (plan_.programs[shard.program].elements > 0) plan_.out_shards.push_back(shard);
  }

  std::optional<std::vector<SlotLayout>> SlotsOf(const index::Target& target) {
    std::vector<SlotLayout> slots;
    for (uint32_t s = 0; s < target.slot_count; ++s) {
      slots.push_back(SlotOf(index_.slots[target.first_slot + s]));
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
    bool flat = tensor.role >= 0 && to_.zero && to_.zero->by.text == "flat";
    placed.emplace();
    placed->layout = to_layouts_.Of(tensor.type, flat, "", {});
    placed->id = programs_.Template(target.relation, *slots, *placed->layout, tensor.dtype, target.fill_last, target.fill.bits);
    std::vector<uint32_t> list;
    for (uint32_t s = 0; s < target.slot_count; ++s) {
      list.push_back(ShardsOf(index_.slots[target.first_slot + s]));
      NoteMeans(index_.slots[target.first_slot + s], list.back());
    }
    placed->first_slot = static_cast<uint32_t>(plan_.slots.size());
    plan_.slots.insert(plan_.slots.end(), list.begin(), list.end());
    return &*placed;
  }

  // All copies of a tensor that is averaged.
  void NoteMeans(TensorId id, uint32_t first) {
    const Tensor& tensor = from_.tensors[id];
    if (tensor.role >= 0 || tensor.family == bind::kNoFamily || !from_.families[tensor.family].mean || means_.contains(first)) return;
    means_.insert(first);
    const Layout& layout = *LayoutOf(id);
    std::map<uint32_t, std::vector<std::pair<int64_t, Plan::InShard>>> copies;
    EachHolder(id, [&](uint32_t file, uint64_t offset) {
      int64_t rank = schema_.files[file].rank;
      copies[layout.of_rank[static_cast<size_t>(rank)]].push_back({rank, {file, offset}});
    });
    for (auto& [block, list] : copies) {
      std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      Plan::Replicas replicas;
      replicas.in_shard = first + block;
      for (const auto& [rank, shard] : list) replicas.all.push_back(shard);
      plan_.replicas.push_back(std::move(replicas));
    }
  }

  // ------------------------------------------------------------ scales, scalars, norms

  bool AddScales(uint32_t number, int64_t rank, Plan::OutShard& shard) {
    const index::BlockTarget& blocks = index_.blocks[number];
    const index::Target& weight = index_.targets[blocks.weight];
    const Tensor& tensor = to_.tensors[weight.tensor];
    const Layout& layout = *to_layouts_.Of(tensor.type, false, "", {});
    uint32_t block = layout.of_rank[static_cast<size_t>(rank)];
    auto slots = SlotsOf(weight);
    if (!slots) return false;
    std::string key = fmt::format("{} {} {}", weight.relation, static_cast<const void*>(&layout), block);
    for (const SlotLayout& slot : *slots) key += fmt::format(" {}", static_cast<const void*>(slot.layout));
    auto [it, added] = scale_programs_.try_emplace(key, kNoBlock);
    if (added) {
      ScaleRequest request{programs_.Boxes(weight.relation, *slots, layout, block, false), layout.blocks[block].shape, to_.families[to_.tensors[blocks.tensor].family].blocks, {}};
      for (uint32_t s = 0; s < weight.slot_count; ++s) {
        const bind::Family& scale = from_.families[from_.tensors[blocks.sources[s]].family];
        request.slots.push_back({(*slots)[s].layout, scale.blocks});
      }
      auto boxes = ScaleBoxes(request);
      if (!boxes) {
        ReportScales(blocks, weight);
        return false;
      }
      std::vector<SlotLayout> scale_slots;
      for (TensorId source : blocks.sources) scale_slots.push_back({nullptr, from_.tensors[source].dtype});
      it->second = programs_.FromBoxes(*boxes, scale_slots, ElementCount(ScaleShape(request.shape, request.blocks)), to_.tensors[blocks.tensor].dtype, 0);
    }
    if (it->second == kNoBlock) return false;
    shard.program = it->second;
    auto list = static_cast<uint32_t>(plan_.slots.size());
    for (uint32_t s = 0; s < weight.slot_count; ++s) plan_.slots.push_back(ScaleShardsOf(blocks.sources[s], *(*slots)[s].layout));
    shard.first_slot = list;
    return true;
  }

  // Scales lie like the blocks of their weight.
  uint32_t ScaleShardsOf(TensorId id, const Layout& weight) {
    auto [it, added] = shards_.try_emplace(id, static_cast<uint32_t>(plan_.in_shards.size()));
    if (!added) return it->second;
    plan_.in_shards.resize(plan_.in_shards.size() + weight.blocks.size());
    const Tensor& tensor = from_.tensors[id];
    const std::vector<int64_t>& blocks = from_.families[tensor.family].blocks;
    for (uint32_t h = 0; h < tensor.holders; ++h) {
      const bind::Holder& holder = from_.holders[tensor.first_holder + h];
      const bind::FileGroup& group = from_.groups[holder.group];
      const StoredTensor& stored = schema_.tables[group.table][holder.entry];
      for (uint32_t file : group.files) {
        uint32_t block = weight.of_rank[static_cast<size_t>(schema_.files[file].rank)];
        Shape expected = ScaleShape(weight.blocks[block].shape, blocks);
        if (schema_.shapes[stored.shape] != expected) {
          diagnostics_.Error(Code::kBlocks, from_.families[tensor.family].where, fmt::format("`{}` {} in {} is not one scale per block", diag::Printable(from_.NameOf(id)), aoa::ToString(schema_.shapes[stored.shape]), schema_.files[file].path))
              .Expected(fmt::format("{} for blocks of {} in {}", aoa::ToString(expected), aoa::ToString(blocks), aoa::ToString(weight.blocks[block].shape)));
          return it->second;
        }
        Plan::InShard& shard = plan_.in_shards[it->second + block];
        if (shard.file == 0xFFFFFFFF || schema_.files[file].rank < schema_.files[shard.file].rank) shard = {file, schema_.files[file].data_start + stored.begin};
      }
    }
    return it->second;
  }

  // A target block that takes its elements from several source blocks. The sizes of the cutting axes that would do are tried.
  void ReportScales(const index::BlockTarget& blocks, const index::Target& weight) {
    const Tensor& scale = to_.tensors[blocks.tensor];
    const Tensor& tensor = to_.tensors[weight.tensor];
    const bind::Family& family = to_.families[scale.family];
    std::string name = diag::Printable(to_.NameOf(weight.tensor));
    auto& d = diagnostics_.Error(Code::kBlocks, family.where, fmt::format("`{}` is cut off the edges of its blocks of {}", name, aoa::ToString(family.blocks)));
    d.Note("a block has one scale: all its elements must come from one block of the source");
    auto slots = SlotsOf(weight);
    for (size_t axis : CuttingAxes(to_.types[tensor.type])) {
      std::vector<std::string> legal;
      for (int64_t size = 1; size <= std::max<int64_t>(to_.mesh.axis(axis).size, 8); ++size) {
        if (axis >= to_.mesh.axes.size()) break;
        Mesh mesh = to_.mesh;
        mesh.axes[axis].size = size;
        auto layout = Layouts::Try(to_, mesh, to_.types[tensor.type]);
        if (!layout) continue;
        bool fits = true;
        for (uint32_t b = 0; b < layout->blocks.size() && fits; ++b) {
          ScaleRequest request{programs_.Boxes(weight.relation, *slots, *layout, b, false), layout->blocks[b].shape, family.blocks, {}};
          for (uint32_t s = 0; s < weight.slot_count; ++s) request.slots.push_back({(*slots)[s].layout, from_.families[from_.tensors[blocks.sources[s]].family].blocks});
          fits = ScaleBoxes(request).has_value();
        }
        if (fits) legal.push_back(std::to_string(size));
      }
      std::string axis_name = to_.mesh.axis(axis).name;
      d.Found(fmt::format("{} = {}", axis_name, to_.mesh.axis(axis).size));
      if (!legal.empty()) d.Help(fmt::format("{} = {} would do", axis_name, diag::Enumerate(legal, 16, " or ")));
    }
  }

  // All copies of scalars: one number per weight, which must be the same everywhere.
  Plan::Places PlacesOf(TensorId id) const {
    Plan::Places places{from_.NameOf(id), {}};
    EachHolder(id, [&](uint32_t file, uint64_t offset) { places.all.push_back({file, offset}); });
    return places;
  }

  void PlaceScalars() {
    for (const index::ScalarTarget& target : index_.scalars) {
      Plan::Scalar scalar;
      scalar.name = to_.NameOf(target.tensor);
      scalar.dtype = to_.tensors[target.tensor].dtype;
      for (TensorId id : target.sources) scalar.sources.push_back(PlacesOf(id));
      for (const auto& [role, ids] : target.inputs) {
        auto& input = scalar.inputs.emplace_back();
        input.role = role;
        if (!ids.empty()) input.dtype = from_.tensors[ids[0]].dtype;
        for (TensorId id : ids) input.sources.push_back(PlacesOf(id));
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
      for (uint32_t s = 0; s < table.slot_count; ++s) slots.push_back(SlotOf(index_.slots[table.first_slot + s]));
      if (std::any_of(slots.begin(), slots.end(), [](const SlotLayout& s) { return !s.layout; })) return;
      int64_t elements = 0;
      for (const Piece& piece : index_.relations[table.relation]) elements = std::max(elements, OutSpan(piece).last + 1);
      Layout whole;
      whole.blocks.emplace_back();
      whole.blocks[0].elements = elements;
      whole.blocks[0].real.push_back({0, 0, 0, 0, 0, {{elements, 1, 1, 0}}});
      Relation boxes = programs_.Boxes(table.relation, slots, whole, 0, false);
      norm.program = programs_.FromBoxes(boxes, slots, ElementCount(boxes), table.dtype, 0, true);
      norm.first_slot = static_cast<uint32_t>(plan_.slots.size());
      std::vector<uint32_t> list;
      for (uint32_t s = 0; s < table.slot_count; ++s) list.push_back(ShardsOf(index_.slots[table.first_slot + s]));
      plan_.slots.insert(plan_.slots.end(), list.begin(), list.end());
      plan_.norms.push_back(norm);
    }
  }

  uint32_t NameNumber(TensorId id) {
    auto [it, added] = name_numbers_.try_emplace(id, static_cast<uint32_t>(plan_.names.size()));
    if (added) plan_.names.push_back(from_.NameOf(id));
    return it->second;
  }

  // A tied copy: every block of it, made from the original, against the block in the files.
  void AddAgreements() {
    for (const index::Agreement& a : index_.agreements) {
      const Layout* copy = LayoutOf(a.copy);
      const Layout* original = LayoutOf(a.original);
      if (!copy || !original) return;
      if (from_.tensors[a.copy].dtype != from_.tensors[a.original].dtype) {
        diagnostics_.Error(Code::kCast, from_.families[from_.tensors[a.copy].family].where, fmt::format("`{}` is {} and its original `{}` is {}", diag::Printable(from_.NameOf(a.copy)), Name(from_.tensors[a.copy].dtype), diag::Printable(from_.NameOf(a.original)), Name(from_.tensors[a.original].dtype)));
        continue;
      }
      for (uint32_t b = 0; b < copy->blocks.size(); ++b) {
        uint32_t first = ShardsOf(a.copy);
        if (plan_.in_shards[first + b].file == 0xFFFFFFFF || copy->blocks[b].elements == 0) continue;
        Plan::Agreement agreement;
        agreement.name = NameNumber(a.copy);
        agreement.original = NameNumber(a.original);
        std::vector<SlotLayout> slots = {SlotOf(a.original)};
        Relation boxes = in_order_.Boxes(a.relation, slots, *copy, b, false);
        agreement.program = in_order_.FromBoxes(boxes, slots, copy->blocks[b].elements, from_.tensors[a.copy].dtype, 0);
        agreement.first_slot = static_cast<uint32_t>(plan_.slots.size());
        plan_.slots.push_back(ShardsOf(a.original));
        agreement.b = plan_.in_shards[first + b];
        plan_.agreements.push_back(std::move(agreement));
      }
    }
  }

  // Every further copy of a block against the one that is read.
  void AddReplicas() {
    for (TensorId id = 0; id < from_.tensors.size(); ++id) {
      const Tensor& tensor = from_.tensors[id];
      if (!tensor.present || tensor.family == bind::kNoFamily || from_.families[tensor.family].blocks_of) continue;
      bool scalar = tensor.role >= 0 && from_.roles[static_cast<size_t>(tensor.role)].scalar;
      if (scalar || (tensor.role < 0 && tensor.type == bind::kNoType)) continue;
      const Layout* layout = LayoutOf(id);
      if (!layout) return;
      std::map<uint32_t, std::pair<int64_t, Plan::InShard>> first;
      EachHolder(id, [&](uint32_t file, uint64_t offset) {
        int64_t rank = schema_.files[file].rank;
        uint32_t block = layout->of_rank[static_cast<size_t>(rank)];
        auto bytes = static_cast<uint64_t>(layout->blocks[block].elements) * static_cast<uint64_t>(Width(tensor.dtype));
        auto [it, added] = first.try_emplace(block, rank, Plan::InShard{file, offset});
        if (added || bytes == 0) return;
        plan_.agreements.push_back({NameNumber(id), kNoBlock, it->second.first, rank, it->second.second, {file, offset}, bytes, kNoBlock, 0});
      });
    }
  }

  // ------------------------------------------------------------ cost

  bool Account() {
    uint64_t worst = 0;
    for (const Plan::Job& job : plan_.jobs) {
      uint64_t staging = 0, out = job.tile ? 0 : job.hi - job.lo;
      for (uint64_t s = job.first_shard; s < job.first_shard + job.shards; ++s) staging = std::max(staging, plan_.programs[plan_.out_shards[s].program].staging);
      worst = std::max(worst, out + staging);
    }
    std::set<uint32_t> read;
    for (const Plan::OutShard& shard : plan_.out_shards) {
      const Plan::BlockProgram& program = plan_.programs[shard.program];
      for (uint32_t m = 0; m < program.moves; ++m) {
        const Plan::Move& move = plan_.moves[program.first_move + m];
        if (move.how == Plan::How::kFill) continue;
        uint64_t elements = static_cast<uint64_t>(Width(move.in));
        for (uint32_t d = 0; d < move.digits; ++d) elements *= static_cast<uint64_t>(plan_.digits[move.first_digit + d].extent);
        plan_.bytes_read += elements;
      }
    }
    uint64_t norms = 0;
    for (const Plan::Norm& norm : plan_.norms) norms += static_cast<uint64_t>(norm.size) * sizeof(double);
    plan_.job_memory = worst;
    plan_.plan_memory = MemoryOf(plan_) + norms;
    plan_.peak_memory = plan_.plan_memory + worst * static_cast<uint64_t>(resources_.threads);
    if (plan_.peak_memory > resources_.memory) {
      uint64_t least = plan_.plan_memory + std::min<uint64_t>(worst, 512 << 10);
      auto& d = diagnostics_.Error(Code::kMemory, {}, fmt::format("--memory: the plan needs {} bytes, {} are allowed", plan_.peak_memory, resources_.memory));
      d.Found(fmt::format("{} for the plan, {} for each of {} threads", plan_.plan_memory, worst, resources_.threads));
      d.Help(fmt::format("`--memory {}M --threads 1` would do", (least >> 20) + 1));
      return false;
    }
    // Rates of an ordinary machine with cached files: reads and writes of one thread each.
    double workers = std::min(2, resources_.threads);
    plan_.seconds = 0.02 + static_cast<double>(plan_.bytes_read) / (5e9 * workers) + static_cast<double>(plan_.bytes_written) / (2.5e9 * workers);
    return true;
  }

  const bind::Program& program_;
  const index::IndexProgram& index_;
  const Schema& schema_;
  const End& from_;
  const End& to_;
  Resources resources_;
  diag::Diagnostics& diagnostics_;
  Plan plan_;
  Layouts from_layouts_, to_layouts_;
  Programs programs_, in_order_;
  std::map<TensorId, uint32_t> shards_;
  std::vector<std::optional<Placed>> placed_;  // by target
  std::map<std::string, uint32_t> scale_programs_;
  std::set<uint32_t> means_;
  std::map<TensorId, uint32_t> name_numbers_;
};

template <class T>
uint64_t BytesOf(const std::vector<T>& v) {
  return v.capacity() * sizeof(T);
}

}  // namespace

uint64_t MemoryOf(const Plan& plan) {
  uint64_t bytes = BytesOf(plan.in_files) + BytesOf(plan.in_shards) + BytesOf(plan.slots) + BytesOf(plan.digits) + BytesOf(plan.moves) + BytesOf(plan.programs) + BytesOf(plan.out_files) +
                   BytesOf(plan.out_shards) + BytesOf(plan.jobs) + BytesOf(plan.scalar_shards) + BytesOf(plan.agreements) + BytesOf(plan.scalars) + BytesOf(plan.names);
  auto places = [](const std::vector<Plan::Places>& list) {
    uint64_t sum = BytesOf(list);
    for (const Plan::Places& p : list) sum += p.name.capacity() + BytesOf(p.all);
    return sum;
  };
  for (const Plan::Scalar& scalar : plan.scalars) {
    bytes += scalar.name.capacity() + places(scalar.sources) + BytesOf(scalar.inputs);
    for (const Plan::Scalar::Input& input : scalar.inputs) bytes += places(input.sources);
  }
  for (const Plan::Replicas& replicas : plan.replicas) bytes += sizeof(replicas) + BytesOf(replicas.all);
  for (const std::string& name : plan.names) bytes += name.capacity();
  std::set<const std::string*> heads;
  for (const Plan::OutFile& file : plan.out_files) {
    for (const auto& part : file.head) {
      if (heads.insert(part.get()).second) bytes += part->capacity();
    }
  }
  return bytes;
}

std::optional<Plan> BuildPlan(const bind::Program& program, const index::IndexProgram& index, const Schema& source, const LayOut& lay_out, const std::vector<int64_t>& ranks,
                              const Resources& resources, diag::Diagnostics& diagnostics) {
  return Builder(program, index, source, resources, diagnostics).Build(lay_out, ranks);
}

}  // namespace aoa::plan
