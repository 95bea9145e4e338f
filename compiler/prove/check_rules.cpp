#include "compiler/prove/map_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/bind/check_sides.h"
#include "compiler/bind/leg_binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::prove {

MapChecker::MapChecker(const bind::Unit& unit, const bind::Map& map, diag::Diagnostics& diagnostics)
    : map_(map),
      left_(unit.sides.at(map.left)),
      right_(unit.sides.at(map.right)),
      diagnostics_(diagnostics),
      dimensions_(unit, nullptr, true) {
  for (const Side* side : {&left_, &right_}) {
    dimensions_.AddSymbolicEnd(*side);
    auto& declared = declared_[side];
    for (const Declaration& d : side->declarations) declared[d.pattern.text()].push_back(&d);
  }
}

void MapChecker::Check() {
  if (!CheckEnds()) return;
  for (const Statement& statement : map_.statements) {
    attributes_ = bind::ReadAttributes(*statement.node, diagnostics_);
    if (CheckForm(statement)) CheckTypes(statement);
  }
  CheckMentions(left_, true);
  CheckMentions(right_, false);
}

diag::Diagnostic& MapChecker::Error(Code code, SourceRange where, std::string message) {
  return diagnostics_.Error(code, where, std::move(message));
}

// ---------------------------------------------------------------- declarations

std::vector<const Declaration*> MapChecker::DeclarationsOf(const Side& side, const Operand& operand) const {
  if (operand.node->blank) return {};
  const auto& declared = declared_.at(&side);
  auto found = declared.find(operand.pattern.text());
  return found == declared.end() ? std::vector<const Declaration*>() : found->second;
}

// Whether some declaration of another spelling may be meant.
bool MapChecker::MayBeDeclared(const Side& side, const Operand& operand) {
  if (operand.pattern.HasStar() || operand.pattern.HasExtent()) return !side.declarations.empty();
  bind::Assignment zeros;
  for (const std::string& v : operand.pattern.Variables()) zeros[v] = 1;
  std::string sample = operand.pattern.Spell(zeros);
  return std::any_of(side.declarations.begin(), side.declarations.end(),
                     [&](const Declaration& d) { return d.pattern.HasExtent() || d.pattern.Match(sample); });
}

// Whether a name may be of a side.
bool MapChecker::Knows(const Side& side, const Operand& operand) const {
  return !DeclarationsOf(side, operand).empty() || MayBeDeclared(side, operand);
}

namespace {

// Whether patterns are equal but for the names of their variables.
bool SameButForVariables(const bind::Pattern& a, const bind::Pattern& b) {
  if (a.parts.size() != b.parts.size()) return false;
  std::map<std::string, std::string> there, back;
  for (size_t i = 0; i < a.parts.size(); ++i) {
    const bind::PatternPart &x = a.parts[i], &y = b.parts[i];
    if (x.kind != y.kind || x.offset != y.offset || x.width != y.width || x.expression || y.expression) return false;
    if (x.kind != bind::PatternPart::Kind::kVariable) {
      if (x.text != y.text) return false;
    } else if (there.emplace(x.text, y.text).first->second != y.text ||
               back.emplace(y.text, x.text).first->second != x.text) {
      return false;
    }
  }
  return true;
}

}  // namespace

// The declaration whose type all names of an operand have, though it spells them with other variables: no other line
// of the side may have one of them.
const Declaration* MapChecker::Renamed(const Side& side, const Operand& operand) const {
  if (operand.node->blank || operand.node->type || operand.pattern.IsPlain() || operand.pattern.HasStar() ||
      operand.pattern.HasExtent() || !DeclarationsOf(side, operand).empty())
    return nullptr;
  const Declaration* found = nullptr;
  for (const Declaration& d : side.declarations) {
    if (SameButForVariables(operand.pattern, d.pattern)) found = &d;
  }
  if (!found || !found->context.guards.empty()) return nullptr;
  bool alone = std::none_of(side.declarations.begin(), side.declarations.end(),
                            [&](const Declaration& d) { return &d != found && MayMean(operand.pattern, d.pattern); });
  return alone ? found : nullptr;
}

// ---------------------------------------------------------------- coverage

// Whether the map has the names of its sides where they belong. If all stand on the other end, that is all there is to
// say.
bool MapChecker::CheckEnds() {
  bool swapped[2] = {false, false};
  for (const Statement& s : map_.statements) {
    for (bool is_left : {true, false}) {
      for (const Operand& o : is_left ? s.left : s.right) {
        if (o.node->blank) continue;
        const bool own = Knows(is_left ? left_ : right_, o), other = Knows(is_left ? right_ : left_, o);
        if (!other) return true;  // a name that both have says nothing
        swapped[is_left] |= !own;
      }
    }
  }
  if (!swapped[0] || !swapped[1] || map_.where.empty()) return true;
  diagnostics_
      .Error(Code::kNotProduced, map_.where.back(),
             fmt::format("the names on the left of this map are of side `{}`, those on the right of side `{}`",
                         map_.right, map_.left))
      .Help(fmt::format("`map {} <-> {}` swaps the ends", map_.right, map_.left));
  return false;
}

// A tensor that a side always has must be in some statement of each of its maps.
void MapChecker::CheckMentions(const Side& side, bool is_left) {
  std::set<std::string> spelled;
  for (const Statement& s : map_.statements) {
    for (const Operand& o : is_left ? s.left : s.right) {
      if (!o.node->blank) spelled.insert(o.pattern.text());
    }
  }
  for (const Declaration& d : side.declarations) {
    if (d.node->optional || d.tied || d.blocks_of || !d.context.guards.empty() || spelled.contains(d.pattern.text()))
      continue;
    bool mentioned = std::any_of(map_.statements.begin(), map_.statements.end(), [&](const Statement& s) {
      const std::vector<Operand>& operands = is_left ? s.left : s.right;
      return std::any_of(operands.begin(), operands.end(),
                         [&](const Operand& o) { return !o.node->blank && MayMean(o.pattern, d.pattern); });
    });
    if (mentioned) continue;
    auto& e = diagnostics_.Error(
        Code::kNotProduced, d.node->name.where,
        fmt::format("no statement between `{}` and `{}` names `{}`", map_.left, map_.right, d.pattern.text()));
    if (!map_.where.empty()) e.Also(map_.where.back(), "this map");
    if (auto near = diag::Nearest(d.pattern.text(), {spelled.begin(), spelled.end()}))
      e.Help(fmt::format("a statement names `{}`", *near));
    else
      e.Help(fmt::format("`{} -> _` leaves it out, `optional` lets it be absent", d.pattern.text()));
  }
}

// Whether a statement's pattern may spell a name of a declared pattern.
bool MapChecker::MayMean(const bind::Pattern& used, const bind::Pattern& declared) {
  if (used.text() == declared.text() || used.HasStar() || used.HasExtent() || declared.HasExtent()) return true;
  bind::Assignment values;
  for (const std::string& v : declared.Variables()) values[v] = 1;
  if (used.Match(declared.Spell(values))) return true;
  values.clear();
  for (const std::string& v : used.Variables()) values[v] = 1;
  return declared.Match(used.Spell(values)).has_value();
}

namespace {

// A tied copy has the pieces of its original.
void CheckTies(const bind::Unit& unit, const Side& side, diag::Diagnostics& diagnostics) {
  bind::Dimensions dimensions(unit, nullptr, true);
  size_t end = dimensions.AddSymbolicEnd(side);
  for (const Declaration& copy : side.declarations) {
    if (!copy.tied || !copy.node->type) continue;
    for (const Declaration& original : side.declarations) {
      if (original.pattern.text() != copy.tied->text() || !original.node->type || !copy.context.guards.empty() ||
          !original.context.guards.empty())
        continue;
      int any = 0;
      bind::RuleView view;
      view.in.push_back(
          {false, dimensions.Lower(*original.node->type, end, any), {}, original.node->where, original.pattern.text()});
      any = 0;
      view.out.push_back(
          {false, dimensions.Lower(*copy.node->type, end, any), {}, copy.node->where, copy.pattern.text()});
      Match(view, copy.node->where, "original", "copy", diagnostics);
    }
  }
}

}  // namespace

void CheckRules(const bind::Unit& unit, diag::Diagnostics& diagnostics) {
  for (const std::string& name : unit.side_order) CheckTies(unit, unit.sides.at(name), diagnostics);
  for (const bind::Map& map : unit.maps) {
    if (unit.sides.contains(map.left) && unit.sides.contains(map.right)) MapChecker(unit, map, diagnostics).Check();
  }
}

void CheckUnit(const bind::Unit& unit, const std::vector<std::string>& formats, diag::Diagnostics& diagnostics) {
  using diag::Code;
  static const std::set<Code> of_lost_text = {Code::kNotConsumed,   Code::kNotProduced, Code::kUntypedList,
                                              Code::kUnknownTensor, Code::kMeshAxis,    Code::kDeclaredTwice};
  diag::Diagnostics found;
  bind::CheckSides(unit, formats, found);
  CheckRules(unit, found);
  const bool torn = diagnostics.FirstError({Code::kSyntax, Code::kUnclosed, Code::kCharacter}) != nullptr;
  diagnostics.Append(found, [&](const diag::Diagnostic& d) { return !torn || !of_lost_text.contains(d.code); });
}

}  // namespace aoa::prove
