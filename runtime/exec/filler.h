// Filling a byte range of a target file, or a tile of one, from the sources: what a job does before it writes.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/buffer.h"
#include "runtime/exec/elements.h"
#include "runtime/exec/sources.h"

namespace aoa::exec {

// The code of plan.kernels[index]; waits until it is compiled. Safe from any thread.
using Kernels = std::function<Result<KernelFunction>(uint32_t index)>;
// The name of a target tensor, for messages.
using TargetName = std::function<std::string(uint32_t target)>;

// What all workers of a run share.
struct FillContext {
  const Plan& plan;
  Sources& sources;
  Kernels kernels;  // empty: elements are moved one at a time (the reference)
  TargetName target_name;
  std::vector<std::vector<double>> norms;  // of plan.norms
};

// One worker's buffers. A filler serves one thread.
class Filler {
 public:
  explicit Filler(const FillContext& context) : context_(context), plan_(context.plan), elements_(context.sources) {}

  // Fills `out` with the bytes [job.lo, job.hi) of the job's file. Not for tiles.
  Status Range(const Plan::Job& job, std::span<std::byte> out);

  // The elements [lo, hi) of a shard, which are multiples of its program's unit (or its end).
  Status Elements(const Plan::OutShard& shard, int64_t lo, int64_t hi, std::span<std::byte> out);

  // A tile, dense in `out` in the order of its digits.
  Status Tile(const Plan::Job& job, std::span<std::byte> out);
  // Where a tile goes: calls visit(place in the file, place in `out`, bytes) for its runs, in the order of the file.
  using VisitRun = std::function<Status(uint64_t offset, size_t at, size_t bytes)>;
  Status EachRun(const Plan::Job& job, const VisitRun& visit) const;

  // Asks the system for what a job will read, without waiting.
  void Prefetch(const Plan::Job& job);

  // Copies what a program's constants put into [lo, hi) to `out`: padding, which comparisons leave out.
  void Constants(const Plan::BlockProgram& program, int64_t lo, int64_t hi, std::span<std::byte> out);

 private:
  // A sub-box of a move on its way to a buffer.
  struct Box {
    const Plan::Move& move;
    const Plan::OutShard& shard;
    std::vector<int64_t> first, count;  // of every digit
    std::byte* out = nullptr;           // where the element with the first indices goes
    bool tile = false;                  // strides in the buffer are the staged ones
  };

  Box TileBox(const Plan::Job& job, std::byte* out) const;
  Status Fill(const Box& box);
  Status Constant(const Box& box);
  Status Direct(const Box& box);
  Status Staged(const Box& box);
  Status ElementWise(const Box& box);
  Status ReadSpans(const Box& box);
  Status Mistake(const Box& box, int64_t element, uint32_t flags) const;

  const Plan::Digit& DigitOf(const Plan::Move& move, size_t i) const { return plan_.digits[move.first_digit + i]; }
  int64_t OutStride(const Box& box, size_t i) const {
    return box.tile ? DigitOf(box.move, i).staged_out : DigitOf(box.move, i).out;
  }
  void PrefetchStretch(const Plan::InShard& source, uint64_t offset, uint64_t length);
  // The element of the source block that the box's first one is.
  int64_t InStart(const Box& box) const;
  const Plan::InShard& Source(const Box& box) const {
    return plan_.in_shards[plan_.slots[box.shard.first_slot + box.move.slot] + box.move.block];
  }
  // The digits by rising in stride.
  std::vector<size_t> ByIn(const Plan::Move& move) const;

  const FillContext& context_;
  const Plan& plan_;
  ElementReader elements_;
  Buffer staging_;
  std::vector<std::span<std::byte>> parts_;
  bool prefetching_ = false;  // boxes are walked, but nothing is read
  int prefetches_ = 0;
};

}  // namespace aoa::exec
