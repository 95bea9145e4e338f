#include "compiler/bind/positional.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;

Axis Var(const std::string& name, int64_t extent) {
  Axis axis;
  axis.kind = Axis::Kind::kVariable;
  axis.variable = name;
  axis.extent = extent;
  return axis;
}
Axis Var(const char* prefix, size_t number, int64_t extent) { return Var(fmt::format("{}{}", prefix, number), extent); }
Axis Node(Axis::Kind kind, std::vector<Axis> parts) {
  Axis axis;
  axis.kind = kind;
  axis.parts = std::move(parts);
  return axis;
}
Axis Sum(std::vector<Axis> parts) { return Node(Axis::Kind::kSum, std::move(parts)); }
Axis Product(std::vector<Axis> parts) { return Node(Axis::Kind::kProduct, std::move(parts)); }

bool HasCuts(const Axis& axis) {
  return !axis.cuts.empty() || std::any_of(axis.parts.begin(), axis.parts.end(), HasCuts);
}
bool HoldsParts(const Axis& axis) {
  return axis.cuts.empty() && axis.kind == Axis::Kind::kSum &&
         std::any_of(axis.parts.begin(), axis.parts.end(), HasCuts);
}

// How a joined axis is written: on the tensors that hold it in parts, and on the one that holds it whole.
struct Joint {
  std::vector<Axis> parts;
  Axis whole;
};

class ViewMaker {
 public:
  ViewMaker(const Attributes& attributes, const std::vector<PositionalOperand>& left,
            const std::vector<PositionalOperand>& right, bool inverse, diag::Diagnostics& diagnostics)
      : a_(attributes), left_(left), right_(right), inverse_(inverse), diagnostics_(diagnostics) {}

  std::optional<RuleView> Make() {
    bool ok = left_.size() == 1 && right_.size() == 1 && a_.fused == Fused::kNone ? OneToOne()
              : a_.copy                                                           ? Copy()
                                                                                  : Join();
    if (!ok) return std::nullopt;
    RuleView view;
    for (size_t i = 0; i < left_.size(); ++i) Add(inverse_ ? view.out : view.in, left_[i], left_types_[i], ok);
    for (size_t i = 0; i < right_.size(); ++i) Add(inverse_ ? view.in : view.out, right_[i], right_types_[i], ok);
    return ok ? std::optional(std::move(view)) : std::nullopt;
  }

 private:
  diag::Diagnostic& Error(Code code, SourceRange where, std::string message) {
    return diagnostics_.Error(code, where, std::move(message));
  }

  // The type of an operand, against its shape if that is known.
  void Add(std::vector<OperandView>& operands, const PositionalOperand& operand, TensorType type, bool& ok) {
    if (operand.blank) {
      operands.push_back({true, {}, {}, operand.where, operand.text});
      return;
    }
    Shape shape = WholeShape(type);
    if (operand.shape && *operand.shape != shape) {
      ok = false;
      Error(Code::kShape, a_.statement->where,
            fmt::format("`{}` is {} by this statement and {} by its type", operand.text, aoa::ToString(shape),
                        aoa::ToString(*operand.shape)))
          .Expected(aoa::ToString(*operand.shape))
          .Found(aoa::ToString(shape));
    }
    operands.push_back({false, std::move(type), {}, operand.where, operand.text});
  }

  // The shape of the operand as the statement sees it, after ^T.
  static Shape Seen(const PositionalOperand& operand) {
    Shape shape = *operand.shape;
    if (operand.transposed) std::reverse(shape.begin(), shape.end());
    return shape;
  }
  static TensorType TypeFor(const PositionalOperand& operand, std::vector<Axis> seen) {
    if (operand.transposed) std::reverse(seen.begin(), seen.end());
    TensorType type;
    type.axes = std::move(seen);
    return type;
  }

  // ------------------------------------------------------------ one to one

  bool OneToOne() {
    if (a_.reshape) return Reshape();
    const PositionalOperand& known = inverse_ ? right_[0] : left_[0];
    Shape seen = inverse_ ? *known.shape : Seen(known);
    size_t rank = seen.size();
    std::vector<size_t> order(rank);  // right axis i is left axis order[i]
    std::iota(order.begin(), order.end(), 0);
    if (a_.permute) {
      if (a_.permute->empty()) {
        std::reverse(order.begin(), order.end());
      } else if (a_.permute->size() != rank) {
        Error(Code::kShape, a_.Where("permute"),
              fmt::format("a permutation of {} axes for `{}` of {} axes", a_.permute->size(), known.text, rank))
            .Found(aoa::ToString(*known.shape));
        return false;
      } else {
        for (size_t i = 0; i < rank; ++i) order[i] = static_cast<size_t>((*a_.permute)[i]);
      }
    }
    std::vector<Axis> from(rank), to(rank);
    for (size_t i = 0; i < rank; ++i) {
      size_t l = order[i];
      from[l] = Var("x", l, inverse_ ? seen[i] : seen[l]);
      to[i] = from[l];
    }
    left_types_ = {TypeFor(left_[0], from)};
    right_types_ = {TypeFor(right_[0], to)};
    return true;
  }

  // [d0, d1, rest..] against the flat [d0 * d1, product of rest].
  bool Reshape() {
    const std::vector<int64_t>& full = *a_.reshape;
    Shape flat = {full[0] * full[1], 1};
    for (size_t i = 2; i < full.size(); ++i) flat[1] *= full[i];
    std::vector<Axis> axes;
    for (size_t i = 0; i < full.size(); ++i) axes.push_back(Var("x", i, full[i]));
    std::vector<Axis> flat_axes = {Product({axes[0], axes[1]}), Product({axes.begin() + 2, axes.end()})};
    const PositionalOperand& in = inverse_ ? right_[0] : left_[0];
    const PositionalOperand& out = inverse_ ? left_[0] : right_[0];
    Shape shape = Seen(in);
    if (shape != full && shape != flat) {
      Error(Code::kShape, a_.Where("reshape"), fmt::format("`{}` has neither of the two shapes", in.text))
          .Expected(fmt::format("{} or {}", aoa::ToString(full), aoa::ToString(flat)))
          .Found(aoa::ToString(shape));
      return false;
    }
    bool in_full = shape == full;
    bool out_full = out.shape ? *out.shape == full : !in_full;
    left_types_ = {TypeFor(left_[0], (inverse_ ? out_full : in_full) ? axes : flat_axes)};
    right_types_ = {TypeFor(right_[0], (inverse_ ? in_full : out_full) ? axes : flat_axes)};
    return true;
  }

  bool Copy() {
    Shape seen = Seen(left_[0]);
    std::vector<Axis> axes;
    for (size_t i = 0; i < seen.size(); ++i) axes.push_back(Var("x", i, seen[i]));
    left_types_ = {TypeFor(left_[0], axes)};
    for (const PositionalOperand& r : right_) right_types_.push_back(TypeFor(r, axes));
    return true;
  }

  // ------------------------------------------------------------ joining and splitting

  // The side with one tensor and the side with the parts; both have one tensor for a fused layout onto itself.
  const std::vector<PositionalOperand>& Whole() const { return right_.size() == 1 ? right_ : left_; }
  const std::vector<PositionalOperand>& Parts() const { return right_.size() == 1 ? left_ : right_; }
  // Whether the parts' shapes are given (else that of the whole is).
  bool PartsKnown() const { return (right_.size() == 1) != inverse_; }

  bool Join() {
    size_t parts = Parts().size();
    if (left_.size() > 1 && right_.size() > 1) {
      Error(Code::kUntypedList, a_.statement->where,
            fmt::format("{} tensors become {} tensors", left_.size(), right_.size()))
          .Expected("`axis=` joins several tensors into one, or splits one into several")
          .Help("types say how several become several: `a[x h], b[y h] <-> c[(x + y) h]`");
      return false;
    }
    if (a_.fused != Fused::kNone && !FusedCountFits(parts)) return false;
    const PositionalOperand& first = PartsKnown() ? Parts()[0] : Whole()[0];
    Shape shape = Seen(first);
    auto k = static_cast<size_t>(a_.axis.value_or(1));
    if (k >= shape.size()) {
      auto& d = Error(Code::kAxis, a_.Where("axis"),
                      fmt::format("axis {} of `{}`, which has {} axes", k, first.text, shape.size()));
      d.Found(aoa::ToString(shape));
      if (!a_.axis) d.Help("the axis is 1 if nothing is said; a bias says `axis=0`");
      return false;
    }
    if (PartsKnown() && !OtherAxesAgree(k)) return false;
    auto joint = MakeJoint(k);
    if (!joint || !HeldAsDeclared(k)) return false;
    auto with = [&](const Axis& axis) {
      std::vector<Axis> axes;
      for (size_t i = 0; i < shape.size(); ++i) axes.push_back(i == k ? axis : Var("x", i, shape[i]));
      return axes;
    };
    bool onto_itself = left_.size() == 1 && right_.size() == 1;
    for (size_t i = 0; i < left_.size(); ++i)
      left_types_.push_back(
          TypeFor(left_[i], with(&Parts() == &left_ && !onto_itself ? joint->parts[i] : joint->whole)));
    for (size_t i = 0; i < right_.size(); ++i)
      right_types_.push_back(
          TypeFor(right_[i], with(&Parts() == &right_ && !onto_itself ? joint->parts[i] : joint->whole)));
    return true;
  }

  bool FusedCountFits(size_t parts) {
    size_t wanted = a_.fused == Fused::kFfn ? 2 : 3;
    if (parts == wanted || (parts == 1 && a_.fused != Fused::kQkv)) return true;
    const char* what = a_.fused == Fused::kFfn ? "gate and up" : "q, k and v";
    Error(Code::kAttributeUse, a_.statement->where, fmt::format("a fused layout of {} tensors", parts))
        .Expected(fmt::format("{} tensors ({}) on one side, one on the other", wanted, what));
    return false;
  }

  bool OtherAxesAgree(size_t k) {
    const std::vector<PositionalOperand>& parts = Parts();
    Shape shape = Seen(parts[0]);
    for (size_t i = 1; i < parts.size(); ++i) {
      Shape other = Seen(parts[i]);
      bool same = other.size() == shape.size();
      size_t axis = 0;
      while (same && axis < shape.size() && (axis == k || shape[axis] == other[axis])) ++axis;
      if (same && axis == shape.size()) continue;
      auto& d = Error(Code::kShape, a_.statement->where,
                      fmt::format("`{}` {} and `{}` {} do not lie side by side along axis {}", parts[0].text,
                                  aoa::ToString(shape), parts[i].text, aoa::ToString(other), k));
      if (same) d.Found(fmt::format("axis {} is {} and {}", axis, shape[axis], other[axis]));
      d.Expected(fmt::format("equal extents on every axis but {}", k));
      return false;
    }
    return true;
  }

  std::optional<Joint> MakeJoint(size_t k) {
    switch (a_.fused) {
      case Fused::kNone:
      case Fused::kFfn:
        return Side(k);
      case Fused::kQkv:
      case Fused::kQkvOld:
        return Heads(k);
    }
    return std::nullopt;
  }

  int64_t WholeExtent(size_t k) const {
    bool onto_itself = left_.size() == 1 && right_.size() == 1;
    return Seen(onto_itself ? (inverse_ ? right_[0] : left_[0]) : Whole()[0])[k];
  }

  // Parts side by side: of their own widths when they are given, equal ones when the whole is split.
  std::optional<Joint> Side(size_t k) {
    size_t n = a_.fused == Fused::kFfn ? 2 : Parts().size();
    std::vector<int64_t> widths;
    if (PartsKnown() && Parts().size() == n) {
      for (const PositionalOperand& part : Parts()) widths.push_back(Seen(part)[k]);
    } else {
      for (const PositionalOperand& part :
           Parts()) {  // a joined tensor taken apart again: declared parts say how wide they are
        if (inverse_ && Parts().size() == n && part.shape && part.shape->size() > k) widths.push_back(Seen(part)[k]);
      }
      int64_t whole = WholeExtent(k);
      if (widths.size() != n || std::accumulate(widths.begin(), widths.end(), int64_t{0}) != whole) {
        if (whole % static_cast<int64_t>(n) != 0) {
          Error(Code::kShape, a_.statement->where,
                fmt::format("axis {} of `{}` does not split into {} equal parts", k, Whole()[0].text, n))
              .Found(fmt::format("{} = {} * {} + {}", whole, n, whole / static_cast<int64_t>(n),
                                 whole % static_cast<int64_t>(n)))
              .Help("types split unevenly: `a[(x + y) h] -> b[x h], c[y h]`");
          return std::nullopt;
        }
        widths.assign(n, whole / static_cast<int64_t>(n));
      }
    }
    if (a_.fused == Fused::kFfn && widths[0] != widths[1]) {
      Error(Code::kShape, a_.statement->where,
            fmt::format("gate and up have the widths {} and {}", widths[0], widths[1]))
          .Expected("equal widths");
      return std::nullopt;
    }
    Joint joint;
    for (size_t i = 0; i < n; ++i) joint.parts.push_back(Var("p", i, widths[i]));
    joint.whole = Sum(joint.parts);
    return joint;
  }

  // q, k and v by group, or one after the other. By group, the heads of each may have their own width.
  std::optional<Joint> Heads(size_t k) {
    if (a_.kv_heads == 0) return std::nullopt;  // reported with the attributes
    int64_t g = a_.kv_heads, r = a_.heads / g;
    auto d = HeadWidths(k);
    if (!d) return std::nullopt;
    Axis heads[3], group = Var("g", g), one;
    bool equal = (*d)[0] == (*d)[1] && (*d)[1] == (*d)[2];
    for (size_t i = 0; i < 3; ++i) heads[i] = equal ? Var("d", (*d)[i]) : Var("d", i, (*d)[i]);
    Joint joint;
    if (a_.fused == Fused::kQkv) {
      Axis queries = Var("r", r);
      joint.parts = {Product({group, queries, heads[0]}), Product({group, heads[1]}), Product({group, heads[2]})};
      joint.whole = equal ? Product({group, Sum({queries, one, one}), heads[0]})
                          : Product({group, Sum({Product({queries, heads[0]}), heads[1], heads[2]})});
    } else {
      joint.parts = {Product({Var("n", a_.heads), heads[0]}), Product({group, heads[1]}), Product({group, heads[2]})};
      joint.whole = Sum(joint.parts);
    }
    return joint;
  }

  // The widths of the heads of q, k and v: those of given parts, else equal ones.
  std::optional<std::array<int64_t, 3>> HeadWidths(size_t k) {
    const std::vector<PositionalOperand>& parts = Parts();
    int64_t counts[3] = {a_.heads, a_.kv_heads, a_.kv_heads};
    std::array<int64_t, 3> d = {};
    if (!PartsKnown() || parts.size() != 3) {
      int64_t width = WholeExtent(k), heads = counts[0] + 2 * counts[1];
      if (width % heads != 0) return BadWidth(Whole()[0].text, width, heads);
      d.fill(width / heads);
      return d;
    }
    for (size_t i = 0; i < 3; ++i) {
      int64_t width = Seen(parts[i])[k];
      if (width % counts[i] != 0) return BadWidth(parts[i].text, width, counts[i]);
      d[i] = width / counts[i];
      if (a_.fused == Fused::kQkv || d[i] == d[0]) continue;
      Error(Code::kShape, a_.statement->where,
            fmt::format("`{}` is {} wide, {} heads of width {} are {}", parts[i].text, width, counts[i], d[0],
                        counts[i] * d[0]))
          .Note("all heads have one width");
      return std::nullopt;
    }
    return d;
  }

  std::nullopt_t BadWidth(const std::string& name, int64_t width, int64_t heads) {
    Error(Code::kShape, a_.statement->where,
          fmt::format("`{}` is {} wide, which {} heads do not divide", name, width, heads))
        .Found(fmt::format("{} = {} * {} + {}", width, heads, width / heads, width % heads));
    return std::nullopt;
  }

  // How ranks hold the joined axis must be what the statement says.
  bool HeldAsDeclared(size_t k) {
    bool shard_wise = a_.fused == Fused::kFfn || a_.fused == Fused::kQkvOld;
    for (const std::vector<PositionalOperand>* side : {&left_, &right_}) {
      if (side->size() != 1 || (side == &left_ && right_.size() == 1 && !shard_wise)) continue;
      const PositionalOperand& operand = (*side)[0];
      if (!operand.declared) continue;
      size_t axis = operand.transposed ? operand.declared->axes.size() - 1 - k : k;
      if (axis >= operand.declared->axes.size()) continue;  // a shape error follows
      const Axis& node = operand.declared->axes[axis];
      std::string shown = aoa::ToString(node, operand.mesh);
      if (!shard_wise && a_.fused == Fused::kNone && HoldsParts(node)) {
        Error(Code::kAxis, a_.Where("axis"),
              fmt::format("`axis` joins the tensors of `{}`, whose ranks hold them part by part", operand.text))
            .Found(fmt::format("`{}`: every rank has its part of each tensor", shown))
            .Help(fmt::format("`{}` says so", node.parts.size() == 2 ? "fused_ffn" : "fused_qkv_old"));
        return false;
      }
      if (shard_wise && HasCuts(node) && !HoldsParts(node)) {
        Error(Code::kAxis, operand.where,
              fmt::format("`{}` is fused rank by rank, but its type cuts it as one", operand.text))
            .Found(fmt::format("`{}`", shown))
            .Help(a_.fused == Fused::kFfn ? "a type that holds it part by part: `(f@tp + f@tp)`"
                                          : "a type that holds it part by part: `(n@tp d + g@tp d + g@tp d)`");
        return false;
      }
    }
    return true;
  }

  const Attributes& a_;
  const std::vector<PositionalOperand>& left_;
  const std::vector<PositionalOperand>& right_;
  bool inverse_;
  diag::Diagnostics& diagnostics_;
  std::vector<TensorType> left_types_, right_types_;
};

}  // namespace

TensorType PlainType(const Shape& shape) {
  TensorType type;
  for (size_t i = 0; i < shape.size(); ++i) type.axes.push_back(Var("x", i, shape[i]));
  return type;
}

std::optional<RuleView> MakePositionalView(const Attributes& attributes, const std::vector<PositionalOperand>& left,
                                           const std::vector<PositionalOperand>& right, bool inverse,
                                           diag::Diagnostics& diagnostics) {
  return ViewMaker(attributes, left, right, inverse, diagnostics).Make();
}

}  // namespace aoa::bind
