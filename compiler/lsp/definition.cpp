#include "compiler/lsp/definition.h"

#include <algorithm>

namespace aoa::lsp {
namespace {

using Kind = Mention::Kind;

// A name that the pattern spells, with 1 for every variable; nothing where that would need values.
std::optional<std::string> Sample(const bind::Pattern& pattern) {
  if (pattern.HasStar() || pattern.HasExtent()) return std::nullopt;
  bind::Assignment ones;
  for (const std::string& variable : pattern.Variables()) ones[variable] = 1;
  return pattern.Spell(ones);
}

// Whether two patterns may spell one name.
bool Meet(const bind::Pattern& used, const bind::Pattern& declared) {
  auto sample = Sample(declared);
  if (sample && used.Match(*sample)) return true;
  sample = Sample(used);
  return sample && declared.Match(*sample);
}

void AddOnce(std::vector<SourceRange>& out, SourceRange where) {
  if (where && std::find(out.begin(), out.end(), where) == out.end()) out.push_back(where);
}

std::vector<SourceRange> AxisLines(const bind::Side& side, const std::string& axis) {
  std::vector<SourceRange> out;
  auto look = [&](const std::vector<ast::Ident>& axes) {
    for (const ast::Ident& a : axes) {
      if (a.text == axis) AddOnce(out, a.where);
    }
  };
  for (const auto& mesh : side.meshes) look(mesh.node->axes);
  for (const auto& overlay : side.overlays) look(overlay.node->axes);
  return out;
}

// The name in the head `side NAME {`, or the head.
std::vector<SourceRange> SideHeads(const Analysis& analysis, const std::string& name) {
  std::vector<SourceRange> out;
  for (const ast::File& file : analysis.unit.files) {
    for (const ast::Item& item : file.items) {
      auto* side = std::get_if<ast::Side>(&item);
      if (side && side->name.text == name) AddOnce(out, side->name.where);
    }
  }
  return out;
}

}  // namespace

std::vector<const bind::Declaration*> DeclarationsOf(const Analysis& analysis, const std::string& side,
                                                     const ast::Name& name) {
  auto found = analysis.unit.sides.find(side);
  if (found == analysis.unit.sides.end()) return {};
  diag::Diagnostics unheard;
  std::vector<const bind::Declaration*> equal, near;
  for (const bind::Pattern& pattern : bind::ExpandName(name, unheard)) {
    std::string text = pattern.text();
    for (const bind::Declaration& d : found->second.declarations) {
      bool same = d.pattern.text() == text;
      std::vector<const bind::Declaration*>& list = same ? equal : near;
      if ((same || Meet(pattern, d.pattern)) && std::find(list.begin(), list.end(), &d) == list.end())
        list.push_back(&d);
    }
  }
  return equal.empty() ? near : equal;
}

const ast::Equation* EquationOf(const Analysis& analysis, const Mention& dimension) {
  for (const std::string& name : dimension.sides) {
    auto side = analysis.unit.sides.find(name);
    if (side == analysis.unit.sides.end()) continue;
    auto own = side->second.dims.find(dimension.name);
    if (own != side->second.dims.end()) return own->second;
  }
  auto found = analysis.unit.dims.find(dimension.name);
  return found == analysis.unit.dims.end() ? nullptr : found->second;
}

std::vector<SourceRange> DefinitionOf(const Analysis& analysis, const Mention& mention) {
  std::vector<SourceRange> out;
  auto of_sides = [&](auto look) {
    for (const std::string& name : mention.sides) {
      auto side = analysis.unit.sides.find(name);
      if (side == analysis.unit.sides.end()) continue;
      for (SourceRange where : look(side->second)) AddOnce(out, where);
    }
  };
  auto axis_lines = [&](const bind::Side& side) { return AxisLines(side, mention.name); };
  switch (mention.kind) {
    case Kind::kTensor:
      of_sides([&](const bind::Side& side) {
        std::vector<SourceRange> places;
        for (const auto* d : DeclarationsOf(analysis, side.name, *mention.tensor))
          places.push_back(d->node->name.where);
        return places;
      });
      break;
    case Kind::kDimension:
      if (mention.loop) return {mention.loop};
      if (const ast::Equation* equation = EquationOf(analysis, mention))
        AddOnce(out, equation->name.where);
      else
        of_sides(axis_lines);  // paddings and conditions may name mesh axes
      break;
    case Kind::kAxis:
      of_sides(axis_lines);
      break;
    case Kind::kSide:
      return SideHeads(analysis, mention.name);
    case Kind::kImport:
      for (const auto& [file, where] : analysis.imports) {
        if (file->path() == ImportPath(analysis.main->path(), mention.name)) AddOnce(out, {file, 0, 0});
      }
      break;
    case Kind::kConfig:
      break;
  }
  return out;
}

std::vector<SourceRange> DefinitionAt(const Analysis& analysis, uint32_t offset) {
  auto mention = MentionAt(analysis.file(), offset);
  return mention ? DefinitionOf(analysis, *mention) : std::vector<SourceRange>();
}

}  // namespace aoa::lsp
