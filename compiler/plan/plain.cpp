#include "compiler/plan/plain.h"

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/plan/programs.h"

namespace aoa::plan {
namespace {

// How a tensor lies: tensors that lie alike share a program.
struct Form {
  Shape shape;  // one axis of all elements, if they lie row-major
  Shape strides;
  DType dtype = DType::kU8;
  std::optional<DType> held;
  auto operator<=>(const Form&) const = default;
};

Form FormOf(const Schema& schema, const StoredTensor& stored) {
  const Shape& shape = schema.shapes[stored.shape];
  if (stored.strides == StoredTensor::kRowMajor) return {{ElementCount(shape)}, {1}, stored.dtype, stored.held};
  return {shape, schema.shapes[stored.strides], stored.dtype, stored.held};
}

uint32_t AddProgram(Plan& plan, const Form& form, uint64_t chunk_bytes) {
  const int64_t elements = ElementCount(form.shape);
  Plan::Move move;
  move.first_digit = static_cast<uint32_t>(plan.digits.size());
  move.in = form.held.value_or(form.dtype);
  move.out = form.dtype;
  for (const Digit& digit : StridedBlock(form.shape, form.strides).digits) {
    plan.digits.push_back({digit.extent, digit.in, digit.out, 0, digit.extent, digit.in, digit.out});
    ++move.digits;
  }
  const Plan::Digit* only = move.digits == 1 ? &plan.digits[move.first_digit] : nullptr;
  bool run = move.digits == 0 || (only && only->in == 1 && only->out == 1);
  move.how = run && !form.held ? Plan::How::kRead : Plan::How::kScalar;  // what is rare goes element by element
  move.inner = run ? move.digits : 0;
  if (form.held) {
    plan.chains.push_back({{ValueStep::Kind::kCast, form.dtype, Overflow::kInfinity}});
    move.chain = static_cast<uint32_t>(plan.chains.size()) - 1;
  }
  Plan::BlockProgram program;
  program.first_move = static_cast<uint32_t>(plan.moves.size());
  program.moves = elements > 0 ? 1 : 0;
  program.elements = elements;
  program.width = Width(form.dtype);
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
  plan.stores = schema.stores;
  std::map<Form, uint32_t> programs;
  for (uint32_t f = 0; f < schema.files.size(); ++f) {
    const SchemaFile& file = schema.files[f];
    plan.in_files.push_back({file.path, file.size, file.stretches});
    for (const StoredTensor& stored : schema.tables[file.table]) {
      Form form = FormOf(schema, stored);
      auto [it, added] = programs.try_emplace(form, 0);
      if (added) it->second = AddProgram(plan, form, chunk_bytes);
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
