#include "compiler/bind/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;

// ---------------------------------------------------------------- words in names

// The word that `${=p}` stands for, if p is a value that is one.
const std::string* WordOf(const Unit& unit, const PatternPart& part) {
  if (part.kind != PatternPart::Kind::kExtent || part.expression->kind != ast::Expr::Kind::kName) return nullptr;
  auto equation = unit.dims.find(part.expression->text);
  if (equation == unit.dims.end() || equation->second->kind != ast::Equation::Kind::kValue) return nullptr;
  const ast::Expr& value = *equation->second->value;
  return value.kind == ast::Expr::Kind::kString ? &value.text : nullptr;
}

void Spell(const Unit& unit, Pattern& pattern) {
  std::vector<PatternPart> parts;
  for (PatternPart& part : pattern.parts) {
    if (const std::string* word = WordOf(unit, part)) part = {PatternPart::Kind::kText, *word, 0, 0, nullptr};
    bool text = part.kind == PatternPart::Kind::kText;
    if (text && !parts.empty() && parts.back().kind == PatternPart::Kind::kText)
      parts.back().text += part.text;
    else
      parts.push_back(std::move(part));
  }
  pattern.parts = std::move(parts);
}

void SpellAll(Unit& unit) {
  for (auto& [name, side] : unit.sides) {
    for (Declaration& d : side.declarations) {
      Spell(unit, d.pattern);
      if (d.tied) Spell(unit, *d.tied);
      if (d.blocks_of) Spell(unit, *d.blocks_of);
    }
    for (Pattern& pattern : side.removed) Spell(unit, pattern);
  }
  for (Map& map : unit.maps) {
    for (Statement& statement : map.statements) {
      for (Operand& o : statement.left) Spell(unit, o.pattern);
      for (Operand& o : statement.right) Spell(unit, o.pattern);
    }
  }
}

// ---------------------------------------------------------------- sides that are like others

class Likes {
 public:
  Likes(Unit& unit, diag::Diagnostics& diagnostics) : unit_(unit), diagnostics_(diagnostics) {}

  void Resolve() {
    for (const std::string& name : unit_.side_order) Resolve(unit_.sides.at(name));
  }

 private:
  void Resolve(Side& side) {
    if (!side.like || !done_.insert(side.name).second) return;
    auto it = unit_.sides.find(side.like->side.text);
    if (it == unit_.sides.end()) {
      auto& d = diagnostics_.Error(Code::kUnknownSide, side.like->side.where,
                                   fmt::format("there is no side `{}`", side.like->side.text));
      if (auto near = diag::Nearest(side.like->side.text, unit_.side_order))
        d.Help(fmt::format("there is `{}`", *near));
      return;
    }
    Side& base = it->second;
    for (const Side* at = &base; at && at->like; at = Base(*at)) {
      if (Base(*at) != &side && at != &side) continue;
      diagnostics_.Error(Code::kUnknownSide, side.like->where, fmt::format("side `{}` is like itself", side.name));
      return;
    }
    Resolve(base);
    Lines(side, base);
    Declarations(side, base);
    Maps(side, base);
  }

  const Side* Base(const Side& side) const {
    auto it = unit_.sides.find(side.like->side.text);
    return it == unit_.sides.end() ? nullptr : &it->second;
  }

  // Lines of the base that the side has none of.
  template <class Node, class Key>
  static void Inherit(std::vector<InContext<Node>>& own, const std::vector<InContext<Node>>& base, Key key) {
    std::set<std::string> said;
    for (const auto& line : own) said.insert(key(*line.node));
    std::vector<InContext<Node>> out;
    for (const auto& line : base) {
      if (!said.contains(key(*line.node))) out.push_back(line);
    }
    out.insert(out.end(), own.begin(), own.end());
    own = std::move(out);
  }

  static void Lines(Side& side, const Side& base) {
    auto all = [](const auto&) { return std::string(); };
    Inherit(side.formats, base.formats, all);
    Inherit(side.meshes, base.meshes, all);
    Inherit(side.overlays, base.overlays, all);
    Inherit(side.zeros, base.zeros, all);
    Inherit(side.places, base.places, [](const ast::Place& place) { return place.variable.text; });
    Inherit(side.roles, base.roles, [](const ast::Role& role) { return role.role.text; });
    Inherit(side.config, base.config, [](const ast::ConfigEntry& entry) { return entry.key.text; });
    side.dims.insert(base.dims.begin(), base.dims.end());
  }

  void Declarations(Side& side, const Side& base) {
    std::set<std::string> replaced, removed;
    for (const Declaration& d : side.declarations) replaced.insert(d.pattern.text());
    for (const Pattern& pattern : side.removed) removed.insert(pattern.text());
    for (const Pattern& pattern : side.removed) {
      auto is = [&](const auto& other) { return other.text() == pattern.text(); };
      auto declares = [&](const Declaration& d) { return is(d.pattern); };
      bool known = std::any_of(base.removed.begin(), base.removed.end(), is) ||
                   std::any_of(base.declarations.begin(), base.declarations.end(), declares) ||
                   replaced.contains(pattern.text());
      if (!known) NothingToRemove(base, pattern, diagnostics_);
    }
    side.declarations = InPlace(base.declarations, side.declarations, removed);
    side.removed.insert(side.removed.end(), base.removed.begin(), base.removed.end());
  }

  // The base's declarations, with those of the side's own where they replace some, and the others behind.
  static std::vector<Declaration> InPlace(const std::vector<Declaration>& base, const std::vector<Declaration>& own,
                                          const std::set<std::string>& removed) {
    std::map<std::string, std::vector<const Declaration*>> replacing;
    for (const Declaration& d : own) replacing[d.pattern.text()].push_back(&d);
    std::set<std::string> placed;
    std::vector<Declaration> out;
    for (const Declaration& d : base) {
      const std::string name = d.pattern.text();
      auto it = replacing.find(name);
      if (removed.contains(name)) continue;
      if (it == replacing.end()) out.push_back(d);
      if (it == replacing.end() || !placed.insert(name).second) continue;
      for (const Declaration* other : it->second) out.push_back(*other);
    }
    for (const Declaration& d : own) {
      if (!placed.contains(d.pattern.text())) out.push_back(d);
    }
    return out;
  }

  // The side stands for its base on the left of every map. A base that is on the right of maps alone is the hub.
  void Maps(Side& side, const Side& base) {
    bool hub =
        std::any_of(unit_.maps.begin(), unit_.maps.end(), [&](const Map& map) { return map.right == base.name; });
    for (size_t m = 0, count = unit_.maps.size(); m < count; ++m) {
      if (unit_.maps[m].left != base.name || unit_.maps[m].right == side.name) continue;
      hub = false;
      Map& own = MapTo(side, unit_.maps[m].right);
      const Map& map = unit_.maps[m];
      own.where.insert(own.where.begin(), map.where.begin(), map.where.end());
      Add(side, own, map.statements);
    }
    if (hub) Add(side, MapTo(side, base.name), Identity(side, base));
  }

  // The map with the side on its left.
  Map& MapTo(const Side& side, std::string right) {
    for (Map& map : unit_.maps) {
      if (map.left == right && map.right == side.name) Turn(map);
      if (map.left == side.name && map.right == right) return map;
    }
    Map& map = unit_.maps.emplace_back();
    map.left = side.name;
    map.right = std::move(right);
    return map;
  }

  static void Turn(Map& map) {
    std::swap(map.left, map.right);
    for (Statement& statement : map.statements) {
      std::swap(statement.left, statement.right);
      statement.flipped = !statement.flipped;
    }
  }

  // Puts statements of the base before the side's own, without those that these replace.
  static void Add(const Side& side, Map& map, const std::vector<Statement>& base) {
    std::vector<Statement> out;
    for (const Statement& statement : base) {
      bool removed = std::any_of(side.removed.begin(), side.removed.end(),
                                 [&](const Pattern& p) { return Names(statement.left, p.text()); });
      bool replaced = std::any_of(map.statements.begin(), map.statements.end(), [&](const Statement& own) {
        return Share(own.left, statement.left) || Share(own.right, statement.right);
      });
      if (!removed && !replaced) out.push_back(statement);
    }
    out.insert(out.end(), map.statements.begin(), map.statements.end());
    map.statements = std::move(out);
  }

  // What both sides declare, under the same name.
  std::vector<Statement> Identity(const Side& side, const Side& base) {
    std::vector<Statement> out;
    for (const Declaration& d : base.declarations) {
      bool declared = std::any_of(side.declarations.begin(), side.declarations.end(),
                                  [&](const Declaration& other) { return other.pattern.text() == d.pattern.text(); });
      if (!declared || d.tied || d.blocks_of) continue;
      ast::Operand operand;
      operand.name = {d.pattern.text(), false, d.node->name.where};
      operand.where = d.node->name.where;
      ast::Statement node;
      node.left = {operand};
      node.right = {operand};
      node.where = d.node->name.where;
      const ast::Statement& kept = unit_.identities.emplace_back(std::move(node));
      out.push_back({&kept, d.context, {{&kept.left[0], d.pattern}}, {{&kept.right[0], d.pattern}}, false});
    }
    return out;
  }

  Unit& unit_;
  diag::Diagnostics& diagnostics_;
  std::set<std::string> done_;
};

// `interleave vpp` asks for a dimension, or else for one more size of the mesh, which multiplies no ranks.
void FindRounds(Unit& unit) {
  for (auto& [name, side] : unit.sides) {
    for (const auto& place : side.places) {
      const ast::Expr* rounds = place.node->interleave.get();
      if (!rounds || rounds->kind != ast::Expr::Kind::kName) continue;
      bool dimension = unit.dims.contains(rounds->text) || side.dims.contains(rounds->text);
      if (!dimension) side.rounds.push_back(rounds->text);
    }
  }
}

}  // namespace

bool Names(const std::vector<Operand>& operands, const std::string& text) {
  return std::any_of(operands.begin(), operands.end(),
                     [&](const Operand& o) { return !o.node->blank && o.pattern.text() == text; });
}

bool Share(const std::vector<Operand>& a, const std::vector<Operand>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](const Operand& o) { return !o.node->blank && Names(b, o.pattern.text()); });
}

void NothingToRemove(const Side& side, const Pattern& pattern, diag::Diagnostics& diagnostics) {
  auto& d = diagnostics
                .Error(Code::kUnknownTensor, pattern.where,
                       fmt::format("no imported file declares `{}` in side `{}`", pattern.text(), side.name))
                .Label("cannot be removed");
  std::vector<std::string> known;
  for (const Declaration& declaration : side.declarations) known.push_back(declaration.pattern.text());
  if (auto near = diag::Nearest(pattern.text(), known)) d.Help(fmt::format("there is `{}`", *near));
}

void Resolve(Unit& unit, diag::Diagnostics& diagnostics) {
  SpellAll(unit);
  Likes(unit, diagnostics).Resolve();
  FindRounds(unit);
}

}  // namespace aoa::bind
