#include "compiler/plan/agreements.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/diag/suggest.h"

namespace aoa::plan {

using bind::Tensor;
using bind::TensorId;

void Agreements::AddTied() {
  for (const index::Agreement& agreement : index_.agreements) AddTied(agreement);
}

void Agreements::AddTied(const index::Agreement& a) {
  const bind::End& end = sources_.end();
  const Layout* copy = sources_.LayoutOf(a.copy);
  if (!copy || !sources_.LayoutOf(a.original)) return;
  DType type = sources_.tensor(a.copy).dtype, original_type = sources_.tensor(a.original).dtype;
  if (type != original_type) {
    std::string what = fmt::format("`{}` is {} and its original `{}` is {}", diag::Printable(end.NameOf(a.copy)),
                                   Name(type), diag::Printable(end.NameOf(a.original)), Name(original_type));
    diagnostics_.Error(diag::Code::kCast, end.families[sources_.tensor(a.copy).family].where, what);
    return;
  }
  std::vector<const StoredTensor*> held(copy->blocks.size());
  sources_.EachHolder(a.copy, [&](uint32_t file, uint64_t offset, const StoredTensor& stored) {
    uint32_t block = sources_.BlockOf(*copy, file, stored);
    const Plan::InShard& shard = plan_.in_shards[sources_.ShardsOf(a.copy) + block];
    if (shard.file == file && shard.offset == offset) held[block] = &stored;
  });
  for (uint32_t b = 0; b < copy->blocks.size(); ++b) {
    const Plan::InShard stored = plan_.in_shards[sources_.ShardsOf(a.copy) + b];
    if (stored.file == Plan::kNoFile || copy->blocks[b].elements == 0) continue;
    std::vector<SlotLayout> slots = {sources_.SlotOf(a.original)};
    Plan::Agreement agreement;
    agreement.name = NameNumber(a.copy);
    agreement.original = NameNumber(a.original);
    agreement.b = stored;
    agreement.program = programs_.FromBoxes(programs_.Boxes(a.relation, slots, *copy, b, false), slots,
                                            copy->blocks[b].elements, type, 0, Programs::Purpose::kStream);
    agreement.first_slot = static_cast<uint32_t>(plan_.slots.size());
    plan_.slots.push_back(sources_.ShardsOf(a.original));
    SetStored(agreement, *held[b], type);
    plan_.agreements.push_back(agreement);
  }
}

void Agreements::AddReplicas() {
  for (TensorId id = 0; id < sources_.end().tensors.size(); ++id) AddReplicas(id);
}

void Agreements::AddReplicas(TensorId id) {
  const bind::End& end = sources_.end();
  const Tensor& tensor = sources_.tensor(id);
  if (!tensor.present || tensor.family == bind::kNoFamily || end.families[tensor.family].blocks_of) return;
  bool scalar = tensor.role >= 0 && end.roles[static_cast<size_t>(tensor.role)].scalar;
  if (scalar || (tensor.role < 0 && tensor.type == bind::kNoType)) return;
  const Layout* layout = sources_.LayoutOf(id);
  if (!layout) return;
  std::map<uint32_t, First> first;
  sources_.EachHolder(id, [&](uint32_t file, uint64_t offset, const StoredTensor& stored) {
    int64_t rank = sources_.RankOf(file);
    uint32_t block = sources_.BlockOf(*layout, file, stored);
    auto bytes = static_cast<uint64_t>(layout->blocks[block].elements) * static_cast<uint64_t>(Width(tensor.dtype));
    auto [it, added] = first.try_emplace(block, First{rank, {file, offset}, &stored});
    if (added || bytes == 0) return;
    Plan::Agreement agreement;
    agreement.name = NameNumber(id);
    agreement.rank_a = it->second.rank;
    agreement.rank_b = rank;
    agreement.a = it->second.shard;
    agreement.b = {file, offset};
    agreement.bytes = bytes;
    if (!sources_.IsPlain(stored) || !sources_.IsPlain(*it->second.stored)) {
      agreement.program = StreamOf(*it->second.stored, tensor.dtype);
      agreement.first_slot = SlotFor(agreement.a);
      SetStored(agreement, stored, tensor.dtype);
    }
    plan_.agreements.push_back(agreement);
  });
  AddShared(id, *layout, first);
}

// Blocks that differ may have elements in common: `[(n@tp + k)]` has all of k on every rank. Each is read from one of
// them; the others are compared with that one, block by block.
void Agreements::AddShared(TensorId id, const Layout& layout, const std::map<uint32_t, First>& first) {
  const Tensor& tensor = sources_.tensor(id);
  int64_t elements = 0;  // paddings have numbers too
  for (const Relation& primary : layout.primary) {
    for (const Piece& piece : primary) elements = std::max(elements, OutSpan(piece).last + 1);
  }
  const Relation whole = {{.digits = {{elements, 1, 1, 0}}}};
  for (const auto& [block, own] : first) {
    const View& view = layout.blocks[block];
    if (ElementCount(layout.primary[block]) == ElementCount(view.real)) continue;
    std::vector<SlotLayout> slots = {sources_.SlotOf(id)};
    const Relation boxes = programs_.Boxes(whole, slots, layout, block, false);
    std::set<uint32_t> others;
    for (const Piece& piece : boxes) {
      if (piece.source != Piece::kConstant && piece.source != block) others.insert(piece.source);
    }
    for (uint32_t other : others) {
      const First& theirs = first.at(other);
      Relation shared = boxes;
      for (Piece& piece : shared) {
        if (piece.source == other || piece.source == Piece::kConstant) continue;
        piece.source = Piece::kConstant;  // is not compared
        piece.in_base = Programs::kFiller;
        for (Digit& digit : piece.digits) digit.in = 0;
      }
      Plan::Agreement agreement;
      agreement.name = NameNumber(id);
      agreement.rank_a = theirs.rank;
      agreement.rank_b = own.rank;
      agreement.a = theirs.shard;
      agreement.b = own.shard;
      agreement.program =
          programs_.FromBoxes(shared, slots, view.elements, tensor.dtype, 0, Programs::Purpose::kStream);
      agreement.first_slot = static_cast<uint32_t>(plan_.slots.size());
      plan_.slots.push_back(sources_.ShardsOf(id));
      SetStored(agreement, *own.stored, tensor.dtype);
      plan_.agreements.push_back(agreement);
    }
  }
}

// How block b itself is read, if it is not simply row-major in its own type.
void Agreements::SetStored(Plan::Agreement& agreement, const StoredTensor& stored, DType dtype) {
  if (sources_.IsPlain(stored)) return;
  agreement.stored = StreamOf(stored, dtype);
  agreement.stored_slot = SlotFor(agreement.b);
}

uint32_t Agreements::StreamOf(const StoredTensor& stored, DType dtype) {
  return programs_.Stream(sources_.ShapeOf(stored), sources_.StridesOf(stored), dtype, stored.held);
}

// A slot that reads one block.
uint32_t Agreements::SlotFor(const Plan::InShard& shard) {
  plan_.slots.push_back(static_cast<uint32_t>(plan_.in_shards.size()));
  plan_.in_shards.push_back(shard);
  return static_cast<uint32_t>(plan_.slots.size()) - 1;
}

uint32_t Agreements::NameNumber(TensorId id) {
  auto [it, added] = name_numbers_.try_emplace(id, static_cast<uint32_t>(plan_.names.size()));
  if (added) plan_.names.push_back(sources_.end().NameOf(id));
  return it->second;
}

}  // namespace aoa::plan
