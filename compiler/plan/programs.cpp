#include "compiler/plan/programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "compiler/core/check.h"
#include "compiler/core/convert.h"

namespace aoa::plan {
namespace {

constexpr size_t kMostPieces = 1 << 22;
constexpr int64_t kLeastRun = 4096;  // bytes: what a read or a positioned write should move at least

// The unsigned integer type of an element's width: what moves are keyed by.
DType BitsOf(DType type) {
  switch (Width(type)) {
    case 1: return DType::kU8;
    case 2: return DType::kU16;
    case 4: return DType::kU32;
    default: return DType::kU64;
  }
}

}  // namespace

Relation Programs::Boxes(uint32_t relation, const std::vector<SlotLayout>& slots, const Layout& target, uint32_t block, bool fill_last) {
  const Relation& definition = index_.relations[relation];
  auto take = [](uint32_t a, uint32_t) { return a; };
  Relation whole;  // out: the block; in: whole source tensors
  const View& view = target.blocks[block];
  bool ok = true;
  auto compose = [&](const Relation& first, const Relation& second, uint32_t middle, Relation& result) {
    ok = ok && Compose(first, second, middle, take, result, kMostPieces);
  };
  compose(definition, view.real, 0, whole);
  if (fill_last) {
    compose(definition, view.filler, 0, whole);
  } else {
    for (Piece piece : view.filler) {
      piece.source = Piece::kConstant;
      piece.in_base = kFiller;
      for (Digit& digit : piece.digits) digit.in = 0;
      whole.push_back(std::move(piece));
    }
  }
  Relation boxes;
  for (Piece& piece : whole) {
    if (piece.source == Piece::kConstant) {
      boxes.push_back(std::move(piece));
      continue;
    }
    const Layout& source = *slots[piece.source].layout;
    uint32_t slot = piece.source;
    Relation one = {piece};
    Span wanted = InSpan(piece);
    for (uint32_t b = 0; b < source.primary.size(); ++b) {
      if (source.primary[b].empty()) continue;
      Relation found;
      bool near = std::any_of(source.primary[b].begin(), source.primary[b].end(), [&](const Piece& p) {
        Span span = OutSpan(p);
        return span.first <= wanted.last && wanted.first <= span.last;
      });
      if (near) compose(source.primary[b], one, slot, found);
      for (Piece& box : found) {
        box.source = slot << kBlockBits | b;
        box.chain = piece.chain;
        boxes.push_back(std::move(box));
      }
    }
  }
  AOA_CHECK(ok, "a relation of too many boxes");
  Canonicalize(boxes);
  return boxes;
}

uint32_t Programs::Template(uint32_t relation, const std::vector<SlotLayout>& slots, const Layout& target, DType out, bool fill_last, uint64_t fill) {
  std::string key = fmt::format("{} {} {} {} {}", relation, static_cast<const void*>(&target), static_cast<int>(out), fill_last, fill);
  for (const SlotLayout& slot : slots) key += fmt::format(" {}:{}", static_cast<const void*>(slot.layout), static_cast<int>(slot.dtype));
  auto [it, added] = template_ids_.try_emplace(std::move(key), static_cast<uint32_t>(templates_.size()));
  if (added) templates_.push_back({relation, slots, &target, out, fill_last, fill, std::vector<uint32_t>(target.blocks.size(), kNoBlock)});
  return it->second;
}

uint32_t Programs::Of(uint32_t id, uint32_t block) {
  TargetTemplate& t = templates_[id];
  if (t.programs[block] == kNoBlock) {
    uint32_t program = FromBoxes(Boxes(t.relation, t.slots, *t.target, block, t.fill_last), t.slots, t.target->blocks[block].elements, t.out, t.fill);
    templates_[id].programs[block] = program;
  }
  return templates_[id].programs[block];
}

uint32_t Programs::FromBoxes(const Relation& boxes, const std::vector<SlotLayout>& slots, int64_t elements, DType out, uint64_t fill, bool scalar) {
  Plan::BlockProgram program;
  program.elements = elements;
  program.width = Width(out);
  program.first_move = static_cast<uint32_t>(plan_.moves.size());
  int64_t covered = 0;
  for (const Piece& piece : boxes) {
    AddMove(piece, slots, out, fill);
    if (scalar) plan_.moves.back().how = Plan::How::kScalar;
    covered += ElementCount(piece);
  }
  AOA_CHECK(covered == elements, fmt::format("the moves of a block fill {} of its {} elements", covered, elements));
  program.moves = static_cast<uint32_t>(plan_.moves.size()) - program.first_move;
  Choose(program);
  plan_.programs.push_back(program);
  return static_cast<uint32_t>(plan_.programs.size()) - 1;
}

void Programs::AddMove(const Piece& piece, const std::vector<SlotLayout>& slots, DType out, uint64_t fill) {
  Plan::Move move;
  move.out = out;
  move.in = out;
  move.out_base = piece.out_base;
  move.in_base = piece.in_base;
  move.table_base = piece.table_base;
  move.chain = piece.chain;
  move.first_digit = static_cast<uint32_t>(plan_.digits.size());
  move.digits = static_cast<uint32_t>(piece.digits.size());
  for (const Digit& digit : piece.digits) plan_.digits.push_back({digit.extent, digit.in, digit.out, digit.table, digit.extent, digit.in, digit.out});
  if (piece.source == Piece::kConstant) {
    move.how = Plan::How::kFill;
    move.in_base = 0;
    if (piece.in_base == kFiller) {
      move.constant = fill;
    } else {
      const index::Constant& constant = index_.constants[static_cast<size_t>(piece.in_base)];
      uint32_t flags = 0;
      move.constant = Apply(index_.chains[piece.chain], constant.dtype, constant.bits, 1, flags);
    }
    move.chain = 0;
  } else {
    move.slot = piece.source >> kBlockBits;
    move.block = piece.source & ((1u << kBlockBits) - 1);
    move.in = slots[move.slot].dtype;
    const ValueChain& chain = index_.chains[piece.chain];
    bool mean = std::any_of(chain.begin(), chain.end(), [](const ValueStep& s) { return s.kind == ValueStep::Kind::kMean; });
    move.how = mean ? Plan::How::kScalar : Plan::How::kKernel;
    if (chain.empty() && !piece.digits.empty()) {
      const Digit& last = piece.digits.back();  // the smallest out stride
      if (last.out == 1 && last.in == 1 && last.extent * Width(out) >= kDirectRun) move.how = Plan::How::kRead;
    }
  }
  plan_.moves.push_back(move);
}

// ---------------------------------------------------------------- how a program is carried out

// Job boundaries inside a shard fall on multiples of the unit: the largest out stride that no move's inner digits cross, so
// that a boundary cuts outer digits only.
int64_t Programs::UnitOf(const Plan::BlockProgram& program) const {
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
        if (digit.out >= unit) clean &= digit.out % unit == 0;
        else inside += (digit.extent - 1) * digit.out;
      }
      clean &= inside < unit;
    }
    if (clean) return unit;
  }
  return 1;
}

// The staging that a job needs for a move: its spans one after the other.
uint64_t Programs::StagingOf(const Plan::Move& move) const {
  if (move.how != Plan::How::kKernel) return 0;
  int64_t elements = 1;
  for (uint32_t d = 0; d < move.digits; ++d) {
    const Plan::Digit& digit = plan_.digits[move.first_digit + d];
    elements += (digit.tile - 1) * digit.staged_in;
  }
  return static_cast<uint64_t>(elements) * static_cast<uint64_t>(Width(move.in));
}

// Gives the digits their tiles (from the chunk) and their places in the staging buffer: digits that lie dense in the file
// are read together as one span, the others one span after the other.
void Programs::Stage(Plan::BlockProgram& program, Plan::Move& move) {
  std::vector<uint32_t> order(move.digits);
  std::iota(order.begin(), order.end(), move.first_digit);
  for (uint32_t d : order) {
    Plan::Digit& digit = plan_.digits[d];
    if (!program.tiled) digit.tile = digit.out == 0 ? digit.extent : std::min(digit.extent, (program.chunk - 1) / digit.out + 1);
    digit.staged_out = digit.out;
  }
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return plan_.digits[a].in < plan_.digits[b].in; });
  int64_t span = 1, count = 1, width = Width(move.in);
  move.inner = 0;
  size_t i = 0;
  for (; i < order.size(); ++i) {
    Plan::Digit& digit = plan_.digits[order[i]];
    int64_t next = span + (digit.tile - 1) * digit.in;
    int64_t used = digit.in == 0 ? count : count * digit.tile;
    bool dense = next <= 2 * used;                                                       // at least half of the span is needed
    bool near = span * width < kLeastRun && digit.in * width <= 2 * kLeastRun;           // a read of its own would cost more than the gap
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
int64_t RunOf(const Plan& plan, const Plan::Move& move) {
  std::vector<const Plan::Digit*> order;
  for (uint32_t d = 0; d < move.digits; ++d) order.push_back(&plan.digits[move.first_digit + d]);
  std::stable_sort(order.begin(), order.end(), [](const Plan::Digit* a, const Plan::Digit* b) { return a->in < b->in; });
  int64_t span = 1;
  for (uint32_t i = 0; i < move.inner; ++i) span += (order[i]->tile - 1) * order[i]->in;
  return span * Width(move.in);
}

void Programs::Choose(Plan::BlockProgram& program) {
  program.unit = UnitOf(program);
  int64_t width = program.width;
  auto moves = [&](auto visit) {
    for (uint32_t m = 0; m < program.moves; ++m) visit(plan_.moves[program.first_move + m]);
  };
  // Gives the moves their places for jobs of `chunk` elements. The shortest staged read, or nothing if a job is too large.
  auto stage = [&](int64_t chunk) -> std::optional<int64_t> {
    program.chunk = chunk;
    program.staging = 0;
    int64_t run = INT64_MAX;
    moves([&](Plan::Move& move) {
      Stage(program, move);
      program.staging = std::max(program.staging, StagingOf(move));
      if (move.how == Plan::How::kKernel && chunk < program.elements) run = std::min(run, RunOf(plan_, move));
    });
    if (static_cast<uint64_t>(chunk) * static_cast<uint64_t>(width) + program.staging > budget_.job_bytes) return std::nullopt;
    return run;
  };
  // The chunk grows until every staged read moves enough, as long as a job fits into its memory.
  int64_t units = std::max<int64_t>(1, static_cast<int64_t>(budget_.chunk_bytes) / width / program.unit);
  int64_t chunk = std::clamp<int64_t>(units * program.unit, 1, std::max<int64_t>(program.elements, 1)), fitting = 0;
  std::optional<int64_t> run;
  while ((run = stage(chunk))) {
    fitting = chunk;
    if (*run >= kLeastRun || chunk >= program.elements) break;
    chunk = std::min(chunk * 2, program.elements);
  }
  if (!run && budget_.in_order) {  // no tiles: the largest chunk that fits, however short its reads are
    for (chunk = fitting ? fitting : chunk; chunk > program.unit && !stage(chunk);) chunk = std::max(program.unit, chunk / 2 / program.unit * program.unit);
    stage(chunk);
  } else if (!run) {
    program.tiled = true;
    program.staging = 0;
    moves([&](Plan::Move& move) {
      Tile(program, move);
      uint64_t out = static_cast<uint64_t>(width);
      for (uint32_t d = 0; d < move.digits; ++d) out *= static_cast<uint64_t>(plan_.digits[move.first_digit + d].tile);
      program.staging = std::max(program.staging, StagingOf(move) + out);
    });
  }
  moves([&](Plan::Move& move) { MakeKernel(program, move); });
}

// Tiles of one move: digits are halved, those that keep runs long on both sides first, until a tile fits.
void Programs::Tile(Plan::BlockProgram& program, Plan::Move& move) {
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
    std::stable_sort(order.begin(), order.end(), [&](Plan::Digit* a, Plan::Digit* b) { return (in ? a->in : a->out) < (in ? b->in : b->out); });
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
      int64_t left = std::min({run(true), run(false), kLeastRun * 16}), score = left * 64 + (digit->out > digit->in);  // equal: the outer one of the target
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

void Programs::MakeKernel(const Plan::BlockProgram& program, Plan::Move& move) {
  if (move.chain != 0) move.chain = InternChain(move.chain);
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
    bool whole = digit.tile == digit.extent && (program.tiled || digit.out * digit.extent <= program.unit || program.chunk >= program.elements);
    if (!whole) break;
    inner_constant = d;
  }
  for (uint32_t d = 0; d < move.digits; ++d) {
    const Plan::Digit& digit = plan_.digits[move.first_digit + d];
    key.dims.push_back({d < inner_constant ? 0 : digit.extent, digit.staged_in, digit.staged_out, digit.table});
  }
  move.kernel = InternKernel(std::move(key));
}

uint32_t Programs::InternKernel(KernelKey key) {
  auto it = std::find(plan_.kernels.begin(), plan_.kernels.end(), key);
  if (it == plan_.kernels.end()) it = plan_.kernels.insert(it, std::move(key));
  return static_cast<uint32_t>(it - plan_.kernels.begin());
}

uint32_t Programs::InternChain(uint32_t chain) {
  if (plan_.chains.empty()) plan_.chains.emplace_back();
  const ValueChain& wanted = index_.chains[chain];
  for (uint32_t i = 0; i < plan_.chains.size(); ++i) {
    if (plan_.chains[i] == wanted) return i;
  }
  plan_.chains.push_back(wanted);
  return static_cast<uint32_t>(plan_.chains.size()) - 1;
}

}  // namespace aoa::plan
