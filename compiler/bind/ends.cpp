#include "compiler/bind/ends.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "compiler/bind/check_sides.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void UnknownAxis(const Side& side, const std::string& axis, const char* option, diag::Diagnostics& diagnostics) {
  std::vector<std::string> axes = MeshAxesOf(side);
  auto& d =
      diagnostics.Error(Code::kCommandLine, {},
                        fmt::format("{}: side `{}` has no mesh axis `{}`", option, side.name, diag::Printable(axis)));
  if (axes.empty())
    d.Found("the side has no mesh");
  else
    HelpWithAxes(d, axis, axes);
}

std::vector<std::string> AxesOf(const Schema& schema) {
  std::vector<std::string> axes;
  for (const auto& [axis, size] : schema.mesh) axes.push_back(axis);
  return axes;
}

// The lines that hold, of those that may stand under conditions.
template <class Node>
std::vector<const Node*> Holding(const std::vector<InContext<Node>>& lines, size_t end, Dimensions& dimensions,
                                 diag::Diagnostics& diagnostics) {
  std::vector<const Node*> out;
  for (const InContext<Node>& line : lines) {
    std::optional<bool> holds = Dimensions::Holds(line.context, dimensions.ScopeAt(end), diagnostics);
    if (!holds) {
      diagnostics
          .Error(Code::kCondition, line.context.guards.back().condition->where,
                 "the condition depends on dimensions that shapes give")
          .Also(line.node->where, "this line must be known before shapes are looked at")
          .Expected("mesh sizes, configuration keys, or dimensions that these give");
    } else if (*holds) {
      out.push_back(line.node);
    }
  }
  return out;
}

// The overlay's axes with sizes: the first may follow from the others.
bool AddOverlay(Mesh& mesh, const ast::Overlay& line, const std::map<std::string, int64_t>& sizes, bool first_given,
                diag::Diagnostics& diagnostics) {
  Mesh::Overlay overlay;
  int64_t ranks = 1, others = 1;
  std::vector<size_t> on;
  for (const ast::Ident& name : line.on) {
    auto index = mesh.Find(name.text);
    if (!index || *index >= mesh.axes.size()) return true;  // of a mesh that does not hold: no overlay either
    on.push_back(*index);
    ranks *= mesh.axes[*index].size;
  }
  std::sort(on.begin(), on.end());
  overlay.on = on;
  for (const ast::Ident& name : line.axes) {
    if (!mesh.Find(name.text)) continue;
    diagnostics.Error(Code::kMeshAxis, name.where,
                      fmt::format("mesh axis `{}` is in two lines that hold for these sizes", name.text));
    return false;
  }
  for (const ast::Ident& name : line.axes) overlay.axes.push_back({name.text, sizes.at(name.text)});
  for (size_t i = 1; i < overlay.axes.size(); ++i) others *= overlay.axes[i].size;
  if (!first_given && !overlay.axes.empty() && others > 0 && ranks % others == 0) overlay.axes[0].size = ranks / others;
  int64_t product = overlay.axes.empty() ? 1 : overlay.axes[0].size * others;
  if (product != ranks) {
    std::vector<std::string> shown, named;
    for (size_t i = 0; i < overlay.axes.size(); ++i)
      shown.push_back(i == 0 && !first_given ? overlay.axes[i].name
                                             : fmt::format("{}={}", overlay.axes[i].name, overlay.axes[i].size));
    for (size_t axis : on) named.push_back(fmt::format("{}={}", mesh.axes[axis].name, mesh.axes[axis].size));
    diagnostics
        .Error(
            Code::kMeshSize, line.where,
            fmt::format("{} do not factor the {} ranks of {}", diag::Enumerate(shown), ranks, diag::Enumerate(named)))
        .Note("an overlay splits the same ranks once more: the products of sizes are equal");
    return false;
  }
  mesh.overlays.push_back(std::move(overlay));
  return true;
}

// The axes of the mesh line in the order of the source's own files, if these name them.
std::vector<std::string> OrderLike(std::vector<std::string> axes, const Schema* schema) {
  if (!schema || !schema->has_mesh) return axes;
  std::vector<std::string> out;
  for (const auto& [name, size] : schema->mesh) {
    if (Has(axes, name)) out.push_back(name);
  }
  for (const std::string& name : axes) {
    if (!Has(out, name)) out.push_back(name);
  }
  return out;
}

void ResolveFormat(End& end, size_t index, Dimensions& dimensions, diag::Diagnostics& diagnostics) {
  auto formats = Holding(end.side->formats, index, dimensions, diagnostics);
  if (formats.empty()) {
    diagnostics
        .Error(Code::kFormat, end.side->where.empty() ? SourceRange{} : end.side->where.front(),
               fmt::format("side `{}` has no format", end.side->name))
        .Help("a line `format safetensors` or `format hf` says what its files are");
  } else {
    end.format = formats.back()->name.text;
    if (formats.back()->variant) end.variant = formats.back()->variant->text;
  }
}

// Counts that the files say, or that are asked for, of which `by` knows nothing.
void FindCounts(Placement& p, const MeshSizes& asked, const Schema* schema) {
  const std::string& axis = p.node->axis.text;
  auto take = [&](const std::vector<int64_t>& counts, Placement::CountsOf who) {
    p.counts = counts;
    p.counts_of = who;
  };
  if (schema) {
    for (const auto& [name, counts] : schema->stages) {
      if (name == axis) take(counts, Placement::CountsOf::kFiles);
    }
  }
  for (const MeshSizes::Entry& entry : asked.entries) {
    if (entry.axis == axis && !entry.counts.empty()) take(entry.counts, Placement::CountsOf::kCommandLine);
  }
}

void ResolvePlacements(End& end, size_t index, Dimensions& dimensions, const MeshSizes& asked, const Schema* schema,
                       diag::Diagnostics& diagnostics) {
  for (const ast::Place* node : Holding(end.side->places, index, dimensions, diagnostics)) {
    Placement p;
    p.node = node;
    p.variable = node->variable.text;
    p.axis = end.mesh.Find(node->axis.text);
    p.stages = p.axis ? end.mesh.axis(*p.axis).size : 1;
    FindCounts(p, asked, schema);
    if (p.counts.empty()) {
      for (const ast::ExprPtr& count : node->by) {
        Value value = Evaluate(*count, dimensions.ScopeAt(index), Arithmetic::kExact);
        if (value.integer && *value.integer >= 0)
          p.counts.push_back(*value.integer);
        else
          diagnostics.Error(Code::kPlacement, count->where, "a count of layers is no whole number").Found(value.Show());
      }
    }
    end.placements.push_back(std::move(p));
  }
}

void ResolveRoles(End& end, size_t index, Dimensions& dimensions, diag::Diagnostics& diagnostics) {
  for (const ast::Role* node : Holding(end.side->roles, index, dimensions, diagnostics)) {
    size_t at = node->name_template.find('{'), close = node->name_template.find('}');
    if (at == std::string::npos || close == std::string::npos || close < at) continue;  // reported with the side
    end.roles.push_back({node, node->role.text, node->name_template.substr(0, at),
                         node->name_template.substr(close + 1), node->name_template.substr(at + 1, close - at - 1),
                         node->scalar, node->dtype});
  }
  for (const ast::Zero* node : Holding(end.side->zeros, index, dimensions, diagnostics)) {
    end.zero = node;
    end.zero_axis = end.mesh.Find(node->axis.text);
    // By the format's own partition every rank is given its whole block here: which windows of it the rank keeps is the
    // matter of the format's writer, and its reader puts them together again.
    if (node->by.text != "whole" && node->by.text != "flat" && node->by.text != end.format) {
      diagnostics
          .Error(Code::kFormat, node->by.where,
                 fmt::format("there is no partition `{}` in format `{}`", node->by.text, end.format))
          .Expected(fmt::format("`whole`, `flat`, or `{}` for the format's own", end.format));
      end.zero = nullptr;
    }
  }
}

}  // namespace

std::optional<Path> FindPath(const Unit& unit, const std::string& from, const std::string& to,
                             diag::Diagnostics& diagnostics) {
  bool known = true;
  for (const std::string* name : {&from, &to}) {
    if (unit.sides.contains(*name)) continue;
    known = false;
    auto& d = diagnostics.Error(Code::kCommandLine, {}, fmt::format("there is no side `{}`", diag::Printable(*name)));
    if (auto near = diag::Nearest(*name, unit.side_order))
      d.Help(fmt::format("there is `{}`", *near));
    else if (!unit.side_order.empty())
      d.Help(fmt::format("the sides are {}", diag::Enumerate(unit.side_order, 30)));
  }
  if (!known) return std::nullopt;
  if (from == to) return Path{{&unit.sides.at(from), &unit.sides.at(to)}, {}, {}};

  std::map<std::string, std::pair<const Map*, bool>> came;  // side -> map by which it was reached
  std::deque<std::string> queue = {from};
  came[from] = {nullptr, false};
  while (!queue.empty() && !came.contains(to)) {
    std::string at = queue.front();
    queue.pop_front();
    for (const Map& map : unit.maps) {
      for (bool backwards : {false, true}) {
        const std::string& start = backwards ? map.right : map.left;
        const std::string& end = backwards ? map.left : map.right;
        if (start != at || came.contains(end) || !unit.sides.contains(end)) continue;
        came[end] = {&map, backwards};
        queue.push_back(end);
      }
    }
  }
  if (!came.contains(to)) {
    auto& d = diagnostics.Error(Code::kNoPath, {}, fmt::format("no maps lead from side `{}` to side `{}`", from, to));
    for (const Map& map : unit.maps) d.Note(fmt::format("there is `map {} <-> {}`", map.left, map.right));
    return std::nullopt;
  }
  Path path;
  for (std::string at = to; at != from;) {
    auto [map, backwards] = came[at];
    path.sides.insert(path.sides.begin(), &unit.sides.at(at));
    path.maps.insert(path.maps.begin(), map);
    path.backwards.insert(path.backwards.begin(), backwards);
    at = backwards ? map->right : map->left;
  }
  path.sides.insert(path.sides.begin(), &unit.sides.at(from));
  return path;
}

std::map<std::string, int64_t> UnitMeshSizes(const Side& side) {
  std::map<std::string, int64_t> sizes;
  for (const std::string& axis : MeshAxesOf(side)) sizes[axis] = 1;
  return sizes;
}

std::map<std::string, int64_t> TargetMeshSizes(const Side& side, const MeshSizes& asked,
                                               diag::Diagnostics& diagnostics) {
  std::map<std::string, int64_t> sizes = UnitMeshSizes(side);
  for (const MeshSizes::Entry& entry : asked.entries) {
    if (!sizes.contains(entry.axis))
      UnknownAxis(side, entry.axis, "--mesh-to", diagnostics);
    else
      sizes[entry.axis] = entry.size;
  }
  return sizes;
}

std::map<std::string, int64_t> SourceMeshSizes(const Side& side, const Schema& schema, const MeshSizes& asked,
                                               diag::Diagnostics& diagnostics) {
  std::map<std::string, int64_t> sizes = UnitMeshSizes(side);
  for (const auto& [axis, size] : schema.mesh) {
    if (sizes.contains(axis)) {
      sizes[axis] = size;
    } else if (size != 1) {
      auto& d = diagnostics.Error(
          Code::kMeshSize, {},
          fmt::format("the files of `{}` are cut by mesh axis `{}` of size {}, which side `{}` does not have",
                      schema.path, diag::Printable(axis), size, side.name));
      if (sizes.empty()) d.Found(fmt::format("side `{}` has no mesh", side.name));
    }
  }
  for (const MeshSizes::Entry& entry : asked.entries) {
    if (!sizes.contains(entry.axis)) {
      UnknownAxis(side, entry.axis, "--mesh-from", diagnostics);
    } else if (Has(side.rounds, entry.axis) && !Has(AxesOf(schema), entry.axis)) {
      sizes[entry.axis] = entry.size;  // files of the format need not say it
    } else if (sizes[entry.axis] != entry.size) {
      diagnostics.Error(Code::kMeshSize, {},
                        fmt::format("--mesh-from says {} = {}, the files of `{}` say {} = {}", entry.axis, entry.size,
                                    schema.path, entry.axis, sizes[entry.axis]));
    }
    for (const auto& [axis, counts] : schema.stages) {
      if (entry.axis != axis || entry.counts.empty() || entry.counts == counts) continue;
      diagnostics.Error(Code::kMeshSize, {},
                        fmt::format("--mesh-from says {} = [{}], the files of `{}` say {} = [{}]", axis,
                                    fmt::join(entry.counts, ","), schema.path, axis, fmt::join(counts, ",")));
    }
  }
  return sizes;
}

void ResolveEnd(End& end, size_t index, Dimensions& dimensions, const std::map<std::string, int64_t>& sizes,
                const MeshSizes& asked, const Schema* schema, bool whole, diag::Diagnostics& diagnostics) {
  ResolveFormat(end, index, dimensions, diagnostics);
  if (whole) {
    ResolveRoles(end, index, dimensions, diagnostics);
    end.zero = nullptr;
    return;
  }

  auto meshes = Holding(end.side->meshes, index, dimensions, diagnostics);
  if (meshes.size() > 1)
    diagnostics.Error(Code::kDeclaredTwice, meshes[1]->where, fmt::format("side `{}` has two meshes", end.side->name))
        .Also(meshes[0]->where, "the first one");
  Mesh mesh;
  if (!meshes.empty()) {
    end.has_mesh = true;
    std::vector<std::string> names;
    for (const ast::Ident& name : meshes[0]->axes) names.push_back(name.text);
    for (const std::string& name : OrderLike(names, schema)) mesh.axes.push_back({name, sizes.at(name)});
  }
  auto given = [&](const std::string& axis) {
    if (schema)
      return std::any_of(schema->mesh.begin(), schema->mesh.end(), [&](const auto& m) { return m.first == axis; });
    return std::any_of(asked.entries.begin(), asked.entries.end(), [&](const auto& e) { return e.axis == axis; });
  };
  for (const ast::Overlay* line : Holding(end.side->overlays, index, dimensions, diagnostics)) {
    AddOverlay(mesh, *line, sizes, !line->axes.empty() && given(line->axes[0].text), diagnostics);
  }
  for (const MeshSizes::Entry& entry : asked.entries) {
    auto axis = mesh.Find(entry.axis);
    if (!axis && sizes.contains(entry.axis) && entry.size != 1 && !Has(end.side->rounds, entry.axis)) {
      diagnostics.Error(Code::kMeshSize, {},
                        fmt::format("mesh axis `{}` of size {} is in no mesh of side `{}` that holds for these sizes",
                                    entry.axis, entry.size, end.side->name));
    }
  }
  end.mesh = mesh;
  dimensions.SetMesh(index, mesh);
  ResolvePlacements(end, index, dimensions, asked, schema, diagnostics);
  ResolveRoles(end, index, dimensions, diagnostics);
}

void ResolveSharded(End& end, size_t index, Dimensions& dimensions, const std::map<std::string, int64_t>& sizes,
                    std::shared_ptr<const Shardings> shardings, diag::Diagnostics& diagnostics) {
  ResolveFormat(end, index, dimensions, diagnostics);
  end.has_mesh = true;
  int64_t ranks = 1;
  std::string shown;
  for (const auto& [axis, size] : shardings->mesh) {
    end.mesh.axes.push_back({axis, size});
    auto asked = sizes.find(axis);
    if (asked == sizes.end()) continue;
    ranks *= asked->second;
    shown += fmt::format("{}{}={}", shown.empty() ? "" : ",", axis, asked->second);
  }
  const bool fits = ranks == shardings->stages * shardings->ranks;
  for (Mesh::Axis& axis : end.mesh.axes) {
    if (auto asked = sizes.find(axis.name); fits && asked != sizes.end()) axis.size = asked->second;
  }
  if (!fits) {
    diagnostics
        .Error(Code::kMeshSize, {},
               fmt::format("the layout is of {} ranks, the mesh {} of {}", shardings->stages * shardings->ranks,
                           shown.empty() ? "of the side" : shown, ranks))
        .Found(diag::Printable(shardings->path));
  }
  end.shardings = std::move(shardings);
  dimensions.SetMesh(index, {});
  ResolveRoles(end, index, dimensions, diagnostics);
  end.zero = nullptr;
  end.zero_axis.reset();
}

MeshSizes MeshSizesOf(const Side& side, const Shardings& shardings) {
  MeshSizes sizes;
  std::vector<std::string> axes = MeshAxesOf(side);
  for (const auto& [axis, size] : shardings.mesh) {
    if (Has(axes, axis)) sizes.entries.push_back({axis, size, {}});
  }
  return sizes;
}

}  // namespace aoa::bind
