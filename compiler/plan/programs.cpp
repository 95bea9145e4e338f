#include "compiler/plan/programs.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/check.h"
#include "compiler/core/convert.h"
#include "compiler/plan/strided_block.h"

namespace aoa::plan {
namespace {

constexpr size_t kMostPieces = 1 << 22;

// Whether a box is made of runs that are worth a read of their own; one run alone always is.
bool ReadsInPlace(const Piece& piece, int width) {
  if (piece.digits.empty()) return true;
  const Digit& last = piece.digits.back();  // the smallest out stride
  return last.out == 1 && last.in == 1 && (piece.digits.size() == 1 || last.extent * width >= kDirectRun);
}

}  // namespace

Relation Programs::Boxes(const Relation& definition, const std::vector<SlotLayout>& slots, const Layout& target,
                         uint32_t block, bool fill_last) {
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

uint32_t Programs::Template(uint32_t relation, const std::vector<SlotLayout>& slots, const Layout& target, DType out,
                            bool fill_last, uint64_t fill) {
  std::string key = fmt::format("{} {} {} {} {}", relation, static_cast<const void*>(&target), static_cast<int>(out),
                                fill_last, fill);
  for (const SlotLayout& slot : slots)
    key += fmt::format(" {}:{}:{}", static_cast<const void*>(slot.layout), static_cast<int>(slot.dtype),
                       slot.held ? static_cast<int>(*slot.held) : -1);
  auto [it, added] = template_ids_.try_emplace(std::move(key), static_cast<uint32_t>(templates_.size()));
  if (added)
    templates_.push_back(
        {relation, slots, &target, out, fill_last, fill, std::vector<uint32_t>(target.blocks.size(), kNoBlock)});
  return it->second;
}

uint32_t Programs::Of(uint32_t id, uint32_t block) {
  TargetTemplate& t = templates_[id];
  if (t.programs[block] == kNoBlock) {
    uint32_t program = FromBoxes(Boxes(t.relation, t.slots, *t.target, block, t.fill_last), t.slots,
                                 t.target->blocks[block].elements, t.out, t.fill, purpose_);
    templates_[id].programs[block] = program;
  }
  return templates_[id].programs[block];
}

uint32_t Programs::Part(uint32_t id, uint32_t block, int64_t first, int64_t count) {
  auto [it, added] = parts_.try_emplace({id, block, first, count}, 0);
  if (added) {
    const TargetTemplate t = templates_[id];
    Relation part;
    for (const Piece& piece : Boxes(t.relation, t.slots, *t.target, block, t.fill_last)) {
      for (Piece& box : RestrictOut(piece, first, first + count)) {
        box.out_base -= first;
        part.push_back(std::move(box));
      }
    }
    Canonicalize(part);
    it->second = FromBoxes(part, t.slots, count, t.out, t.fill, purpose_);
  }
  return it->second;
}

uint32_t Programs::Stream(const Shape& shape, const Shape* strides, DType dtype, std::optional<DType> held) {
  Piece piece;
  if (strides) {
    piece = StridedBlock(shape, *strides);
  } else {
    piece.digits = {{ElementCount(shape), 1, 1, 0}};
    Canonicalize(piece);
  }
  return FromBoxes({piece}, {{nullptr, dtype, held}}, ElementCount(shape), dtype, 0, Purpose::kStream);
}

uint32_t Programs::FromBoxes(const Relation& boxes, const std::vector<SlotLayout>& slots, int64_t elements, DType out,
                             uint64_t fill, Purpose purpose) {
  Plan::BlockProgram program;
  program.in_order = purpose == Purpose::kStream;
  program.elements = elements;
  program.width = Width(out);
  program.first_move = static_cast<uint32_t>(plan_.moves.size());
  int64_t covered = 0;
  for (const Piece& piece : boxes) {
    AddMove(piece, slots, out, fill);
    if (purpose == Purpose::kElements) plan_.moves.back().how = Plan::How::kScalar;
    covered += ElementCount(piece);
  }
  AOA_CHECK(covered == elements, fmt::format("the moves of a block fill {} of its {} elements", covered, elements));
  program.moves = static_cast<uint32_t>(plan_.moves.size()) - program.first_move;
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
  for (const Digit& digit : piece.digits)
    plan_.digits.push_back({digit.extent, digit.in, digit.out, digit.table, digit.extent, digit.in, digit.out});
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
    const SlotLayout& slot = slots[move.slot];
    move.in = slot.held.value_or(slot.dtype);
    ValueChain chain = index_.chains[piece.chain];
    if (slot.held) chain.insert(chain.begin(), {ValueStep::Kind::kCast, slot.dtype, Overflow::kInfinity});
    bool mean =
        std::any_of(chain.begin(), chain.end(), [](const ValueStep& s) { return s.kind == ValueStep::Kind::kMean; });
    move.how = mean ? Plan::How::kScalar : Plan::How::kKernel;
    if (chain.empty() && ReadsInPlace(piece, Width(out))) move.how = Plan::How::kRead;
    move.chain = InternChain(chain);
  }
  plan_.moves.push_back(move);
}

uint32_t Programs::InternChain(const ValueChain& wanted) {
  auto it = std::find(plan_.chains.begin(), plan_.chains.end(), wanted);
  if (it == plan_.chains.end()) it = plan_.chains.insert(it, wanted);
  return static_cast<uint32_t>(it - plan_.chains.begin());
}

}  // namespace aoa::plan
