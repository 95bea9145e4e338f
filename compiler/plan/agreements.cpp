#include "compiler/plan/agreements.h"

#include <fmt/format.h>

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
  std::map<uint32_t, std::pair<int64_t, Plan::InShard>> first;
  sources_.EachHolder(id, [&](uint32_t file, uint64_t offset) {
    int64_t rank = sources_.RankOf(file);
    uint32_t block = layout->of_rank[static_cast<size_t>(rank)];
    auto bytes = static_cast<uint64_t>(layout->blocks[block].elements) * static_cast<uint64_t>(Width(tensor.dtype));
    auto [it, added] = first.try_emplace(block, rank, Plan::InShard{file, offset});
    if (added || bytes == 0) return;
    Plan::Agreement agreement;
    agreement.name = NameNumber(id);
    agreement.rank_a = it->second.first;
    agreement.rank_b = rank;
    agreement.a = it->second.second;
    agreement.b = {file, offset};
    agreement.bytes = bytes;
    plan_.agreements.push_back(agreement);
  });
}

uint32_t Agreements::NameNumber(TensorId id) {
  auto [it, added] = name_numbers_.try_emplace(id, static_cast<uint32_t>(plan_.names.size()));
  if (added) plan_.names.push_back(sources_.end().NameOf(id));
  return it->second;
}

}  // namespace aoa::plan
