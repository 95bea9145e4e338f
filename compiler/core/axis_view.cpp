// What a rank holds of a tensor: the type, node by node, with every cut axis restricted to the rank's block.
#include <algorithm>

#include "compiler/core/axis_type.h"
#include "compiler/core/check.h"

namespace aoa {
namespace {

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
    case Axis::Kind::kOne:
      break;
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
    case Axis::Kind::kOne:
      view.real.push_back(Unit());
      break;
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
      if (local > view.local && view.whole > 0)
        view.filler.push_back(Run(local - view.local, view.local, view.whole - 1, 0));
      view.local = local;
      view.whole = RoundUp(view.whole, axis.multiple);
      break;
    }
  }
  return view;
}

}  // namespace

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

}  // namespace aoa
