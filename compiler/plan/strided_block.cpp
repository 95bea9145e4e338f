#include "compiler/plan/strided_block.h"

namespace aoa::plan {

Piece StridedBlock(const Shape& shape, const Shape& strides) {
  Piece piece;
  int64_t out = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    piece.digits.push_back({shape[i], out, strides[i], 0});
    out *= shape[i];
  }
  Canonicalize(piece);
  return piece;
}

}  // namespace aoa::plan
