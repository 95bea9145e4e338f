#include "compiler/bind/check_sides.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/bind/dimensions.h"
#include "compiler/bind/evaluate.h"
#include "compiler/bind/ranges.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;

class SideChecker {
 public:
  SideChecker(const Unit& unit, const Side& side, diag::Diagnostics& diagnostics)
      : unit_(unit), side_(side), diagnostics_(diagnostics), dimensions_(unit, nullptr, true) {
    axes_ = MeshAxesOf(side);
    end_ = dimensions_.AddSymbolicEnd(side);
  }

  void Check(const std::vector<std::string>& formats) {
    CheckFormat(formats);
    CheckMeshes();
    CheckPlaces();
    CheckRoles();
    for (const Declaration& declaration : side_.declarations) CheckDeclaration(declaration);
  }

  // Inline types of statements: as declarations of this side.
  void Note(const Operand& operand) {
    if (operand.node->blank) return;
    NoteNames(operand.pattern);
    if (operand.node->type) CheckType(*operand.node->type, operand.pattern);
  }

  // A variable that is placed and stands in no name and no type: each rank would hold everything. Sides without
  // variables in their names place something to have stages at all.
  void CheckPlaced() {
    for (const auto* dims : {&unit_.dims, &side_.dims}) {
      for (const auto& [name, equation] : *dims) {
        if (equation->axis) NoteExtents({*equation->axis});
      }
    }
    const std::vector<std::string> named(in_names_.begin(), in_names_.end());
    for (const auto& line : side_.places) {
      const ast::Ident& variable = line.node->variable;
      if (named.empty() || in_names_.contains(variable.text) || extents_.contains(variable.text)) continue;
      diagnostics_
          .Warning(Code::kPlacement, variable.where,
                   fmt::format("`{}` stands in no name and no type of side `{}`: nothing is dealt", variable.text,
                               side_.name))
          .Help(fmt::format("its names have `${}`", fmt::join(named, "`, `$")));
    }
  }

  // Names that tensors of the side have or are made of.
  void NamesOfTensors(std::set<std::string>& names) const {
    names.insert(in_names_.begin(), in_names_.end());
    names.insert(extents_.begin(), extents_.end());
  }

  // `known`: the names of all sides' tensors. What has no value is not written.
  void CheckConfig(const std::set<std::string>& known) {
    for (const auto& line : side_.config) {
      const std::string &key = line.node->key.text, &name = line.node->name.text;
      auto has_value = [&](const std::string& text) {
        return known.contains(text) || unit_.dims.contains(text) || side_.dims.contains(text);
      };
      if (has_value(name)) continue;
      auto& d = diagnostics_.Warning(Code::kConfigKey, line.node->where,
                                     fmt::format("`{}` is no dimension: the key `{}` is never written", name, key));
      if (has_value(key)) d.Help(fmt::format("the key of the configuration stands on the left: `{} = {}`", name, key));
    }
  }

  void CheckType(const ast::Type& type, const Pattern& pattern) {
    NoteExtents(type.axes);
    CheckCutNames(type.axes);
    if (type.stored) CheckStored(*type.stored);
    CheckPieces(type, pattern);
  }

 private:
  void NoteNames(const Pattern& pattern) {
    for (const std::string& name : pattern.Variables()) in_names_.insert(name);
  }

  void NoteExtents(const std::vector<ast::Axis>& axes) {
    for (const ast::Axis& axis : axes) {
      extents_.insert(axis.name.text);
      NoteExtents(axis.parts);
    }
  }

  void CheckFormat(const std::vector<std::string>& formats) {
    for (const auto& line : side_.formats) {
      const ast::Ident& name = line.node->name;
      if (std::find(formats.begin(), formats.end(), name.text) != formats.end()) continue;
      auto& d = diagnostics_.Error(Code::kFormat, name.where, fmt::format("there is no format `{}`", name.text));
      if (auto near = diag::Nearest(name.text, formats))
        d.Help(fmt::format("there is `{}`", *near));
      else
        d.Help(fmt::format("the formats are {}", diag::Enumerate(formats, 20)));
    }
  }

  void CheckMeshes() {
    auto unique = [&](const std::vector<ast::Ident>& names, std::vector<ast::Ident> seen) {
      for (const ast::Ident& name : names) {
        auto it =
            std::find_if(seen.begin(), seen.end(), [&](const ast::Ident& other) { return other.text == name.text; });
        if (it != seen.end()) {
          diagnostics_.Error(Code::kMeshAxis, name.where, fmt::format("mesh axis `{}` is listed twice", name.text))
              .Also(it->where, "the first one");
        }
        seen.push_back(name);
      }
      return seen;
    };
    std::vector<ast::Ident> first;
    for (const auto& line : side_.meshes) {
      auto seen = unique(line.node->axes, {});
      if (first.empty()) first = seen;
    }
    for (const auto& line : side_.overlays) {
      auto seen = unique(line.node->axes, first);
      if (line.context.guards.empty()) first = seen;  // of those under conditions one may hold at a time
      for (const ast::Ident& name : line.node->on) KnowAxis(name, "of the mesh");
    }
    for (const auto& line : side_.zeros) {
      const ast::Ident& by = line.node->by;
      KnowAxis(line.node->axis, "to cut states by");
      auto own = [&](const InContext<ast::Format>& format) { return format.node->name.text == by.text; };
      if (by.text == "whole" || by.text == "flat" || side_.formats.empty() ||
          std::any_of(side_.formats.begin(), side_.formats.end(), own))
        continue;
      diagnostics_.Error(Code::kFormat, by.where, fmt::format("there is no partition `{}`", by.text))
          .Expected("`whole`, `flat`, or the side's own format");
    }
  }

  bool KnowAxis(const ast::Ident& name, const char* what) {
    if (std::find(axes_.begin(), axes_.end(), name.text) != axes_.end()) return true;
    auto& d = diagnostics_.Error(Code::kMeshAxis, name.where,
                                 fmt::format("side `{}` has no mesh axis `{}` {}", side_.name, name.text, what));
    HelpWithAxes(d, name.text, axes_);
    return false;
  }

  void CheckPlaces() {
    for (size_t i = 0; i < side_.places.size(); ++i) {
      const ast::Place& place = *side_.places[i].node;
      KnowAxis(place.axis, "to place on");
      if (place.surplus && !place.by.empty()) {
        diagnostics_.Error(Code::kPlacement, place.surplus->where, "`surplus` stands beside `by`")
            .Expected("one of them: `surplus` deals an uneven rest, `by` says every count");
      }
      if (place.interleave && !place.by.empty()) {
        diagnostics_.Error(Code::kPlacement, place.where, "`interleave` stands beside `by`");
      }
      for (size_t j = 0; j < i; ++j) {
        const ast::Place& other = *side_.places[j].node;
        bool unconditional = side_.places[i].context.guards.empty() && side_.places[j].context.guards.empty();
        if (other.variable.text != place.variable.text || !unconditional) continue;
        diagnostics_
            .Error(Code::kDeclaredTwice, place.variable.where, fmt::format("`{}` is placed twice", place.variable.text))
            .Also(other.variable.where, "the first time");
      }
    }
  }

  void CheckRoles() {
    for (const auto& line : side_.roles) {
      const std::string& text = line.node->name_template;
      size_t at = text.find('{'), close = text.find('}');
      bool one = at != std::string::npos && close != std::string::npos && at < close &&
                 text.find_first_of("{}", close + 1) == std::string::npos &&
                 text.find('{', at + 1) == std::string::npos;
      if (!one) {
        diagnostics_
            .Error(Code::kSyntax, line.node->template_where,
                   fmt::format("the template \"{}\" does not hold one `{{}}`", diag::Printable(text)))
            .Expected("`{}` where the weight's name goes: \"{}.exp_avg\"");
      } else if (text == "{}") {
        diagnostics_.Error(Code::kSyntax, line.node->template_where,
                           "the template \"{}\" gives a state the name of its weight");
      }
    }
  }

  const Declaration* DeclarationOf(const Pattern& pattern) const {
    for (const Declaration& d : side_.declarations) {
      if (d.pattern.text() == pattern.text()) return &d;
    }
    return nullptr;
  }

  void CheckReference(const Declaration& declaration, const Pattern& reference, const char* what) {
    const Declaration* original = DeclarationOf(reference);
    if (!original) {
      std::vector<std::string> known;
      for (const Declaration& d : side_.declarations) known.push_back(d.pattern.text());
      auto& d = diagnostics_.Error(Code::kUnknownTensor, reference.where,
                                   fmt::format("`{}` is {} `{}`, which side `{}` does not declare",
                                               declaration.pattern.text(), what, reference.text(), side_.name));
      if (auto near = diag::Nearest(reference.text(), known)) d.Help(fmt::format("there is `{}`", *near));
      return;
    }
    if (original->tied || original->blocks_of || original == &declaration) {
      diagnostics_.Error(Code::kUnknownTensor, reference.where,
                         fmt::format("`{}` is {} `{}`, which is no tensor of its own", declaration.pattern.text(), what,
                                     reference.text()));
    }
    std::vector<std::string> a = declaration.pattern.Variables(), b = original->pattern.Variables();
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    // A tensor may have several copies: one for each number of a variable that only they have.
    if (declaration.tied ? std::includes(a.begin(), a.end(), b.begin(), b.end()) : a == b) return;
    diagnostics_.Error(
        Code::kNamePattern, reference.where,
        fmt::format("`{}` and `{}` have different variables", declaration.pattern.text(), reference.text()));
  }

  void CheckDeclaration(const Declaration& declaration) {
    NoteNames(declaration.pattern);
    const ast::Declaration& node = *declaration.node;
    if (declaration.tied) CheckReference(declaration, *declaration.tied, "tied to");
    if (declaration.blocks_of) {
      CheckReference(declaration, *declaration.blocks_of, "blocks of");
      for (int64_t block : node.blocks) {
        if (block <= 0)
          diagnostics_.Error(
              Code::kBlocks, node.where,
              fmt::format("a block of `{}` has {} elements along an axis", declaration.blocks_of->text(), block));
      }
      for (const Declaration& weight : side_.declarations) {
        if (weight.pattern.text() != declaration.blocks_of->text() || !weight.node->type || weight.node->type->stored)
          continue;
        const size_t axes = weight.node->type->axes.size();
        if (axes == node.blocks.size()) continue;
        diagnostics_
            .Error(Code::kBlocks, node.where,
                   fmt::format("blocks of {} axes, of `{}` with {}", node.blocks.size(), weight.pattern.text(), axes))
            .Also(weight.node->where, "the weight");
      }
      if (node.type)
        diagnostics_
            .Error(Code::kBlocks, node.type->where,
                   fmt::format("`{}` has a type beside `blocks of`", declaration.pattern.text()))
            .Note("its shape follows from the tensor whose blocks it scales");
    }
    for (const ast::On& on : node.on) {
      if (on.axis) {
        KnowAxis(*on.axis, "to stand on an end of");
      } else if (side_.places.empty()) {
        diagnostics_
            .Error(Code::kPlacement, on.where,
                   fmt::format("`{}` stands on the first or last stage of a side that places nothing",
                               declaration.pattern.text()))
            .Help("`place l on pp` says what the stages are of");
      }
    }
    if (node.type) CheckType(*node.type, declaration.pattern);
  }

  void CheckCutNames(const std::vector<ast::Axis>& axes) {
    for (const ast::Axis& axis : axes) {
      if (axis.cut) {
        for (const ast::Ident& name : axis.cut->axes) KnowAxis(name, "to cut by");
      }
      CheckCutNames(axis.parts);
    }
  }

  void CheckStored(const std::vector<ast::Axis>& axes) {
    for (const ast::Axis& axis : axes) {
      if (axis.cut) {
        diagnostics_.Error(Code::kAxis, axis.cut->where, "a cut stands in a stored shape")
            .Note("what the type cuts is cut in the stored shape too");
      }
      CheckStored(axis.parts);
    }
  }

  void CheckPieces(const ast::Type& node, const Pattern& pattern) {
    int any = 0;
    TensorType type = dimensions_.Lower(node, end_, any);
    std::vector<TypePiece> pieces = Pieces(type);
    if (pieces.size() > 100'000) {
      diagnostics_.Error(Code::kTooDeep, node.where, fmt::format("the type has {} pieces", pieces.size()));
      return;
    }
    std::vector<std::vector<size_t>> cuts = PieceCuts(type);
    for (size_t i = 0; i < pieces.size(); ++i) {
      std::vector<std::string> names = pattern.Variables();
      for (const PieceVariable& v : pieces[i].variables) names.push_back(v.name);
      if (auto twice = Twice(names)) {
        diagnostics_
            .Error(Code::kVariableTwice, node.where,
                   fmt::format("a piece of `{}` has the variable `{}` twice", pattern.text(), *twice))
            .Found(fmt::format("the variables {}", diag::Enumerate(names, 12)))
            .Note("which index would be which? two axes of one extent have two names");
        return;
      }
      if (auto twice = Twice(cuts[i])) {
        diagnostics_
            .Error(Code::kCutTwice, node.where,
                   fmt::format("mesh axis `{}` cuts a piece of `{}` twice", axes_[*twice], pattern.text()))
            .Note("a rank would hold its block of both factors and nothing of the rest: elements would be lost");
        return;
      }
    }
  }

  template <class T>
  static std::optional<T> Twice(std::vector<T> values) {
    std::sort(values.begin(), values.end());
    auto it = std::adjacent_find(values.begin(), values.end());
    return it == values.end() ? std::nullopt : std::optional(*it);
  }

  const Unit& unit_;
  const Side& side_;
  diag::Diagnostics& diagnostics_;
  Dimensions dimensions_;
  size_t end_ = 0;
  std::vector<std::string> axes_;
  std::set<std::string> in_names_, extents_;  // variables of names; names in types
};

// In `for l in ...`, a condition about `l` asks how many there are, for every number alike: perhaps `$l` is meant.
void CheckConditions(const Context& context, diag::Diagnostics& diagnostics) {
  for (const Guard& guard : context.guards) {
    if (VariableOf(guard)) continue;
    std::set<std::string> names;
    NamesIn(*guard.condition, names);
    for (const VariableRange& loop : context.ranges) {
      const SourceRange &head = loop.variable.where, &where = guard.condition->where;
      const std::string& name = loop.variable.text;
      if (!names.contains(name) || head.file != where.file || head.begin > where.begin) continue;
      diagnostics
          .Warning(Code::kCondition, where,
                   fmt::format("`{}` is how many there are, the same for every number of the loop", name))
          .Also(head, "the loop")
          .Help(fmt::format("the number is `${}`", name));
    }
  }
}

}  // namespace

void HelpWithAxes(diag::Diagnostic& d, const std::string& name, const std::vector<std::string>& axes) {
  auto lower = [](std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
  };
  auto same = std::find_if(axes.begin(), axes.end(), [&](const std::string& a) { return lower(a) == lower(name); });
  std::vector<std::string> shown;
  for (const std::string& axis : axes) shown.push_back("`" + axis + "`");
  if (axes.empty())
    d.Help(fmt::format("a line `mesh {}` declares it", diag::Printable(name)));
  else if (same != axes.end())
    d.Help(fmt::format("there is `{}`: capitals count", *same));
  else if (axes.size() == 1)
    d.Help(fmt::format("there is {}", shown[0]));
  else
    d.Help(fmt::format("its axes are {}", diag::Enumerate(shown, 16)));
}

std::vector<std::string> MeshAxesOf(const Side& side) {
  std::vector<std::string> out;
  auto add = [&](const std::vector<ast::Ident>& names) {
    for (const ast::Ident& name : names) {
      if (std::find(out.begin(), out.end(), name.text) == out.end()) out.push_back(name.text);
    }
  };
  for (const auto& line : side.meshes) add(line.node->axes);
  for (const auto& line : side.overlays) add(line.node->axes);
  for (const std::string& name : side.rounds) {
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  }
  return out;
}

void CheckSides(const Unit& unit, const std::vector<std::string>& formats, diag::Diagnostics& diagnostics) {
  std::map<std::string, std::unique_ptr<SideChecker>> checkers;
  for (const std::string& name : unit.side_order) {
    auto& checker = checkers[name] = std::make_unique<SideChecker>(unit, unit.sides.at(name), diagnostics);
    checker->Check(formats);
  }
  for (const auto& [name, side] : unit.sides) {
    for (const Declaration& declaration : side.declarations) CheckConditions(declaration.context, diagnostics);
  }
  for (const Map& map : unit.maps) {
    for (const Statement& statement : map.statements) {
      CheckConditions(statement.context, diagnostics);
      for (auto [operands, side] : {std::pair(&statement.left, map.left), std::pair(&statement.right, map.right)}) {
        auto checker = checkers.find(side);
        if (checker == checkers.end()) continue;
        for (const Operand& operand : *operands) checker->second->Note(operand);
      }
    }
  }
  std::set<std::string> names;
  for (const std::string& name : unit.side_order) {
    checkers[name]->CheckPlaced();
    checkers[name]->NamesOfTensors(names);
  }
  for (const std::string& name : unit.side_order) checkers[name]->CheckConfig(names);
}

}  // namespace aoa::bind
