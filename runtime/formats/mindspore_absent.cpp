#include "runtime/formats/mindspore_absent.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>

namespace aoa::formats {
namespace {

size_t CommonPrefix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// The element types of the tensors that are here, by name.
std::map<std::string, DType, std::less<>> TypesOf(const Schema& schema) {
  std::map<std::string, DType, std::less<>> types;
  for (const SchemaFile& file : schema.files) {
    for (const StoredTensor& tensor : schema.tables[file.table]) types.emplace(schema.names[tensor.name], tensor.dtype);
  }
  return types;
}

// That of the name itself, or of the neighbor in the order of names with which it shares more.
DType TypeLike(const std::map<std::string, DType, std::less<>>& types, std::string_view name) {
  auto after = types.lower_bound(name);
  if (after == types.begin()) return after == types.end() ? DType::kF32 : after->second;
  auto before = std::prev(after);
  const bool next = after != types.end() && CommonPrefix(after->first, name) >= CommonPrefix(before->first, name);
  return next ? after->second : before->second;
}

SchemaTable TableOf(int64_t stage, const Shardings& layout, Schema& schema) {
  const auto types = TypesOf(schema);
  SchemaTable table;
  for (const auto& [name, by_stage] : layout.tensors()) {
    if (by_stage[static_cast<size_t>(stage)] == Shardings::kNone) continue;
    StoredTensor& stored = table.emplace_back();
    stored.name = schema.names.Intern(name);
    stored.shape = StoredTensor::kUnknown;
    stored.dtype = TypeLike(types, name);
  }
  return table;
}

}  // namespace

void AddAbsentRanks(const std::string& path, const std::vector<int64_t>& ranks, const Shardings& layout,
                    Schema& schema) {
  std::map<int64_t, SchemaFile> stages;  // a file of each
  for (const SchemaFile& file : schema.files) stages.emplace(layout.StageOf(file.rank), file);
  for (int64_t rank : ranks) {
    auto [it, added] = stages.try_emplace(layout.StageOf(rank));
    if (added) {
      it->second.table = static_cast<uint32_t>(schema.tables.size());
      schema.tables.push_back(TableOf(it->first, layout, schema));
    }
    SchemaFile file;
    file.path = (std::filesystem::path(path) / fmt::format("rank_{}", rank)).native();
    file.data_start = it->second.data_start;
    file.table = it->second.table;
    file.rank = rank;
    file.absent = true;
    schema.files.push_back(std::move(file));
  }
  std::stable_sort(schema.files.begin(), schema.files.end(),
                   [](const SchemaFile& a, const SchemaFile& b) { return a.rank < b.rank; });
}

}  // namespace aoa::formats
