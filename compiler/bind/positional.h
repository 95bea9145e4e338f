// Paddle's statements as axis types.
//
// `gate^T, up^T -> gu, axis=1` names no variables; what it means follows from the shapes of its tensors. Given these,
// every such statement is written as types whose pieces match one by one: the example, for gate and up of shape [f, h],
// is
//
//     gate [p0 x0], up [p1 x0] -> gu [x0 (p0 + p1)]
//
// so that everything behind (proof, index, layouts) knows types only. What Paddle takes silently and gets wrong is an
// error here: unequal extents beside the joined axis, widths that heads do not divide, an axis where ranks hold parts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/bind/attributes.h"
#include "compiler/bind/program.h"

namespace aoa::bind {

// An operand as the statement is about to use it.
struct PositionalOperand {
  std::string text;  // its name, for messages
  SourceRange where;
  bool blank = false;          // _: a part that nobody wants
  bool transposed = false;     // ^T
  std::optional<Shape> shape;  // of the tensor: always known on the run's source end, on the other if declared
  const TensorType* declared = nullptr;  // its type, if it is declared with one
  const Mesh* mesh = nullptr;            // that cuts it
};

// The view of a statement whose elements move by shape. `left` and `right` are the sides as written (an arrow to the
// left is turned around before); `inverse` says that right is the run's source. Nothing, and diagnostics, if the shapes
// do not fit.
std::optional<RuleView> MakePositionalView(const Attributes& attributes, const std::vector<PositionalOperand>& left,
                                           const std::vector<PositionalOperand>& right, bool inverse,
                                           diag::Diagnostics& diagnostics);

// One tensor of this shape, axis by axis: [x0 x1 ..].
TensorType PlainType(const Shape& shape);

}  // namespace aoa::bind
