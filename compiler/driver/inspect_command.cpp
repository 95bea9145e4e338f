// aoac inspect PATH
#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/mesh.h"
#include "compiler/diag/suggest.h"
#include "compiler/draft/suspicions.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/words.h"
#include "runtime/formats/format.h"

namespace aoa::driver {
namespace {

std::string MeshText(const Schema& schema) {
  std::string text;
  for (const auto& [axis, size] : schema.mesh) {
    std::string value = std::to_string(size);
    for (const auto& [placed, counts] : schema.stages) {
      if (placed == axis) value = fmt::format("[{}]", fmt::join(counts, ","));
    }
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", axis, value);
  }
  return text;
}

// "pp=1 tp=0": where a rank is in the mesh. Overlays, which stand behind the mesh, multiply no ranks.
std::string PlaceText(const Schema& schema, int64_t rank) {
  Mesh mesh;
  int64_t ranks = 1;
  for (const SchemaFile& file : schema.files) ranks = std::max(ranks, file.rank + 1);
  for (const auto& [axis, size] : schema.mesh) {
    if (mesh.ranks() < ranks) mesh.axes.push_back({axis, size});
  }
  if (mesh.ranks() < ranks) return "";
  std::vector<int64_t> coordinates = mesh.Coordinates(rank);
  std::string text;
  for (size_t i = 0; i < mesh.axes.size(); ++i)
    text += fmt::format("{}{}={}", i == 0 ? "" : " ", mesh.axes[i].name, coordinates[i]);
  return text;
}

// " (rank 1: pp=0 tp=1)", or nothing without a mesh.
std::string RankText(const Schema& schema, const SchemaFile& file) {
  if (!schema.has_mesh) return "";
  const std::string place = PlaceText(schema, file.rank);
  return place.empty() ? fmt::format(" (rank {})", file.rank) : fmt::format(" (rank {}: {})", file.rank, place);
}

struct Row {
  std::string name, dtype, shape, bytes, role;
};

// The tensors of one table in the order of names, with columns that line up. Roles are shown where there are any.
void PrintTable(const Schema& schema, const SchemaTable& table, const std::vector<std::string>& roles) {
  std::vector<Row> rows;
  for (const StoredTensor& t : table)
    rows.push_back({diag::Printable(schema.names[t.name]), std::string(Name(t.dtype)), ToString(schema.shapes[t.shape]),
                    ShowBytes(static_cast<double>(t.bytes)), diag::Printable(roles[t.name])});
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
  size_t name = 0, dtype = 0, shape = 0;
  for (const Row& row : rows) {
    name = std::max(name, row.name.size());
    dtype = std::max(dtype, row.dtype.size());
    shape = std::max(shape, row.shape.size());
  }
  for (const Row& row : rows)
    fmt::print("  {:<{}}  {:<{}}  {:<{}}  {:>8}{}\n", row.name, name, row.dtype, dtype, row.shape, shape, row.bytes,
               row.role.empty() ? "" : "  " + row.role);
}

// What the reader says, then what the names and shapes show.
std::vector<std::string> LooksWrong(const Schema& schema) {
  std::vector<std::string> all = schema.notes, guesses = draft::SuspicionsOf(schema);
  all.insert(all.end(), guesses.begin(), guesses.end());
  return all;
}

uint64_t DataBytes(const SchemaTable& table) {
  uint64_t bytes = 0;
  for (const StoredTensor& t : table) bytes += t.bytes;
  return bytes;
}

void PrintText(const Schema& schema) {
  uint64_t bytes = 0, tensors = 0;
  for (const SchemaFile& file : schema.files) {
    bytes += DataBytes(schema.tables[file.table]);
    tensors += schema.tables[file.table].size();
  }
  fmt::print("format   {}{}\n", schema.format, schema.variant.empty() ? "" : " " + schema.variant);
  if (schema.has_mesh) fmt::print("mesh     {}\n", MeshText(schema));
  fmt::print("config   {}\n", schema.config.empty() ? "none" : "yes");
  std::string rounded = bytes < 1000 ? "" : fmt::format(" ({})", ShowBytes(static_cast<double>(bytes)));
  fmt::print("files    {}\ntensors  {}\nbytes    {}{}\n", schema.files.size(), tensors, bytes, rounded);
  std::vector<std::string> roles = draft::RolesOf(schema);
  auto states =
      static_cast<size_t>(std::count_if(roles.begin(), roles.end(), [](auto& role) { return !role.empty(); }));
  if (states > 0) fmt::print("states   {}\n", states);
  // Files that say the same are listed once.
  std::vector<bool> shown(schema.tables.size(), false);
  for (const SchemaFile& file : schema.files) {
    if (shown[file.table]) continue;
    shown[file.table] = true;
    auto alike = static_cast<size_t>(std::count_if(schema.files.begin(), schema.files.end(),
                                                   [&](const SchemaFile& f) { return f.table == file.table; }));
    std::string more =
        alike == 1 ? "" : fmt::format(", and {} more {} like it", alike - 1, alike == 2 ? "file" : "files");
    fmt::print("\n{}{}{}\n", diag::Printable(file.path), RankText(schema, file), more);
    PrintTable(schema, schema.tables[file.table], roles);
  }
  std::vector<std::string> suspicions = LooksWrong(schema);
  if (!suspicions.empty()) fmt::print("\nlooks wrong\n");
  for (const std::string& suspicion : suspicions) fmt::print("  {}\n", suspicion);
}

void PrintJson(const Schema& schema) {
  using nlohmann::ordered_json;
  ordered_json report = {{"format", schema.format},           {"variant", schema.variant},
                         {"mesh", ordered_json::object()},    {"config", !schema.config.empty()},
                         {"looks_wrong", LooksWrong(schema)}, {"files", ordered_json::array()}};
  std::vector<std::string> roles = draft::RolesOf(schema);
  for (const auto& [axis, size] : schema.mesh) report["mesh"][axis] = size;
  for (const SchemaFile& file : schema.files) {
    ordered_json tensors = ordered_json::array();
    for (const StoredTensor& t : schema.tables[file.table]) {
      tensors.push_back({{"name", schema.names[t.name]},
                         {"dtype", Name(t.dtype)},
                         {"shape", schema.shapes[t.shape]},
                         {"offset", file.data_start + t.begin},
                         {"bytes", t.bytes},
                         {"role", roles[t.name].empty() ? "weight" : roles[t.name]}});
    }
    report["files"].push_back({{"path", file.path},
                               {"rank", file.rank},
                               {"place", PlaceText(schema, file.rank)},
                               {"bytes", file.size},
                               {"tensors", std::move(tensors)}});
  }
  fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

Exit RunInspect(const Arguments& arguments) {
  Session session;
  Words words = ReadWords("inspect", arguments, {{"--json"}}, 1, "aoac inspect PATH [--json]", session);
  if (session.diagnostics.HasErrors()) return session.Finish();
  auto schema = ReadAnyCheckpoint(words.positional[0], 1, session);
  if (!schema) return session.Finish();
  if (words.Has("--json"))
    PrintJson(*schema);
  else
    PrintText(*schema);
  return session.Finish();
}

}  // namespace aoa::driver
