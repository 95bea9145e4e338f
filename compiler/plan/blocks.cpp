#include "compiler/plan/blocks.h"

#include <algorithm>

#include "compiler/plan/content.h"
#include "compiler/plan/programs.h"

namespace aoa::plan {
namespace {

Shape Strides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// The index of the block that an element is in, along every axis.
Shape BlockOf(int64_t element, const Shape& shape, const std::vector<int64_t>& blocks) {
  Shape strides = Strides(shape), out;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t at = element / strides[i] % shape[i];
    out.push_back(at / (i < blocks.size() ? blocks[i] : 1));
  }
  return out;
}

// The elements of a block, as a box of the tensor's element numbers (on both sides of the piece).
Piece BoxOf(const Shape& block, const Shape& shape, const std::vector<int64_t>& blocks) {
  Shape strides = Strides(shape);
  Piece box;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t size = i < blocks.size() ? blocks[i] : 1, first = block[i] * size,
            extent = std::min(size, shape[i] - first);
    box.out_base += first * strides[i];
    box.digits.push_back({extent, strides[i], strides[i], 0});
  }
  box.in_base = box.out_base;
  Canonicalize(box);
  return box;
}

int64_t Number(const Shape& index, const Shape& shape) {
  int64_t number = 0;
  for (size_t i = 0; i < shape.size(); ++i) number = number * shape[i] + index[i];
  return number;
}

}  // namespace

std::optional<Relation> ScaleBoxes(const ScaleRequest& request) {
  Shape scales = ScaleShape(request.shape, request.blocks);
  Relation out;
  Shape block(scales.size(), 0);
  for (int64_t n = 0, count = ElementCount(scales); n < count; ++n) {
    Piece box = BoxOf(block, request.shape, request.blocks);
    std::optional<std::pair<uint32_t, int64_t>> found;  // (source, scale)
    for (const Piece& move : request.boxes) {
      std::vector<Piece> parts;  // out: elements of the target's block; in: of the source's
      if (!Compose(move, box, parts, 1 << 16)) return std::nullopt;
      for (const Piece& part : parts) {
        if (ElementCount(part) == 0 || move.source == Piece::kConstant) continue;
        const ScaleSlot& slot = request.slots[move.source >> Programs::kBlockBits];
        const View& view = slot.layout->blocks[move.source & ((1u << Programs::kBlockBits) - 1)];
        Shape source = BlockOf(part.in_base, view.shape, slot.blocks);
        // All elements of the part must lie in the block that its first one lies in.
        std::vector<Piece> inside;
        if (!Compose(Invert(part), BoxOf(source, view.shape, slot.blocks), inside, 1 << 16)) return std::nullopt;
        int64_t held = 0;
        for (const Piece& p : inside) held += ElementCount(p);
        std::pair scale(move.source, Number(source, ScaleShape(view.shape, slot.blocks)));
        if (held != ElementCount(part) || (found && *found != scale)) return std::nullopt;
        found = scale;
      }
    }
    Piece one;
    one.out_base = n;
    one.source = found ? found->first : Piece::kConstant;  // a block of filler only
    one.in_base = found ? found->second : Programs::kFiller;
    out.push_back(one);
    for (size_t i = scales.size(); i-- > 0;) {
      if (++block[i] < scales[i]) break;
      block[i] = 0;
    }
  }
  Canonicalize(out);
  return out;
}

}  // namespace aoa::plan
