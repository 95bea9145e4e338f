#include "compiler/plan/plain.h"

#include <algorithm>
#include <map>

namespace aoa::plan {
namespace {

// One run of `elements` elements of `width` bytes.
uint32_t AddProgram(Plan& plan, int64_t elements, DType dtype, uint64_t chunk_bytes) {
  Plan::Move move;
  move.how = Plan::How::kRead;
  move.first_digit = static_cast<uint32_t>(plan.digits.size());
  move.in = move.out = dtype;
  if (elements > 1) {
    plan.digits.push_back({elements, 1, 1, 0, elements, 1, 1});
    move.digits = move.inner = 1;
  }
  Plan::BlockProgram program;
  program.first_move = static_cast<uint32_t>(plan.moves.size());
  program.moves = elements > 0 ? 1 : 0;
  program.elements = elements;
  program.width = Width(dtype);
  program.chunk = std::max<int64_t>(1, static_cast<int64_t>(chunk_bytes) / program.width);
  if (elements > 0) plan.moves.push_back(move);
  plan.programs.push_back(program);
  return static_cast<uint32_t>(plan.programs.size() - 1);
}

}  // namespace

Plan PlainPlan(const Schema& schema, uint64_t chunk_bytes, std::vector<PlainTensor>& tensors) {
  Plan plan;
  plan.chains.emplace_back();
  plan.job_memory = chunk_bytes;
  std::map<std::pair<int64_t, DType>, uint32_t> programs;
  for (uint32_t f = 0; f < schema.files.size(); ++f) {
    const SchemaFile& file = schema.files[f];
    plan.in_files.push_back({file.path, file.size});
    for (const StoredTensor& stored : schema.tables[file.table]) {
      int64_t elements = ElementCount(schema.shapes[stored.shape]);
      auto [it, added] = programs.try_emplace({elements, stored.dtype}, 0);
      if (added) it->second = AddProgram(plan, elements, stored.dtype, chunk_bytes);
      Plan::OutShard shard;
      shard.program = it->second;
      shard.first_slot = static_cast<uint32_t>(plan.slots.size());
      shard.target = static_cast<uint32_t>(tensors.size());
      plan.slots.push_back(static_cast<uint32_t>(plan.in_shards.size()));
      plan.in_shards.push_back({f, file.data_start + stored.begin});
      plan.out_shards.push_back(shard);
      tensors.push_back({stored.name, stored.shape, stored.dtype, file.rank});
    }
  }
  return plan;
}

}  // namespace aoa::plan
