#include "compiler/core/axis_type.h"

#include <algorithm>
#include <functional>

#include "compiler/core/check.h"

namespace aoa {
namespace {

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
int64_t Plus(int64_t a, int64_t b) {
  return a == Axis::kUnknown || b == Axis::kUnknown ? Axis::kUnknown : std::min(a + b, Axis::kTooLarge);
}
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
    case Axis::Kind::kVariable:
      return {{TypePiece{{{axis.variable, axis.extent, 1}}, 0}}, axis.extent};
    case Axis::Kind::kOne:
      return {{TypePiece{}}, 1};
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

// ---------------------------------------------------------------- cuts

bool ContainsSum(const Axis& axis) {
  return axis.kind == Axis::Kind::kSum || std::any_of(axis.parts.begin(), axis.parts.end(), ContainsSum);
}

// A node below `axis` (or itself) that is repeated while a sum is inside of it or beside it in a product.
const Axis* RepeatedSumIn(const Axis& axis, const Mesh& mesh, bool beside_sum) {
  if (axis.kind == Axis::Kind::kProduct) {
    for (const Axis& part : axis.parts) {
      bool other = std::any_of(axis.parts.begin(), axis.parts.end(),
                               [&](const Axis& p) { return &p != &part && ContainsSum(p); });
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
    if (cut.rounding == Cut::Rounding::kEven && extent > 0 && extent < parts && parts % extent == 0 &&
        (beside_sum || ContainsSum(axis)))
      return &axis;
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
    case Axis::Kind::kVariable:
      return axis.extent;
    case Axis::Kind::kOne:
      return 1;
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
      return extent >= Axis::kTooLarge / 2 || axis.multiple >= Axis::kTooLarge / 2 ? Axis::kTooLarge
                                                                                   : RoundUp(extent, axis.multiple);
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
    case Axis::Kind::kVariable:
      out = axis.variable.starts_with("_:") ? "_" : axis.variable;
      break;
    case Axis::Kind::kOne:
      out = "1";
      break;
    case Axis::Kind::kProduct:
      out = "(" + list(" ") + ")";
      break;
    case Axis::Kind::kSum:
      out = "(" + list(" + ") + ")";
      break;
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
