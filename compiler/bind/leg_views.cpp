// The views of statements: what their operands look like, by types or by shapes.
#include "compiler/bind/leg_binder.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/bind/binder.h"
#include "compiler/bind/reach.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {

using diag::Code;

bool LegBinder::IsTyped(TensorId ref, const Operand& operand) const {
  if (operand.node->type) return true;
  const Tensor& tensor = TensorAt(ref);
  if (tensor.family == kNoFamily) return false;
  const Family& family = program_.ends[ref & kResult ? leg_ + 1 : leg_].families[tensor.family];
  return family.type && !(family.partner_type && (ref & kResult));  // a result has a shape, no type of a partner
}

bool LegBinder::IsTyped(const Bound& bound, bool in) {
  if (bound.blank || bound.names.empty()) return true;
  if (in) return bound.tensors.empty() || IsTyped(bound.tensors[0], *bound.use->operand);
  if (bound.use->operand->node->type) return true;
  uint32_t family = FamilyFor(leg_ + 1, bound.names[0], bound.use);
  return family != kNoFamily && program_.ends[leg_ + 1].families[family].type;
}

std::optional<uint32_t> LegBinder::ViewFor(const std::vector<Bound>& in, const std::vector<Bound>& out,
                                           std::vector<uint32_t>& out_types) {
  std::string key;
  for (const Bound& bound : in) {
    if (bound.blank)
      key += "_,";
    else if (!bound.tensors.empty())
      key += fmt::format("{}{}x{},", bound.tensors[0] & kResult ? "r" : "", TensorAt(bound.tensors[0]).type,
                         bound.tensors.size());
    for (TensorId id : bound.tensors) {
      if (TensorAt(id).type == TensorAt(bound.tensors[0]).type) continue;
      diagnostics_.Error(Code::kShape, bound.use->operand->node->where,
                         fmt::format("`{}` and `{}` are stacked and have different shapes",
                                     diag::Printable(bound.names[0]), diag::Printable(bound.names[1])));
      return std::nullopt;
    }
  }
  key += ">";
  for (const Bound& bound : out)
    key += bound.blank
               ? "_,"
               : fmt::format("{}x{},", bound.names.empty() ? kNoFamily : FamilyFor(leg_ + 1, bound.names[0], bound.use),
                             bound.names.size());
  if (auto it = views_.find(key); it != views_.end()) {
    out_types = it->second.second;
    return it->second.first == kBroken ? std::nullopt : std::optional(it->second.first);
  }
  size_t in_count = in.size(), out_count = out.size();
  bool transposed = false;
  for (const std::vector<Bound>* bounds : {&in, &out}) {
    for (const Bound& bound : *bounds) transposed |= !bound.blank && bound.use->operand->node->transposed;
  }
  bool positional = transposed || attributes_.permute || attributes_.reshape || attributes_.fused != Fused::kNone ||
                    (attributes_.axis && (in_count > 1 || out_count > 1));
  bool typed = std::all_of(out.begin(), out.end(), [&](const Bound& b) { return IsTyped(b, false); }) &&
               std::all_of(in.begin(), in.end(), [&](const Bound& b) { return IsTyped(b, true); });
  std::optional<RuleView> view;
  if (!positional && typed)
    view = TypedView(in, out, out_types);
  else if (positional || attributes_.copy || (in_count == 1 && out_count == 1))
    view = ShapedView(in, out, out_types);
  else
    ReportUntypedList(in, out);
  Rule& rule = program_.legs[leg_].rules[rule_];
  auto number = static_cast<uint32_t>(rule.views.size());
  views_[key] = {view ? number : kBroken, out_types};
  if (!view) return std::nullopt;
  rule.positional = positional || !typed;
  rule.views.push_back(std::move(*view));
  return number;
}

void LegBinder::ReportUntypedList(const std::vector<Bound>& in, const std::vector<Bound>& out) {
  auto& d = diagnostics_.Error(Code::kUntypedList, line_->statement->node->where,
                               fmt::format("{} tensor{} and {} tensor{}, not all of which have types", in.size(),
                                           in.size() == 1 ? "" : "s", out.size(), out.size() == 1 ? "" : "s"));
  d.Expected("types on both sides, `axis=`, or `copy`");
  for (bool inward : {true, false}) {
    for (const Bound& bound : inward ? in : out) {
      if (IsTyped(bound, inward)) continue;
      d.Found(fmt::format("`{}` has no type", diag::Printable(bound.names[0])));
      SayNotDeclared(program_, inward ? leg_ : leg_ + 1, bound.names[0], d);
      return;
    }
  }
}

// The type of an operand at an end. `any` counts the `_` axes of one side of the statement.
TensorType LegBinder::OperandType(const Bound& bound, size_t e, bool in, int& any) {
  const ast::Operand& node = *bound.use->operand->node;
  Dimensions& dimensions = *program_.dimensions;
  if (node.type) {
    int first = any;
    TensorType type = dimensions.Lower(*node.type, e, any);
    const TensorType* stored = in && !bound.tensors.empty() ? TypeAt(bound.tensors[0]) : nullptr;
    for (size_t i = 0; stored && i < type.axes.size() && i < stored->axes.size(); ++i) {
      if (any > first && type.axes[i].variable.starts_with("_:")) type.axes[i].extent = Extent(stored->axes[i]);
    }
    return type;
  }
  auto renumber = [&](TensorType type) {
    for (Axis& axis : type.axes) {
      if (axis.variable.starts_with("_:")) axis.variable = fmt::format("_:{}", any++);
    }
    return type;
  };
  if (in && !bound.tensors.empty()) return renumber(*TypeAt(bound.tensors[0]));
  uint32_t family_index = bound.names.empty() ? kNoFamily : FamilyFor(e, bound.names[0], bound.use);
  if (family_index == kNoFamily) return {};
  const Family& family = program_.ends[e].families[family_index];
  if (!family.type) return {};
  int own = 0;
  TensorType type = dimensions.Lower(*family.type, family.type_end, own);
  return renumber(family.partner_type ? WithoutCutsAndPadding(type) : type);
}

// The type of an out operand's tensors in the target end's table.
uint32_t LegBinder::OutType(const Bound& bound, const TensorType& view_type) {
  if (bound.blank || bound.names.empty()) return kNoType;
  uint32_t family = FamilyFor(leg_ + 1, bound.names[0], bound.use);
  Shape shape = WholeShape(view_type);
  const End& end = program_.ends[leg_ + 1];
  // A chain may make a name again in another shape than that of the tensor opposite its first statement.
  if (family != kNoFamily && end.families[family].partner_type &&
      WholeShape(end.types[type_of_(leg_ + 1, family, &shape)]) != shape)
    family = kNoFamily;
  return type_of_(leg_ + 1, family, &shape);
}

std::optional<RuleView> LegBinder::TypedView(const std::vector<Bound>& in, const std::vector<Bound>& out,
                                             std::vector<uint32_t>& out_types) {
  RuleView view;
  bool ok = true;
  for (bool inward : {true, false}) {
    size_t e = inward ? leg_ : leg_ + 1;
    int any = 0;
    for (const Bound& bound : inward ? in : out) {
      OperandView operand;
      operand.blank = bound.blank;
      operand.where = bound.use->operand->node->where;
      operand.text = bound.blank ? "_" : bound.use->text;
      operand.stacked = bound.stacked;
      if (!bound.blank) {
        if (!inward) ok &= RequireType(bound);
        if (attributes_.copy && !inward) any = 0;  // every target of a copy counts anew
        operand.type = OperandType(bound, e, inward, any);
      }
      (inward ? view.in : view.out).push_back(std::move(operand));
    }
  }
  if (!ok) return std::nullopt;
  ShareAnyExtents(view);
  for (size_t i = 0; i < out.size(); ++i) {
    if (!out[i].blank && ElementCount(view.out[i].type) == Axis::kTooLarge) {
      diagnostics_.Error(Code::kShape, view.out[i].where,
                         fmt::format("`{}` would have more than 2^60 elements", view.out[i].text));
      return std::nullopt;
    }
    out_types.push_back(OutType(out[i], view.out[i].type));
  }
  return view;
}

// The dimensions of an out operand's type must be known.
bool LegBinder::RequireType(const Bound& bound) {
  const ast::Operand& node = *bound.use->operand->node;
  if (node.type) return program_.dimensions->RequireAll(*node.type, leg_ + 1, diagnostics_);
  uint32_t index = bound.names.empty() ? kNoFamily : FamilyFor(leg_ + 1, bound.names[0], bound.use);
  if (index == kNoFamily) return true;
  const Family& family = program_.ends[leg_ + 1].families[index];
  return !family.type || program_.dimensions->RequireAll(*family.type, family.type_end, diagnostics_);
}

// The i-th `_` of one side is the i-th of the other.
void LegBinder::ShareAnyExtents(RuleView& view) {
  std::map<std::string, int64_t> extents;
  for (const OperandView& operand : view.in) {
    for (const Axis& axis : operand.type.axes) {
      if (axis.variable.starts_with("_:")) extents[axis.variable] = axis.extent;
    }
  }
  for (OperandView& operand : view.out) {
    for (Axis& axis : operand.type.axes) {
      if (auto it = extents.find(axis.variable); axis.variable.starts_with("_:") && it != extents.end())
        axis.extent = it->second;
    }
  }
}

std::optional<RuleView> LegBinder::ShapedView(const std::vector<Bound>& in, const std::vector<Bound>& out,
                                              std::vector<uint32_t>& out_types) {
  std::vector<PositionalOperand> from, to;
  End& target = program_.ends[leg_ + 1];
  for (bool inward : {true, false}) {
    for (const Bound& bound : inward ? in : out) {
      if (bound.blank && !inward) {
        PositionalOperand blank;
        blank.text = "_";
        blank.where = bound.use->operand->node->where;
        blank.blank = true;
        to.push_back(std::move(blank));
        continue;
      }
      if (bound.blank || bound.names.size() != 1 || !bound.stacked.empty()) {
        diagnostics_
            .Error(Code::kUntypedList, bound.use->operand->node->where,
                   fmt::format("`{}` stands for {} tensors in a statement that moves elements by shape",
                               bound.blank ? "_" : bound.use->text, bound.names.size()))
            .Expected("types, if one tensor stacks several")
            .Help("a variable that stands in all names runs over them one by one");
        return std::nullopt;
      }
      PositionalOperand operand;
      operand.text = diag::Printable(bound.names[0]);
      operand.where = bound.use->operand->node->where;
      operand.transposed = bound.use->operand->node->transposed;
      operand.mesh = &program_.ends[inward ? leg_ : leg_ + 1].mesh;
      if (inward) {
        operand.declared = TypeAt(bound.tensors[0]);
        operand.mesh = &program_.ends[bound.tensors[0] & kResult ? leg_ + 1 : leg_].mesh;
        if (!operand.declared) return std::nullopt;
        operand.shape = WholeShape(*operand.declared);
        if (!IsTyped(bound.tensors[0], *bound.use->operand)) operand.declared = nullptr;
      } else {
        uint32_t family = FamilyFor(leg_ + 1, bound.names[0], bound.use);
        if (family != kNoFamily && target.families[family].type && !target.families[family].partner_type) {
          if (!RequireType(bound)) return std::nullopt;
          uint32_t type = type_of_(leg_ + 1, family, nullptr);
          operand.declared = &target.types[type];
          operand.shape = WholeShape(*operand.declared);
        }
      }
      (inward ? from : to).push_back(std::move(operand));
    }
  }
  bool inverse = program_.legs[leg_].rules[rule_].inverse;
  auto view = MakePositionalView(attributes_, inverse ? to : from, inverse ? from : to, inverse, diagnostics_);
  if (!view) return std::nullopt;
  for (size_t i = 0; i < out.size(); ++i) out_types.push_back(OutType(out[i], view->out[i].type));
  return view;
}

}  // namespace aoa::bind
