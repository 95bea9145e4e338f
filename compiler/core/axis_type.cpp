#include "compiler/core/axis_type.h"

#include <algorithm>
#include <functional>

#include "compiler/core/check.h"

namespace aoa {
namespace {

int64_t RoundUp(int64_t extent, int64_t multiple) { return (extent + multiple - 1) / multiple * multiple; }

// ---------------------------------------------------------------- pieces

struct PartialPieces {
  std::vector<TypePiece> pieces;
  int64_t extent = 1;  // kUnknown spreads
};

// Unknown spreads; what is beyond Axis::kTooLarge stays there.
int64_t Times(int64_t a, int64_t b) {
  if (a == Axis::kUnknown || b == Axis::kUnknown) return Axis::kUnknown;
  int64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) || out > Axis::kTooLarge ? Axis::kTooLarge : out;
}
int64_t Plus(int64_t a, int64_t b) { return a == Axis::kUnknown || b == Axis::kUnknown ? Axis::kUnknown : std::min(a + b, Axis::kTooLarge); }
int64_t Known(int64_t extent) { return extent == Axis::kUnknown ? 0 : extent; }

// left x right, row-major: every choice on the left with every choice on the right, left outermost.
PartialPieces Cross(const PartialPieces& left, const PartialPieces& right) {
  PartialPieces out;
  out.extent = Times(left.extent, right.extent);
  int64_t scale = Known(right.extent);
  for (const TypePiece& a : left.pieces) {
    for (const TypePiece& b : right.pieces) {
      TypePiece piece = a;
      piece.base = a.base * scale + b.base;
      for (PieceVariable& v : piece.variables) v.stride *= scale;
      piece.variables.insert(piece.variables.end(), b.variables.begin(), b.variables.end());
      out.pieces.push_back(std::move(piece));
    }
  }
  return out;
}

PartialPieces PiecesOf(const Axis& axis) {
  switch (axis.kind) {
    case Axis::Kind::kVariable: return {{TypePiece{{{axis.variable, axis.extent, 1}}, 0}}, axis.extent};
    case Axis::Kind::kOne: return {{TypePiece{}}, 1};
    case Axis::Kind::kProduct: {
      PartialPieces out{{TypePiece{}}, 1};
      for (const Axis& part : axis.parts) out = Cross(out, PiecesOf(part));
      return out;
    }
    case Axis::Kind::kSum: {
      PartialPieces out{{}, 0};
      for (const Axis& part : axis.parts) {
        PartialPieces next = PiecesOf(part);
        for (TypePiece& piece : next.pieces) {
          piece.base += Known(out.extent);
          out.pieces.push_back(std::move(piece));
        }
        out.extent = Plus(out.extent, next.extent);
      }
      return out;
    }
    case Axis::Kind::kPad: {
      PartialPieces out = PiecesOf(axis.parts[0]);
      out.extent = Extent(axis);
      return out;
    }
  }
  return {};
}

// ---------------------------------------------------------------- views

// The part of `extent` indices that coordinate c of m has. Empty for a cut that does not divide.
std::optional<std::pair<int64_t, int64_t>> Block(const Cut& cut, int64_t extent, int64_t m, int64_t c) {
  switch (cut.rounding) {
    case Cut::Rounding::kEven:
      if (extent % m == 0) return std::pair(extent / m * c, extent / m * (c + 1));
      if (m % extent == 0) return std::pair(c / (m / extent), c / (m / extent) + 1);  // repeated on neighbours
      return std::nullopt;
    case Cut::Rounding::kCeil: {
      int64_t block = (extent + m - 1) / m;
      return std::pair(std::min(c * block, extent), std::min((c + 1) * block, extent));
    }
    case Cut::Rounding::kFront: {
      int64_t block = extent / m, longer = extent % m;
      return std::pair(block * c + std::min(c, longer), block * (c + 1) + std::min(c + 1, longer));
    }
  }
  return std::nullopt;
}

struct Place {
  const Mesh& mesh;
  const std::vector<int64_t>& coordinates;
  const std::vector<DealtVariable>& dealt;
  CutProblem* problem;

  const std::vector<int64_t>* Dealt(const std::string& variable) const {
    for (const DealtVariable& d : dealt) {
      if (d.name == variable) return d.indices;
    }
    return nullptr;
  }

  std::optional<std::pair<int64_t, int64_t>> BlockOf(const Axis& node, const Cut& cut, int64_t extent) const {
    int64_t parts = mesh.axis(cut.axis).size;
    auto block = Block(cut, extent, parts, coordinates[cut.axis]);
    if (!block && problem) *problem = {&node, cut.axis, extent, parts};
    return block;
  }
};

std::optional<int64_t> LocalExtent(const Axis& axis, const Place& place) {
  int64_t local = 1;
  switch (axis.kind) {
    case Axis::Kind::kOne: break;
    case Axis::Kind::kVariable:
      local = axis.extent;
      if (auto* indices = place.Dealt(axis.variable)) local = static_cast<int64_t>(indices->size());
      break;
    case Axis::Kind::kProduct:
      for (const Axis& part : axis.parts) {
        auto extent = LocalExtent(part, place);
        if (!extent) return std::nullopt;
        local *= *extent;
      }
      break;
    case Axis::Kind::kSum:
      local = 0;
      for (const Axis& part : axis.parts) {
        auto extent = LocalExtent(part, place);
        if (!extent) return std::nullopt;
        local += *extent;
      }
      break;
    case Axis::Kind::kPad: {
      auto extent = LocalExtent(axis.parts[0], place);
      if (!extent) return std::nullopt;
      local = RoundUp(*extent, axis.multiple);
      break;
    }
  }
  for (const Cut& cut : axis.cuts) {
    auto block = place.BlockOf(axis, cut, local);
    if (!block) return std::nullopt;
    local = block->second - block->first;
  }
  return local;
}

// The view of a node of a type. out: the rank's positions along the node; in: those of the whole node.
struct NodeView {
  Relation real, filler;
  int64_t whole = 1, local = 1;
};

Piece Unit() { return Piece{}; }

Piece Run(int64_t extent, int64_t out_base, int64_t in_base, int64_t in_stride) {
  Piece piece;
  piece.out_base = out_base;
  piece.in_base = in_base;
  piece.digits.push_back({extent, 1, in_stride});
  return piece;
}

void CrossInto(Relation& result, const Relation& left, const Relation& right, int64_t local, int64_t whole) {
  for (const Piece& a : left) {
    for (const Piece& b : right) {
      Piece piece = a;
      piece.out_base = a.out_base * local + b.out_base;
      piece.in_base = a.in_base * whole + b.in_base;
      for (Digit& digit : piece.digits) {
        digit.out *= local;
        digit.in *= whole;
      }
      piece.digits.insert(piece.digits.end(), b.digits.begin(), b.digits.end());
      result.push_back(std::move(piece));
    }
  }
}

NodeView Cross(const NodeView& left, const NodeView& right) {
  NodeView out;
  out.whole = left.whole * right.whole;
  out.local = left.local * right.local;
  CrossInto(out.real, left.real, right.real, right.local, right.whole);
  CrossInto(out.filler, left.real, right.filler, right.local, right.whole);
  CrossInto(out.filler, left.filler, right.real, right.local, right.whole);
  CrossInto(out.filler, left.filler, right.filler, right.local, right.whole);
  return out;
}

void Restrict(Relation& relation, int64_t lo, int64_t hi) {
  Relation out;
  for (const Piece& piece : relation) {
    for (Piece& part : RestrictOut(piece, lo, hi)) {
      part.out_base -= lo;
      out.push_back(std::move(part));
    }
  }
  relation = std::move(out);
}

NodeView DealtView(int64_t extent, const std::vector<int64_t>& indices) {
  NodeView view;
  view.whole = extent;
  view.local = static_cast<int64_t>(indices.size());
  for (size_t i = 0; i < indices.size();) {
    size_t end = i + 1;
    while (end < indices.size() && indices[end] == indices[end - 1] + 1) ++end;
    view.real.push_back(Run(static_cast<int64_t>(end - i), static_cast<int64_t>(i), indices[i], 1));
    i = end;
  }
  return view;
}

NodeView Uncut(const Axis& axis, const Place& place, bool& ok);

NodeView ViewOfNode(const Axis& axis, const Place& place, bool& ok) {
  NodeView view = Uncut(axis, place, ok);
  if (!ok) return view;
  for (const Cut& cut : axis.cuts) {
    auto block = place.BlockOf(axis, cut, view.local);
    if (!block) {
      ok = false;
      return view;
    }
    Restrict(view.real, block->first, block->second);
    Restrict(view.filler, block->first, block->second);
    view.local = block->second - block->first;
  }
  return view;
}

NodeView Uncut(const Axis& axis, const Place& place, bool& ok) {
  NodeView view;
  switch (axis.kind) {
    case Axis::Kind::kOne: view.real.push_back(Unit()); break;
    case Axis::Kind::kVariable:
      if (auto* indices = place.Dealt(axis.variable)) return DealtView(axis.extent, *indices);
      view.whole = view.local = axis.extent;
      if (axis.extent > 0) view.real.push_back(Run(axis.extent, 0, 0, 1));
      break;
    case Axis::Kind::kProduct:
      view.real.push_back(Unit());
      for (const Axis& part : axis.parts) view = Cross(view, ViewOfNode(part, place, ok));
      break;
    case Axis::Kind::kSum:
      view.whole = view.local = 0;
      for (const Axis& part : axis.parts) {
        NodeView next = ViewOfNode(part, place, ok);
        for (auto [from, to] : {std::pair(&next.real, &view.real), std::pair(&next.filler, &view.filler)}) {
          for (Piece& piece : *from) {
            piece.out_base += view.local;
            piece.in_base += view.whole;
            to->push_back(std::move(piece));
          }
        }
        view.whole += next.whole;
        view.local += next.local;
      }
      break;
    case Axis::Kind::kPad: {
      view = ViewOfNode(axis.parts[0], place, ok);
      int64_t local = RoundUp(view.local, axis.multiple);
      if (local > view.local && view.whole > 0) view.filler.push_back(Run(local - view.local, view.local, view.whole - 1, 0));
      view.local = local;
      view.whole = RoundUp(view.whole, axis.multiple);
      break;
    }
  }
  return view;
}

bool ContainsSum(const Axis& axis) {
  return axis.kind == Axis::Kind::kSum || std::any_of(axis.parts.begin(), axis.parts.end(), ContainsSum);
}

// A node below `axis` (or itself) that is repeated while a sum is inside of it or beside it in a product.
const Axis* RepeatedSumIn(const Axis& axis, const Mesh& mesh, bool beside_sum) {
  if (axis.kind == Axis::Kind::kProduct) {
    for (const Axis& part : axis.parts) {
      bool other = std::any_of(axis.parts.begin(), axis.parts.end(), [&](const Axis& p) { return &p != &part && ContainsSum(p); });
      if (const Axis* found = RepeatedSumIn(part, mesh, beside_sum || other)) return found;
    }
  } else {
    for (const Axis& part : axis.parts) {
      if (const Axis* found = RepeatedSumIn(part, mesh, beside_sum)) return found;
    }
  }
  int64_t extent = Extent(WithoutCuts(axis));
  for (const Cut& cut : axis.cuts) {
    int64_t parts = mesh.axis(cut.axis).size;
    if (cut.rounding == Cut::Rounding::kEven && extent > 0 && extent < parts && parts % extent == 0 && (beside_sum || ContainsSum(axis))) return &axis;
    if (extent % parts == 0) extent /= parts;
  }
  return nullptr;
}

using CutLists = std::vector<std::vector<size_t>>;

CutLists CrossCuts(const CutLists& left, const CutLists& right) {
  CutLists out;
  for (const auto& a : left) {
    for (const auto& b : right) {
      out.push_back(a);
      out.back().insert(out.back().end(), b.begin(), b.end());
    }
  }
  return out;
}

CutLists PieceCutsOf(const Axis& axis) {
  CutLists out = {{}};
  if (axis.kind == Axis::Kind::kSum) {
    out.clear();
    for (const Axis& part : axis.parts) {
      for (auto& cuts : PieceCutsOf(part)) out.push_back(std::move(cuts));
    }
  } else {
    for (const Axis& part : axis.parts) out = CrossCuts(out, PieceCutsOf(part));
  }
  for (auto& cuts : out) {
    for (const Cut& cut : axis.cuts) cuts.push_back(cut.axis);
  }
  return out;
}

void Walk(const Axis& axis, const std::function<void(const Axis&)>& visit) {
  visit(axis);
  for (const Axis& part : axis.parts) Walk(part, visit);
}

}  // namespace

int64_t Extent(const Axis& axis) {
  switch (axis.kind) {
    case Axis::Kind::kVariable: return axis.extent;
    case Axis::Kind::kOne: return 1;
    case Axis::Kind::kProduct: {
      int64_t extent = 1;
      for (const Axis& part : axis.parts) extent = Times(extent, Extent(part));
      return extent;
    }
    case Axis::Kind::kSum: {
      int64_t extent = 0;
      for (const Axis& part : axis.parts) extent = Plus(extent, Extent(part));
      return extent;
    }
    case Axis::Kind::kPad: {
      int64_t extent = Extent(axis.parts[0]);
      if (extent == Axis::kUnknown || axis.multiple == Axis::kUnknown) return Axis::kUnknown;
      return extent >= Axis::kTooLarge / 2 || axis.multiple >= Axis::kTooLarge / 2 ? Axis::kTooLarge : RoundUp(extent, axis.multiple);
    }
  }
  return Axis::kUnknown;
}

Shape WholeShape(const TensorType& type) {
  Shape shape;
  for (const Axis& axis : type.stored ? *type.stored : type.axes) shape.push_back(Extent(axis));
  return shape;
}

int64_t ElementCount(const TensorType& type) {
  int64_t count = 1;
  for (const Axis& axis : type.axes) count = Times(count, Extent(axis));
  return count;
}

std::vector<TypePiece> Pieces(const TensorType& type) {
  PartialPieces out{{TypePiece{}}, 1};
  for (const Axis& axis : type.axes) out = Cross(out, PiecesOf(axis));
  if (out.extent == Axis::kUnknown) {  // some strides are products with an unknown: none is meant to be used
    for (TypePiece& piece : out.pieces) {
      piece.base = 0;
      for (PieceVariable& v : piece.variables) v.stride = 0;
    }
  }
  return std::move(out.pieces);
}

Axis WithoutCuts(const Axis& axis) {
  Axis out = axis;
  out.cuts.clear();
  for (Axis& part : out.parts) part = WithoutCuts(part);
  return out;
}

Axis WithoutPadding(const Axis& axis) {
  if (axis.kind == Axis::Kind::kPad) return WithoutPadding(axis.parts[0]);
  Axis out = axis;
  for (Axis& part : out.parts) part = WithoutPadding(part);
  return out;
}

TensorType WithoutCutsAndPadding(const TensorType& type) {
  TensorType out;
  for (const Axis& axis : type.axes) out.axes.push_back(WithoutPadding(WithoutCuts(axis)));
  return out;
}

std::string ToString(const Axis& axis, const Mesh* mesh) {
  std::string out;
  auto list = [&](const char* separator) {
    std::string text;
    for (const Axis& part : axis.parts) text += (text.empty() ? "" : separator) + ToString(part, mesh);
    return text;
  };
  switch (axis.kind) {
    case Axis::Kind::kVariable: out = axis.variable.starts_with("_:") ? "_" : axis.variable; break;
    case Axis::Kind::kOne: out = "1"; break;
    case Axis::Kind::kProduct: out = "(" + list(" ") + ")"; break;
    case Axis::Kind::kSum: out = "(" + list(" + ") + ")"; break;
    case Axis::Kind::kPad:
      out = "pad(" + list(" ") + ", " + (axis.multiple == Axis::kUnknown ? "?" : std::to_string(axis.multiple)) + ")";
      break;
  }
  for (size_t i = 0; mesh && i < axis.cuts.size(); ++i) {
    const Cut& cut = axis.cuts[i];
    out += (i ? "." : "@") + mesh->axis(cut.axis).name;
    if (cut.rounding != Cut::Rounding::kEven) out += cut.rounding == Cut::Rounding::kCeil ? "~ceil" : "~front";
  }
  return out;
}

std::string ToString(const TensorType& type, const Mesh* mesh) {
  auto list = [&](const std::vector<Axis>& axes) {
    std::string text = "[";
    for (size_t i = 0; i < axes.size(); ++i) text += (i ? " " : "") + ToString(axes[i], mesh);
    return text + "]";
  };
  return list(type.axes) + (type.stored ? " stored " + list(*type.stored) : "");
}

std::optional<View> ViewOf(const TensorType& type, const Mesh& mesh, const std::vector<int64_t>& coordinates,
                           const std::vector<DealtVariable>& dealt, CutProblem* problem) {
  Place place{mesh, coordinates, dealt, problem};
  bool ok = true;
  NodeView whole;
  whole.real.push_back(Unit());
  for (const Axis& axis : type.axes) {
    NodeView next = ViewOfNode(axis, place, ok);
    if (!ok) return std::nullopt;
    whole = Cross(whole, next);
  }
  auto shape = LocalShape(type, mesh, coordinates, dealt, problem);
  if (!shape) return std::nullopt;
  View view;
  view.shape = std::move(*shape);
  view.elements = whole.local;
  view.real = std::move(whole.real);
  view.filler = std::move(whole.filler);
  for (Relation* relation : {&view.real, &view.filler}) {
    for (Piece& piece : *relation) Canonicalize(piece);
  }
  return view;
}

std::optional<Shape> LocalShape(const TensorType& type, const Mesh& mesh, const std::vector<int64_t>& coordinates,
                                const std::vector<DealtVariable>& dealt, CutProblem* problem) {
  Place place{mesh, coordinates, dealt, problem};
  Shape shape;
  for (const Axis& axis : type.stored ? *type.stored : type.axes) {
    auto extent = LocalExtent(axis, place);
    if (!extent) return std::nullopt;
    shape.push_back(*extent);
  }
  return shape;
}

const Axis* RepeatedSum(const TensorType& type, const Mesh& mesh) {
  for (const Axis& axis : type.axes) {
    if (const Axis* found = RepeatedSumIn(axis, mesh, false)) return found;
  }
  return nullptr;
}

std::vector<std::vector<size_t>> PieceCuts(const TensorType& type) {
  CutLists out = {{}};
  for (const Axis& axis : type.axes) out = CrossCuts(out, PieceCutsOf(axis));
  return out;
}

std::vector<size_t> CuttingAxes(const TensorType& type) {
  std::vector<size_t> out;
  for (const Axis& axis : type.axes) {
    Walk(axis, [&](const Axis& node) {
      for (const Cut& cut : node.cuts) {
        if (std::find(out.begin(), out.end(), cut.axis) == out.end()) out.push_back(cut.axis);
      }
    });
  }
  return out;
}

}  // namespace aoa
