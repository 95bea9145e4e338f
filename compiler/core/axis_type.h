// Axis types: how the axes of a tensor are laid out, and what follows from that.
//
// A type is a list of axes; an axis is a tree of named indices, products (flattened, left slowest), sums (concatenated,
// left first) and paddings, any of which a mesh axis may cut. Two questions are asked of it:
//
//  - *Pieces*: distributing products over sums gives an ordered list of boxes of variables (axis 0 outermost, left
//  summand
//    first), each with an affine map to element numbers. Statements are typed by comparing these lists.
//  - *Views*: what a rank holds. "The local tensor is the same type with x restricted": a view is the relation from the
//    rank's own element numbers to those of the whole tensor, filler included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/core/index_map.h"
#include "compiler/core/mesh.h"
#include "compiler/core/schema.h"
#include "compiler/core/source.h"

namespace aoa {

struct Cut {
  enum class Rounding { kEven, kCeil, kFront };
  size_t axis = 0;  // of the mesh (Mesh::axis)
  Rounding rounding = Rounding::kEven;
  bool operator==(const Cut&) const = default;
};

struct Axis {
  static constexpr int64_t kUnknown = -1;          // the extent of a symbol, before a checkpoint fixes it
  static constexpr int64_t kTooLarge = 1ll << 60;  // no tensor has so many elements; larger extents count as this

  enum class Kind { kVariable, kOne, kProduct, kSum, kPad };
  Kind kind = Kind::kOne;
  std::string variable;         // kVariable: its name; literals are variables; the i-th `_` is "_:i"
  int64_t extent = kUnknown;    // kVariable
  int64_t multiple = kUnknown;  // kPad
  std::vector<Axis> parts;      // kProduct, kSum; kPad has one
  std::vector<Cut> cuts;        // outermost first
  SourceRange where;
};

struct TensorType {
  std::vector<Axis> axes;
  std::optional<std::vector<Axis>> stored;  // the shape that the file gives; the element order is that of `axes`
};

// The next multiple: what a padding makes of an extent.
inline int64_t RoundUp(int64_t extent, int64_t multiple) { return (extent + multiple - 1) / multiple * multiple; }

// ---------------------------------------------------------------- the whole tensor

// The extent of a whole axis, padding included; kUnknown if a part of it is.
int64_t Extent(const Axis& axis);
// The shape in a file that holds the whole tensor (`stored` if there is one); extents must be known.
Shape WholeShape(const TensorType& type);
// Number of elements of the whole tensor, padding included; kUnknown, or at most kTooLarge.
int64_t ElementCount(const TensorType& type);

// One index of a piece: a variable with its extent and its stride in the whole tensor's element numbers.
struct PieceVariable {
  std::string name;
  int64_t extent = Axis::kUnknown;
  int64_t stride = 0;  // 0 while extents are unknown
};

struct TypePiece {
  std::vector<PieceVariable> variables;  // in the order of the type, outermost first
  int64_t base = 0;
};

// The pieces of a type, in order. Works on unknown extents too; then strides and bases are 0.
std::vector<TypePiece> Pieces(const TensorType& type);

// The type without padding: every pad(x, k) becomes x. Without cuts: no cuts.
Axis WithoutPadding(const Axis& axis);
Axis WithoutCuts(const Axis& axis);
TensorType WithoutCutsAndPadding(const TensorType& type);

// The axis as a rule writes it: "(g@tp (r + 1 + 1) d)". Cuts need the mesh for their names; without one they are left
// out.
std::string ToString(const Axis& axis, const Mesh* mesh = nullptr);
std::string ToString(const TensorType& type, const Mesh* mesh = nullptr);

// ---------------------------------------------------------------- what a rank holds

// A cut that does not divide: `axis` is the node of the type, `extent` what there was to cut into `parts`.
struct CutProblem {
  const Axis* node = nullptr;
  size_t mesh_axis = 0;
  int64_t extent = 0;
  int64_t parts = 0;
};

// Dealt variables on one stage: the indices that the rank holds, ascending.
struct DealtVariable {
  std::string name;
  const std::vector<int64_t>* indices = nullptr;
};

// A rank's part of a tensor.
struct View {
  Shape shape;           // in the file
  int64_t elements = 0;  // of the rank's block, filler included
  // out: the rank's element numbers; in: the whole tensor's. Real elements only; disjoint.
  Relation real;
  // Filler of paddings. out: the rank's element numbers; in: those of the last real slice along the padded axis (what
  // `fill=last` repeats). Disjoint from `real`; together they cover the block.
  Relation filler;
};

// The view at the given mesh coordinates. All extents must be known. On a cut that does not divide: nothing, and
// `problem`. Pieces that continue each other are not joined: two ranks' pieces are then equal (a repeated block) or
// disjoint.
std::optional<View> ViewOf(const TensorType& type, const Mesh& mesh, const std::vector<int64_t>& coordinates,
                           const std::vector<DealtVariable>& dealt, CutProblem* problem);

// The extents of a rank's axes, as the file gives them (`stored` if there is one). Cheaper than a view.
std::optional<Shape> LocalShape(const TensorType& type, const Mesh& mesh, const std::vector<int64_t>& coordinates,
                                const std::vector<DealtVariable>& dealt, CutProblem* problem);

// Whether a cut of `type` repeats a block that holds a sum (all summands of which are then repeated): the node, or
// null.
const Axis* RepeatedSum(const TensorType& type, const Mesh& mesh);

// For each of `Pieces(type)`: the mesh axes that cut it, as often as they do.
std::vector<std::vector<size_t>> PieceCuts(const TensorType& type);

// The mesh axes that cut the type.
std::vector<size_t> CuttingAxes(const TensorType& type);

}  // namespace aoa
