// Which tensors the ends may have: declarations under conditions that hold, and names that only statements mention.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/bind/attributes.h"
#include "compiler/bind/binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {

using diag::Code;

void Binder::AddEnds(const Path& path) {
  Dimensions& dimensions = *program_.dimensions;
  size_t last = path.sides.size() - 1;
  std::vector<std::map<std::string, int64_t>> sizes;
  const bool ask_layout = request_.layout_to && request_.mesh_to.entries.empty();
  const MeshSizes mesh_to = ask_layout ? MeshSizesOf(*path.sides[last], *request_.layout_to) : request_.mesh_to;
  for (size_t i = 0; i <= last; ++i) {
    sizes.push_back(i == 0      ? SourceMeshSizes(*path.sides[i], schema_, request_.mesh_from, diagnostics_)
                    : i == last ? TargetMeshSizes(*path.sides[i], mesh_to, diagnostics_)
                                : UnitMeshSizes(*path.sides[i]));
    dimensions.AddEnd(*path.sides[i], sizes.back());
    program_.ends.emplace_back().side = path.sides[i];
  }
  for (const Definition& d : request_.definitions) {
    if (dimensions.Define(d, 0, last)) continue;
    auto& e = diagnostics_.Error(
        Code::kCommandLine, {}, fmt::format("-D {}: no dimension of the rules has this name", diag::Printable(d.name)));
    if (auto near = diag::Nearest(d.name, {unit_.dimension_names.begin(), unit_.dimension_names.end()}))
      e.Help(fmt::format("there is `{}`", *near));
  }
  for (const auto& [name, value] : schema_.facts) {
    if (path.sides[0]->dims.contains(name))
      dimensions.Offer(dimensions.At(0, name), {value, fmt::format("`{}` of the checkpoint", name), {}});
  }
  if (request_.config) {
    for (const auto& line : path.sides[0]->config) {
      Value value = FromConfig(*request_.config, line.node->key.text);
      if (value.kind == Value::Kind::kAbsent || program_.ends[0].side->dims.contains(line.node->name.text)) continue;
      if (auto it = unit_.dims.find(line.node->name.text);
          it != unit_.dims.end() && it->second->kind == ast::Equation::Kind::kValue)
        continue;
      if (value.integer) {
        dimensions.Offer(
            dimensions.At(0, line.node->name.text),
            {*value.integer, fmt::format("`{}` of the configuration", line.node->key.text), line.node->where});
      } else {
        diagnostics_.Error(
            Code::kConfigKey, line.node->where,
            fmt::format("`{}` of the configuration is {}, no whole number", line.node->key.text, value.Show()));
      }
    }
  }
  dimensions.Propagate();
  static const MeshSizes none;
  for (size_t i = 0; i <= last; ++i) {
    const MeshSizes& asked = i == 0 ? request_.mesh_from : i == last ? request_.mesh_to : none;
    const bool whole = i > 0 && (i < last || request_.whole);
    auto shardings = i == 0 ? schema_.shardings : i == last && !whole ? request_.layout_to : nullptr;
    if (shardings)
      ResolveSharded(program_.ends[i], i, dimensions, sizes[i], std::move(shardings), diagnostics_);
    else
      ResolveEnd(program_.ends[i], i, dimensions, sizes[i], asked, i == 0 ? &schema_ : nullptr, whole, diagnostics_);
    for (const Declaration& d : path.sides[i]->declarations) pending_.push_back({i, &d});
  }
}

void Binder::AddLines() {
  for (size_t leg = 0; leg < path_.maps.size(); ++leg) {
    bool backwards = path_.backwards[leg];
    const std::vector<Statement>& statements = path_.maps[leg]->statements;
    for (size_t i = 0; i < statements.size(); ++i) {
      lines_.push_back({&statements[backwards ? statements.size() - 1 - i : i], leg, backwards, std::nullopt});
    }
  }
  lines_added_.assign(lines_.size(), false);
  for (size_t i = 0; i < program_.ends.size(); ++i) {
    for (Placement& p : program_.ends[i].placements) {
      auto named = [&](const Pattern& pattern) {
        std::vector<std::string> variables = pattern.Variables();
        return std::find(variables.begin(), variables.end(), p.variable) != variables.end();
      };
      const Side& side = *program_.ends[i].side;
      p.by_axis = std::none_of(side.declarations.begin(), side.declarations.end(),
                               [&](const Declaration& d) { return named(d.pattern); });
      for (const Line& line : lines_) {
        if (line.leg != i && line.leg + 1 != i) continue;
        for (const Operand& o : line.leg == i ? line.in() : line.out()) p.by_axis &= o.node->blank || !named(o.pattern);
      }
    }
  }
}

std::optional<int64_t> Binder::FamilyNamed(size_t end, const std::string& text) const {
  const std::vector<Family>& families = program_.ends[end].families;
  for (size_t i = 0; i < families.size(); ++i) {
    if (families[i].pattern.text() == text) return static_cast<int64_t>(i);
  }
  return std::nullopt;
}

// With the values of `${=...}`; nothing while they are unknown.
std::optional<Pattern> Binder::Resolved(size_t end, const Pattern& pattern) const {
  return pattern.Resolve([&](const ast::Expr& e) -> std::optional<int64_t> {
    Value value = Evaluate(e, program_.dimensions->ScopeAt(end), Arithmetic::kExact);
    return value.known() ? value.integer : std::nullopt;
  });
}

namespace {

// An axis of a mesh that does not hold, or of a placement that does not, has one coordinate.
std::vector<OnEnds> ResolveOn(const End& end, const std::vector<ast::On>& nodes) {
  std::vector<OnEnds> out;
  for (const ast::On& node : nodes) {
    std::optional<size_t> axis = node.axis                ? end.mesh.Find(node.axis->text)
                                 : end.placements.empty() ? std::nullopt
                                                          : end.placements.front().axis;
    if (axis) out.push_back({*axis, node.first, node.last});
  }
  return out;
}

}  // namespace

bool Binder::AddFamilies() {
  Dimensions& dimensions = *program_.dimensions;
  auto evaluate = [&](size_t end) {
    return [&dimensions, end](const ast::Expr& e) -> std::optional<int64_t> {
      Value value = Evaluate(e, dimensions.ScopeAt(end), Arithmetic::kExact);
      return value.known() ? value.integer : std::nullopt;
    };
  };
  bool any = false;
  std::vector<PendingDeclaration> still;
  for (const PendingDeclaration& p : pending_) {
    std::optional<bool> holds = Dimensions::Holds(p.declaration->context, dimensions.ScopeAt(p.end), diagnostics_);
    if (holds == false) {
      any = true;
      continue;
    }
    auto ranges = holds ? RangesOf(p.declaration->context, dimensions.ScopeAt(p.end), diagnostics_) : std::nullopt;
    auto pattern = ranges ? p.declaration->pattern.Resolve(evaluate(p.end)) : std::nullopt;
    if (!pattern) {
      still.push_back(p);
      continue;
    }
    any = true;
    const ast::Declaration& node = *p.declaration->node;
    Family family;
    family.pattern = std::move(*pattern);
    family.declaration = p.declaration;
    family.type = node.type ? &*node.type : nullptr;
    family.type_end = p.end;
    family.dtype = node.dtype;
    family.where = node.where;
    family.optional = node.optional.has_value();
    family.blocks = node.blocks;
    family.on = ResolveOn(program_.ends[p.end], node.on);
    family.mean = node.replicas_mean.has_value();
    if (node.group) family.group = node.group->text;
    family.ranges = std::move(*ranges);
    program_.ends[p.end].families.push_back(std::move(family));
  }
  pending_ = std::move(still);

  // Names of statements: what is declared needs no family of its own.
  for (size_t i = 0; i < lines_.size(); ++i) {
    Line& line = lines_[i];
    if (!line.active)
      line.active =
          Dimensions::Holds(line.statement->context, dimensions.ScopeBetween(line.leg, line.leg + 1), diagnostics_);
    if (!line.active || lines_added_[i]) continue;
    if (Awaits(line)) {  // what has its type in the statement may be what fixes the rest
      if (*line.active) any |= AddTyped(line);
      continue;
    }
    lines_added_[i] = true;
    any = true;
    if (*line.active) AddImplicit(line);
  }
  if (any) LinkFamilies();
  return any;
}

// Whether a name of the line, or a declaration of it, is still undecided.
bool Binder::Awaits(const Line& line) const {
  auto unknown = [this](size_t end, const std::vector<Operand>& operands) {
    return std::any_of(operands.begin(), operands.end(),
                       [&](const Operand& o) { return !o.node->blank && !Resolved(end, o.pattern); });
  };
  if (unknown(line.leg, line.in()) || unknown(line.leg + 1, line.out())) return true;
  return std::any_of(pending_.begin(), pending_.end(), [&](const PendingDeclaration& p) {
    if (p.end != line.leg && p.end != line.leg + 1) return false;
    const std::vector<Operand>& operands = p.end == line.leg ? line.in() : line.out();
    std::string text = p.declaration->pattern.text();
    return std::any_of(operands.begin(), operands.end(),
                       [&](const Operand& o) { return !o.node->blank && o.pattern.text() == text; });
  });
}

// Adds those names of a line that nothing declares and the line gives a type. True if there was one.
bool Binder::AddTyped(const Line& line) {
  bool any = false;
  for (size_t end : {line.leg, line.leg + 1}) {
    for (const Operand& o : end == line.leg ? line.in() : line.out()) {
      if (o.node->blank || !o.node->type) continue;
      bool declared = std::any_of(pending_.begin(), pending_.end(), [&](const PendingDeclaration& p) {
        return p.end == end && p.declaration->pattern.text() == o.pattern.text();
      });
      auto pattern = Resolved(end, o.pattern);
      if (declared || !pattern || FamilyNamed(end, pattern->text())) continue;
      AddImplicit(end, o, *line.statement, nullptr, 0);
      any = true;
    }
  }
  return any;
}

void Binder::AddImplicit(const Line& line) {
  diag::Diagnostics ignored;  // attributes are reported once, by the check of statements
  Attributes attributes = ReadAttributes(*line.statement->node, ignored);
  const std::vector<Operand>&in = line.in(), &out = line.out();
  auto reshapes = [](const std::vector<Operand>& operands) {
    return operands.size() == 1 && (operands[0].node->transposed || operands[0].pattern.HasStar());
  };
  bool moves =
      attributes.permute || attributes.reshape || attributes.fused != Fused::kNone || reshapes(in) || reshapes(out);
  // An untyped name opposite a single typed one has that type.
  auto partner = [&](const std::vector<Operand>& other) -> const Operand* {
    bool single = in.size() == 1 && out.size() == 1 && !in[0].pattern.HasStar() && !out[0].pattern.HasStar();
    bool copied = attributes.copy && other.size() == 1;
    return !moves && (single || copied) && !other[0].node->blank ? &other[0] : nullptr;
  };
  for (const Operand& o : in) AddImplicit(line.leg, o, *line.statement, partner(out), line.leg + 1);
  for (const Operand& o : out) AddImplicit(line.leg + 1, o, *line.statement, partner(in), line.leg);
}

void Binder::AddImplicit(size_t end, const Operand& operand, const Statement& statement, const Operand* partner,
                         size_t partner_end) {
  if (operand.node->blank) return;
  auto pattern = Resolved(end, operand.pattern);
  if (!pattern) return;  // reported when the statement is bound
  End& at = program_.ends[end];
  auto existing = FamilyNamed(end, pattern->text());
  if (!existing) {
    Family family;
    family.pattern = std::move(*pattern);
    family.where = operand.node->where;
    family.type_end = end;
    at.families.push_back(std::move(family));
    existing = static_cast<int64_t>(at.families.size()) - 1;
  }
  Family& family = at.families[static_cast<size_t>(*existing)];
  if (!family.declaration) {
    // Statements of different ranges may share a name: then only the numbers in them count, and each takes its own.
    for (const VariableRange& range : statement.context.ranges)
      family.ranges.emplace(range.variable.text, Range{0, -1, {}});
    if (!family.dtype) family.dtype = operand.node->dtype;
  }
  if (!family.type && operand.node->type) {
    family.type = &*operand.node->type;
    family.type_end = end;
  }
  if (family.type || !partner) return;
  const ast::Type* type = partner->node->type ? &*partner->node->type : nullptr;
  size_t type_end = partner_end;
  if (!type) {
    for (const Family& other : program_.ends[partner_end].families) {
      if (other.pattern.text() == partner->pattern.text() && other.type && !other.partner_type) {
        type = other.type;
        break;
      }
    }
  }
  if (!type) return;
  family.type = type;
  family.type_end = type_end;
  family.partner_type = true;
  CheckPartnerType(family, operand.node->where);
}

// The type of the tensor opposite must leave the variables of the name alone.
void Binder::CheckPartnerType(const Family& family, SourceRange where) {
  int any = 0;
  for (const TypePiece& piece : Pieces(program_.dimensions->Lower(*family.type, family.type_end, any))) {
    for (const std::string& name : family.pattern.Variables()) {
      bool twice = std::any_of(piece.variables.begin(), piece.variables.end(),
                               [&](const PieceVariable& v) { return v.name == name; });
      if (!twice) continue;
      diagnostics_
          .Error(Code::kVariableTwice, where,
                 fmt::format("a piece of `{}` has the variable `{}` twice", family.pattern.text(), name))
          .Also(family.type->where, "an untyped name has the type of the tensor opposite")
          .Help("give it a type of its own, or leave the variable out of the name");
      return;
    }
  }
}

// `tied` and `blocks of` as families of the same end.
void Binder::LinkFamilies() {
  auto link = [this](size_t e, const std::optional<Pattern>& named, std::optional<size_t>& to) {
    auto pattern = named ? Resolved(e, *named) : std::nullopt;
    if (!pattern) return;
    if (auto family = FamilyNamed(e, pattern->text())) to = static_cast<size_t>(*family);
  };
  for (size_t e = 0; e < program_.ends.size(); ++e) {
    for (Family& family : program_.ends[e].families) {
      if (!family.declaration) continue;
      link(e, family.declaration->tied, family.tied);
      link(e, family.declaration->blocks_of, family.blocks_of);
    }
  }
}

// Conditions, ranges and `${=...}` that stay undecided when nothing more can be learnt.
void Binder::ReportUndecided() {
  Dimensions& dimensions = *program_.dimensions;
  auto report = [&](const Context& context, size_t end, const Scope& scope, SourceRange where) {
    if (!Dimensions::Holds(context, scope, diagnostics_)) {
      diagnostics_
          .Error(Code::kCondition, context.guards.back().condition->where,
                 "the condition depends on a dimension that nothing fixes")
          .Also(where, "this line stands under it")
          .Help("`-D NAME=...`, an equation, a configuration key or another shape gives it");
      return true;
    }
    const ast::Expr* undecided = nullptr;
    if (RangesOf(context, dimensions.ScopeAt(end), diagnostics_, &undecided)) return false;
    auto& d = diagnostics_.Error(Code::kUnknownDimension, undecided->where,
                                 fmt::format("`{}`, which a range depends on, is not known", ToString(*undecided)));
    std::set<std::string> names;
    NamesIn(*undecided, names);
    std::erase_if(names, [&](const std::string& name) { return scope.name(name, undecided->where).known(); });
    if (!names.empty()) {
      d.Help(fmt::format("a configuration key, `-D {}=...`, or numbers in names outside this loop fix it",
                         *names.begin()));
    }
    return true;
  };
  for (const PendingDeclaration& p : pending_) {
    if (report(p.declaration->context, p.end, dimensions.ScopeAt(p.end), p.declaration->node->where)) continue;
    diagnostics_
        .Error(Code::kUnknownDimension, p.declaration->node->name.where,
               fmt::format("`{}` needs dimensions that nothing fixes", p.declaration->pattern.text()))
        .Note("a name made of extents must be known before names are looked at")
        .Help("`-D`, a configuration key or an equation gives them");
  }
  for (const Line& line : lines_) {
    if (!line.active)
      report(line.statement->context, line.leg, dimensions.ScopeBetween(line.leg, line.leg + 1),
             line.statement->node->where);
  }
}

}  // namespace aoa::bind
