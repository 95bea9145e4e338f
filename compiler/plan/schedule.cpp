#include "compiler/plan/schedule.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

namespace aoa::plan {
namespace {

constexpr int64_t kLeastRun = 4096;      // bytes: what a read or a positioned write must move to be worth its call
constexpr int64_t kLongRun = 256 << 10;  // beyond this calls cost nothing

// The unsigned integer type of an element's width: what moves are keyed by.
DType BitsOf(DType type) {
  switch (Width(type)) {
    case 1:
      return DType::kU8;
    case 2:
      return DType::kU16;
    case 4:
      return DType::kU32;
    default:
      return DType::kU64;
  }
}

class Scheduler {
 public:
  Scheduler(Plan& plan, const Budget& budget) : plan_(plan), budget_(budget) {}

  void Choose(Plan::BlockProgram& program);

 private:
  int64_t UnitOf(const Plan::BlockProgram& program) const;
  int64_t RunOf(const Plan::Move& move) const;
  uint64_t StagingOf(const Plan::Move& move) const;
  bool Wastes(const Plan::Move& move) const;
  void Stage(Plan::BlockProgram& program, Plan::Move& move);
  void Tile(Plan::BlockProgram& program, Plan::Move& move);
  void MakeKernel(const Plan::BlockProgram& program, Plan::Move& move);
  uint32_t InternKernel(KernelKey key);

  Plan& plan_;
  const Budget& budget_;
};

// Job boundaries inside a shard fall on multiples of the unit: the largest out stride that no move's inner digits
// cross, so that a boundary cuts outer digits only.
int64_t Scheduler::UnitOf(const Plan::BlockProgram& program) const {
  std::vector<int64_t> candidates = {program.elements};
  for (uint32_t m = 0; m < program.moves; ++m) {
    const Plan::Move& move = plan_.moves[program.first_move + m];
    for (uint32_t d = 0; d < move.digits; ++d) candidates.push_back(plan_.digits[move.first_digit + d].out);
  }
  std::sort(candidates.rbegin(), candidates.rend());
  auto limit = static_cast<int64_t>(budget_.chunk_bytes) / program.width;
  for (int64_t unit : candidates) {
    if (unit <= 0 || unit > limit) continue;
    bool clean = true;
    for (uint32_t m = 0; m < program.moves && clean; ++m) {
      const Plan::Move& move = plan_.moves[program.first_move + m];
      int64_t inside = move.out_base % unit;  // the reach of the digits below the unit, from the start of a unit
      for (uint32_t d = 0; d < move.digits; ++d) {
        const Plan::Digit& digit = plan_.digits[move.first_digit + d];
        if (digit.out >= unit)
          clean &= digit.out % unit == 0;
        else
          inside += (digit.extent - 1) * digit.out;
      }
      clean &= inside < unit;
    }
    if (clean) return unit;
  }
  return 1;
}

// The staging that a job needs for a move: its spans one after the other.
uint64_t Scheduler::StagingOf(const Plan::Move& move) const {
  if (move.how != Plan::How::kKernel) return 0;
  int64_t elements = 1;
  for (uint32_t d = 0; d < move.digits; ++d) {
    const Plan::Digit& digit = plan_.digits[move.first_digit + d];
    elements += (digit.tile - 1) * digit.staged_in;
  }
  return static_cast<uint64_t>(elements) * static_cast<uint64_t>(Width(move.in));
}

// Gives the digits their tiles (from the chunk) and their places in the staging buffer: digits that lie dense in the
// file are read together as one span, the others one span after the other.
void Scheduler::Stage(Plan::BlockProgram& program, Plan::Move& move) {
  std::vector<uint32_t> order(move.digits);
  std::iota(order.begin(), order.end(), move.first_digit);
  for (uint32_t d : order) {
    Plan::Digit& digit = plan_.digits[d];
    if (!program.tiled)
      digit.tile = digit.out == 0 ? digit.extent : std::min(digit.extent, (program.chunk - 1) / digit.out + 1);
    digit.staged_out = digit.out;
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return plan_.digits[a].in < plan_.digits[b].in; });
  int64_t span = 1, count = 1, width = Width(move.in);
  move.inner = 0;
  size_t i = 0;
  for (; i < order.size(); ++i) {
    Plan::Digit& digit = plan_.digits[order[i]];
    int64_t next = span + (digit.tile - 1) * digit.in;
    int64_t used = digit.in == 0 ? count : count * digit.tile;
    bool dense = next <= 2 * used;  // at least half of the span is needed
    bool near = span * width < kLeastRun &&
                digit.in * width <= 2 * kLeastRun;  // a read of its own would cost more than the gap
    if (!dense && !near) break;
    span = next;
    count = used;
    digit.staged_in = digit.in;
    ++move.inner;
  }
  for (; i < order.size(); ++i) {
    Plan::Digit& digit = plan_.digits[order[i]];
    digit.staged_in = span;
    span *= digit.tile;
  }
}

// The bytes that a read of the move has at least: the span of its inner digits.
int64_t Scheduler::RunOf(const Plan::Move& move) const {
  std::vector<const Plan::Digit*> order;
  for (uint32_t d = 0; d < move.digits; ++d) order.push_back(&plan_.digits[move.first_digit + d]);
  std::stable_sort(order.begin(), order.end(),
                   [](const Plan::Digit* a, const Plan::Digit* b) { return a->in < b->in; });
  int64_t span = 1;
  for (uint32_t i = 0; i < move.inner; ++i) span += (order[i]->tile - 1) * order[i]->in;
  return span * Width(move.in);
}

// Whether a job reads much that it does not need: gaps between short runs, which a larger job would fill.
bool Scheduler::Wastes(const Plan::Move& move) const {
  auto needed = static_cast<uint64_t>(Width(move.in));
  for (uint32_t d = 0; d < move.digits; ++d) {
    const Plan::Digit& digit = plan_.digits[move.first_digit + d];
    if (digit.in > 0) needed *= static_cast<uint64_t>(digit.tile);
  }
  return StagingOf(move) > needed + needed / 4;
}

void Scheduler::Choose(Plan::BlockProgram& program) {
  program.tiled = false;
  program.unit = UnitOf(program);
  int64_t width = program.width;
  auto moves = [&](auto visit) {
    for (uint32_t m = 0; m < program.moves; ++m) visit(plan_.moves[program.first_move + m]);
  };
  const uint64_t limit = program.in_order ? budget_.stream_bytes : budget_.job_bytes;
  // Gives the moves their places for jobs of `chunk` elements. The shortest staged read, or nothing if a job is too
  // large.
  auto stage = [&](int64_t chunk) -> std::optional<int64_t> {
    program.chunk = chunk;
    program.staging = 0;
    int64_t run = INT64_MAX;
    moves([&](Plan::Move& move) {
      Stage(program, move);
      program.staging = std::max(program.staging, StagingOf(move));
      if (move.how == Plan::How::kKernel && chunk < program.elements)
        run = std::min(run, Wastes(move) ? 0 : RunOf(move));
    });
    if (static_cast<uint64_t>(chunk) * static_cast<uint64_t>(width) + program.staging > limit) return std::nullopt;
    return run;
  };
  // The chunk grows until staged reads are long, as long as a job fits into its memory; if they are not then, they must
  // at least be worth their calls.
  int64_t units = std::max<int64_t>(1, static_cast<int64_t>(budget_.chunk_bytes) / width / program.unit);
  int64_t chunk = std::clamp<int64_t>(units * program.unit, 1, std::max<int64_t>(program.elements, 1));
  int64_t fitting = 0, good = 0;
  while (std::optional<int64_t> run = stage(chunk)) {
    fitting = chunk;
    if (*run >= kLeastRun || chunk >= program.elements) good = chunk;
    if (*run >= kLongRun || chunk >= program.elements) break;
    chunk = std::min(chunk * 2, program.elements);
  }
  if (good > 0) {
    stage(good);
  } else if (program.in_order) {  // no tiles: the largest chunk that fits, however short its reads are
    for (chunk = fitting ? fitting : chunk; chunk > program.unit && !stage(chunk);) {
      chunk = std::max(program.unit, chunk / 2 / program.unit * program.unit);
    }
    stage(chunk);
  } else {
    program.tiled = true;
    program.staging = 0;
    moves([&](Plan::Move& move) {
      Tile(program, move);
      auto out = static_cast<uint64_t>(width);
      for (uint32_t d = 0; d < move.digits; ++d) {
        out *= static_cast<uint64_t>(plan_.digits[move.first_digit + d].tile);
      }
      program.staging = std::max(program.staging, StagingOf(move) + out);
    });
  }
  moves([&](Plan::Move& move) { MakeKernel(program, move); });
}

// Tiles of one move: digits are halved, those that keep runs long on both sides first, until a tile fits.
void Scheduler::Tile(Plan::BlockProgram& program, Plan::Move& move) {
  std::vector<Plan::Digit*> digits;
  for (uint32_t d = 0; d < move.digits; ++d) digits.push_back(&plan_.digits[move.first_digit + d]);
  for (Plan::Digit* digit : digits) digit->tile = digit->extent;
  auto size = [&] {
    Stage(program, move);
    uint64_t out = static_cast<uint64_t>(program.width);
    for (Plan::Digit* digit : digits) out *= static_cast<uint64_t>(digit->tile);
    return out + StagingOf(move);
  };
  auto run = [&](bool in) {  // the longest run of a tile on one side, in bytes
    int64_t width = in ? Width(move.in) : program.width, span = 1;
    std::vector<Plan::Digit*> order = digits;
    std::stable_sort(order.begin(), order.end(),
                     [&](Plan::Digit* a, Plan::Digit* b) { return (in ? a->in : a->out) < (in ? b->in : b->out); });
    for (Plan::Digit* digit : order) {
      if ((in ? digit->in : digit->out) != span) break;
      span *= digit->tile;
      if (digit->tile < digit->extent) break;
    }
    return span * width;
  };
  while (size() > budget_.job_bytes) {
    Plan::Digit* best = nullptr;
    int64_t best_run = -1;
    for (Plan::Digit* digit : digits) {
      if (digit->tile == 1) continue;
      int64_t saved = digit->tile;
      digit->tile = (saved + 1) / 2;
      int64_t left = std::min({run(true), run(false), kLeastRun * 16}),
              score = left * 64 + (digit->out > digit->in);  // equal: the outer one of the target
      digit->tile = saved;
      if (score > best_run) {
        best_run = score;
        best = digit;
      }
    }
    if (!best) break;  // one element
    best->tile = (best->tile + 1) / 2;
  }
  Stage(program, move);
  int64_t stride = 1;  // a tile lies dense in its buffer, in the order of the target
  for (size_t d = digits.size(); d-- > 0;) {
    digits[d]->staged_out = stride;
    stride *= digits[d]->tile;
  }
}

void Scheduler::MakeKernel(const Plan::BlockProgram& program, Plan::Move& move) {
  if (move.how != Plan::How::kKernel) return;
  KernelKey key;
  bool plain = move.chain == 0;
  key.in = plain ? BitsOf(move.in) : move.in;
  key.out = plain ? BitsOf(move.out) : move.out;
  if (!plain) key.chain = plan_.chains[move.chain];
  // Digits that a job may cut have an extent that is given at the call; once one is, all outer ones are.
  uint32_t inner_constant = move.digits;
  for (uint32_t d = move.digits; d-- > 0;) {
    const Plan::Digit& digit = plan_.digits[move.first_digit + d];
    bool whole = digit.tile == digit.extent &&
                 (program.tiled || digit.out * digit.extent <= program.unit || program.chunk >= program.elements);
    if (!whole) break;
    inner_constant = d;
  }
  for (uint32_t d = 0; d < move.digits; ++d) {
    const Plan::Digit& digit = plan_.digits[move.first_digit + d];
    key.dims.push_back({d < inner_constant ? 0 : digit.extent, digit.staged_in, digit.staged_out, digit.table});
  }
  move.kernel = InternKernel(std::move(key));
}

uint32_t Scheduler::InternKernel(KernelKey key) {
  auto it = std::find(plan_.kernels.begin(), plan_.kernels.end(), key);
  if (it == plan_.kernels.end()) it = plan_.kernels.insert(it, std::move(key));
  return static_cast<uint32_t>(it - plan_.kernels.begin());
}

}  // namespace

void Schedule(Plan& plan, const Budget& budget) {
  plan.kernels.clear();
  Scheduler scheduler(plan, budget);
  for (Plan::BlockProgram& program : plan.programs) scheduler.Choose(program);
}

}  // namespace aoa::plan
