// Types as the core knows them: aliases expanded, extents filled in, cuts numbered by the mesh.
#include "compiler/bind/dimensions.h"

#include <fmt/format.h>

#include <utility>

namespace aoa::bind {

namespace {

constexpr int kDeepest = 64;  // aliases of aliases

}  // namespace

Axis Dimensions::LowerAt(const ast::Axis& axis, size_t end, int& any, const Trial* trial, int depth) {
  Axis out;
  out.where = axis.where;
  switch (axis.kind) {
    case ast::Axis::Kind::kOne:
      out.kind = Axis::Kind::kOne;
      break;
    case ast::Axis::Kind::kAny:
      out.kind = Axis::Kind::kVariable;
      out.variable = fmt::format("_:{}", any++);
      break;
    case ast::Axis::Kind::kLiteral:
      out.kind = Axis::Kind::kVariable;
      out.variable = axis.name.text;
      out.extent = axis.extent;
      break;
    case ast::Axis::Kind::kVar: {
      const ast::Axis* alias = depth < kDeepest ? AliasAt(end, axis.name.text) : nullptr;
      if (alias) {
        out = LowerAt(*alias, end, any, trial, depth + 1);
        out.where = axis.where;
        break;
      }
      out.kind = Axis::Kind::kVariable;
      out.variable = axis.name.text;
      SymbolId id = At(end, axis.name.text);
      if (trial && trial->symbol == id)
        out.extent = trial->value;
      else if (symbols_[id].value)
        out.extent = *symbols_[id].value;
      break;
    }
    case ast::Axis::Kind::kProduct:
    case ast::Axis::Kind::kSum:
      out.kind = axis.kind == ast::Axis::Kind::kProduct ? Axis::Kind::kProduct : Axis::Kind::kSum;
      for (const ast::Axis& part : axis.parts) out.parts.push_back(LowerAt(part, end, any, trial, depth));
      break;
    case ast::Axis::Kind::kPad: {
      out.kind = Axis::Kind::kPad;
      out.parts.push_back(LowerAt(axis.parts.at(0), end, any, trial, depth));
      Scope scope = ScopeAt(end);
      if (trial) {
        auto plain = scope.name;
        scope.name = [this, end, trial, plain](const std::string& name, SourceRange where) {
          bool tried = !ends_[end].mesh_sizes.contains(name) && At(end, name) == trial->symbol;
          return tried ? Value::Whole(trial->value) : plain(name, where);
        };
      }
      Value multiple = Evaluate(*axis.multiple, scope, Arithmetic::kExact);
      if (multiple.kind == Value::Kind::kNumber && multiple.integer && *multiple.integer > 0)
        out.multiple = *multiple.integer;
      break;
    }
  }
  if (axis.cut && end < ends_.size()) {
    for (const ast::Ident& name : axis.cut->axes) {
      auto index = ends_[end].mesh.Find(name.text);
      if (!index) continue;  // of a conditional mesh that does not hold: one rank
      auto rounding = !axis.cut->rounding                  ? Cut::Rounding::kEven
                      : axis.cut->rounding->text == "ceil" ? Cut::Rounding::kCeil
                                                           : Cut::Rounding::kFront;
      out.cuts.push_back({*index, rounding});
    }
  }
  return out;
}

Axis Dimensions::Lower(const ast::Axis& axis, size_t end, int& any, const Trial* trial) {
  return LowerAt(axis, end, any, trial, 0);
}

namespace {

bool SameWithoutCuts(const Axis& a, const Axis& b) {
  if (a.kind != b.kind || a.variable != b.variable || a.extent != b.extent || a.multiple != b.multiple ||
      a.parts.size() != b.parts.size())
    return false;
  for (size_t i = 0; i < a.parts.size(); ++i) {
    if (!SameWithoutCuts(a.parts[i], b.parts[i])) return false;
  }
  return true;
}

// The cuts of the node of `type` that looks like `node`.
const std::vector<Cut>* CutsOf(const Axis& node, const std::vector<Axis>& type) {
  for (const Axis& axis : type) {
    if (!axis.cuts.empty() && SameWithoutCuts(axis, node)) return &axis.cuts;
    if (auto* cuts = CutsOf(node, axis.parts)) return cuts;
  }
  return nullptr;
}

// After `stored` no @ is written: what the type cuts is cut there too.
void CopyCuts(Axis& stored, const std::vector<Axis>& type) {
  if (auto* cuts = CutsOf(stored, type)) {
    stored.cuts = *cuts;
  }
  for (Axis& part : stored.parts) CopyCuts(part, type);
}

}  // namespace

TensorType Dimensions::Lower(const ast::Type& type, size_t end, int& any) {
  TensorType out;
  for (const ast::Axis& axis : type.axes) out.axes.push_back(Lower(axis, end, any));
  if (type.stored) {
    out.stored.emplace();
    for (const ast::Axis& axis : *type.stored) {
      out.stored->push_back(Lower(axis, end, any));
      CopyCuts(out.stored->back(), out.axes);
    }
  }
  return out;
}

TensorType Dimensions::LowerAtSize(const ast::Type& type, size_t end, int& any, const std::string& mesh_axis,
                                   int64_t size) {
  int64_t& own = ends_[end].mesh_sizes.at(mesh_axis);
  const int64_t before = std::exchange(own, size);
  TensorType out = Lower(type, end, any);
  own = before;
  return out;
}

void Dimensions::CollectSymbols(const ast::Axis& axis, size_t end, Paddings paddings, std::set<SymbolId>& out,
                                int depth) {
  if (axis.kind == ast::Axis::Kind::kVar) {
    const ast::Axis* alias = depth < kDeepest ? AliasAt(end, axis.name.text) : nullptr;
    if (alias)
      CollectSymbols(*alias, end, paddings, out, depth + 1);
    else
      out.insert(At(end, axis.name.text));
  }
  if (axis.kind == ast::Axis::Kind::kPad && paddings == Paddings::kNone) return;
  if (axis.kind == ast::Axis::Kind::kPad && paddings == Paddings::kWhole) {
    std::vector<const ast::Expr*> stack = {axis.multiple.get()};
    while (!stack.empty()) {
      const ast::Expr* e = stack.back();
      stack.pop_back();
      for (const ast::ExprPtr& arg : e->args) stack.push_back(arg.get());
      if (e->kind != ast::Expr::Kind::kName || ends_[end].mesh_sizes.contains(e->text)) continue;
      if (const ast::Axis* alias = AliasAt(end, e->text))
        CollectSymbols(*alias, end, paddings, out, depth + 1);
      else
        out.insert(At(end, e->text));
    }
  }
  for (const ast::Axis& part : axis.parts) CollectSymbols(part, end, paddings, out, depth);
}

std::set<SymbolId> Dimensions::SymbolsOf(const ast::Axis& axis, size_t end, Paddings paddings) {
  std::set<SymbolId> out;
  CollectSymbols(axis, end, paddings, out, 0);
  return out;
}

}  // namespace aoa::bind
