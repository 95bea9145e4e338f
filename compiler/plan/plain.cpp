#include "compiler/plan/plain.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "compiler/plan/strided_block.h"

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

// A chunk of a tensor in a file.
struct Chunk {
  uint32_t file = 0;
  const StoredTensor* stored = nullptr;
};

// The moves that put the chunks of a tensor together: the i-th from slot i.
uint32_t AddChunks(Plan& plan, const Schema& schema, const std::vector<Chunk>& chunks, uint64_t chunk_bytes) {
  const StoredTensor& first = *chunks[0].stored;
  const Shape& whole = schema.shapes[first.whole];
  Plan::BlockProgram program;
  program.first_move = static_cast<uint32_t>(plan.moves.size());
  program.elements = ElementCount(whole);
  program.width = Width(first.dtype);
  program.chunk = std::max<int64_t>(1, static_cast<int64_t>(chunk_bytes) / program.width);
  for (uint32_t slot = 0; slot < chunks.size(); ++slot) {
    const StoredTensor& stored = *chunks[slot].stored;
    const Shape &shape = schema.shapes[stored.shape], &at = schema.shapes[stored.at];
    if (ElementCount(shape) == 0) continue;
    Piece box;
    int64_t out = 1, in = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      int64_t stride = stored.strides == StoredTensor::kRowMajor ? in : schema.shapes[stored.strides][i];
      box.digits.push_back({shape[i], out, stride, 0});
      box.out_base += at[i] * out;
      out *= whole[i];
      in *= shape[i];
    }
    Canonicalize(box);
    Plan::Move move;
    move.slot = slot;
    move.in = move.out = first.dtype;
    move.out_base = box.out_base;
    move.first_digit = static_cast<uint32_t>(plan.digits.size());
    move.digits = static_cast<uint32_t>(box.digits.size());
    for (const Digit& digit : box.digits)
      plan.digits.push_back({digit.extent, digit.in, digit.out, 0, digit.extent, digit.in, digit.out});
    bool runs = box.digits.empty() || (box.digits.back().in == 1 && box.digits.back().out == 1);
    move.how = runs ? Plan::How::kRead : Plan::How::kScalar;
    plan.moves.push_back(move);
    ++program.moves;
  }
  plan.programs.push_back(program);
  return static_cast<uint32_t>(plan.programs.size() - 1);
}

// Tensors in chunks as wholes, of copies the first; by name.
void AddChunked(const Schema& schema, uint64_t chunk_bytes, Plan& plan, std::vector<PlainTensor>& tensors) {
  std::map<uint32_t, std::vector<Chunk>> chunked;
  std::set<std::pair<uint32_t, Shape>> seen;
  for (uint32_t f = 0; f < schema.files.size(); ++f) {
    for (const StoredTensor& stored : schema.tables[schema.files[f].table]) {
      if (stored.whole == StoredTensor::kNoChunk || !seen.emplace(stored.name, schema.shapes[stored.at]).second)
        continue;
      chunked[stored.name].push_back({f, &stored});
    }
  }
  for (const auto& [name, chunks] : chunked) {
    Plan::OutShard shard;
    shard.program = AddChunks(plan, schema, chunks, chunk_bytes);
    shard.first_slot = static_cast<uint32_t>(plan.slots.size());
    shard.target = static_cast<uint32_t>(tensors.size());
    for (const Chunk& chunk : chunks) {
      plan.slots.push_back(static_cast<uint32_t>(plan.in_shards.size()));
      plan.in_shards.push_back({chunk.file, schema.files[chunk.file].data_start + chunk.stored->begin});
    }
    plan.out_shards.push_back(shard);
    tensors.push_back({name, chunks[0].stored->whole, chunks[0].stored->dtype, 0});
  }
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
      if (stored.whole != StoredTensor::kNoChunk) continue;
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
  AddChunked(schema, chunk_bytes, plan, tensors);
  return plan;
}

}  // namespace aoa::plan
