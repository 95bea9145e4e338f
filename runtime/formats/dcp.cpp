#include "runtime/formats/dcp.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "runtime/formats/companions.h"
#include "runtime/formats/dcp_files.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_checkpoint.h"
#include "runtime/formats/safetensors_reader.h"
#include "runtime/formats/safetensors_writer.h"
#include "runtime/formats/schema_merge.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kShardingInfo = "DCP_SHARDING_INFO";
constexpr std::string_view kOffsets = "saved_offsets";

bool HasMetadata(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::path(path) / kDcpMetadata, error);
}

// shard-00001-model-00001-of-00002.safetensors and so on, sorted.
std::vector<std::string> ShardFiles(const std::string& path) {
  std::vector<std::string> out;
  auto names = io::ListFolder(path);
  if (!names.ok()) return out;
  for (const std::string& name : *names) {
    if (name.starts_with("shard-") && name.ends_with(".safetensors")) out.push_back((fs::path(path) / name).native());
  }
  return out;
}

// Where the tensors of a file begin, by name.
Result<std::map<std::string, Shape>> OffsetsOf(const Metadata& metadata) {
  auto info = std::find_if(metadata.begin(), metadata.end(), [](const auto& m) { return m.first == kShardingInfo; });
  if (info == metadata.end()) return Status::Invalid(fmt::format("its metadata lack {}", Quote(kShardingInfo)));
  json parsed = json::parse(info->second, nullptr, false);
  if (!parsed.is_object()) return Status::Invalid(fmt::format("{} is no JSON object", Quote(kShardingInfo)));
  std::map<std::string, Shape> out;
  for (const auto& [name, entry] : parsed.items()) {
    const json offsets = entry.is_object() ? entry.value(std::string(kOffsets), json()) : json();
    bool numbers = offsets.is_array() && std::all_of(offsets.begin(), offsets.end(), [](const json& n) {
                     return n.is_number_unsigned() && n.get<uint64_t>() < (uint64_t{1} << 56);
                   });
    if (!numbers) return Status::Invalid(fmt::format("{} says no offsets of {}", Quote(kShardingInfo), Quote(name)));
    out[name] = offsets.get<Shape>();
  }
  return out;
}

Status ReadShardFiles(const std::vector<std::string>& paths, int threads, Schema& schema) {
  AOA_ASSIGN_OR_RETURN(auto metadata, ReadHeaders(paths, threads, schema));
  std::map<uint32_t, std::vector<DcpChunk>> chunks;  // by name
  std::map<uint32_t, Shape> wholes;
  std::map<uint32_t, DType> types;
  std::vector<std::map<std::string, Shape>> places;
  for (size_t f = 0; f < paths.size(); ++f) {
    auto offsets = OffsetsOf(metadata[f]);
    if (!offsets.ok()) return std::move(offsets).status().WithContext(Printable(paths[f]));
    places.push_back(*std::move(offsets));
    for (const StoredTensor& stored : schema.tables[schema.files[f].table]) {
      const std::string& name = schema.names[stored.name];
      const Shape& shape = schema.shapes[stored.shape];
      auto at = places[f].find(name);
      if (at == places[f].end() || at->second.size() != shape.size())
        return Status::Invalid(
            fmt::format("{}: {} does not say where {} begins", Printable(paths[f]), Quote(kShardingInfo), Quote(name)));
      if (DType type = types.try_emplace(stored.name, stored.dtype).first->second; type != stored.dtype)
        return Status::Invalid(fmt::format("{}: {} is {} here, and {} in another file", Printable(paths[f]),
                                           Quote(name), Name(stored.dtype), Name(type)));
      Shape& whole = wholes[stored.name];
      whole.resize(std::max(whole.size(), shape.size()), 0);
      for (size_t i = 0; i < shape.size(); ++i) whole[i] = std::max(whole[i], at->second[i] + shape[i]);
      chunks[stored.name].push_back({at->second, shape, {}});
    }
  }
  for (const auto& [name, list] : chunks) {
    Status status = CheckTiling(schema.names[name], wholes[name], list);
    if (!status.ok()) return std::move(status).WithContext(Quote(schema.names[name]));
  }
  SchemaMerger merger(schema);
  for (size_t f = 0; f < paths.size(); ++f) {
    SchemaTable table = schema.tables[schema.files[f].table];
    for (StoredTensor& stored : table) {
      stored.whole = merger.InternShape(wholes[stored.name]);
      stored.at = merger.InternShape(places[f].at(schema.names[stored.name]));
    }
    schema.files[f].table = merger.Add(std::move(table));
  }
  return Status();
}

// One file for each rank, with its rows of every tensor.
Result<TargetLayout> LayOutShardFiles(const TargetContent& content) {
  const int64_t ranks = content.has_mesh ? content.axes.ranks() : 1;
  TargetLayout layout;
  for (auto [rank, number] : content.ranks) {
    std::vector<TargetTensor> parts = content.tables[number];
    std::vector<uint32_t> members;
    std::vector<RowRange> rows;
    json info = json::object();
    for (uint32_t i = 0; i < parts.size(); ++i) {
      TargetTensor& tensor = parts[i];
      rows.push_back(RowsOf(tensor.shape, rank, ranks));
      if (rows[i].count == 0) continue;
      Shape at(tensor.shape.size(), 0);
      if (!at.empty()) {
        at[0] = rows[i].first;
        tensor.shape[0] = rows[i].count;
      }
      tensor.bytes = static_cast<uint64_t>(ElementCount(tensor.shape) * Width(tensor.dtype));
      info[tensor.name] = {{kOffsets, at}};
      members.push_back(i);
    }
    AOA_ASSIGN_OR_RETURN(PlacedTable placed, PlaceTensors(parts, members));
    std::vector<PlacedTensor> windows = *placed.tensors;
    for (PlacedTensor& window : windows) {
      const TargetTensor& tensor = parts[window.tensor];
      if (tensor.scalar) continue;
      window.count = ElementCount(tensor.shape);
      window.first = tensor.shape.empty() ? 0 : rows[window.tensor].first * (window.count / tensor.shape[0]);
    }
    placed.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(windows));
    const std::string path = fmt::format("shard-{:05}-model-00001-of-00001.safetensors", rank + 1);
    AOA_ASSIGN_OR_RETURN(
        TargetFile file,
        MakeFile(path, placed, {{"format", "pt"}, {"DCP_VERSION", "1.0"}, {std::string(kShardingInfo), info.dump()}}));
    file.rank = rank;
    file.table = number;
    layout.files.push_back(std::move(file));
  }
  return layout;
}

}  // namespace

bool DcpFormat::Recognizes(const std::string& path) const { return HasMetadata(path) || !ShardFiles(path).empty(); }

Result<Schema> DcpFormat::Read(const std::string& path, const ReadOptions& options) const {
  Schema schema;
  schema.path = path;
  schema.format = name();
  if (std::vector<std::string> shards = HasMetadata(path) ? std::vector<std::string>() : ShardFiles(path);
      !shards.empty()) {
    schema.variant = "safetensors";
    AOA_RETURN_IF_ERROR(ReadShardFiles(shards, options.threads, schema));
    return schema;
  }
  if (!HasMetadata(path))
    return Status::Invalid(
        fmt::format("{} holds no {}: the save never finished", Printable(path), Quote(kDcpMetadata)));
  AOA_ASSIGN_OR_RETURN(DcpMetadata metadata, ReadDcpMetadata(path));
  schema.variant = "distcp";
  AOA_RETURN_IF_ERROR(ReadDcpFiles(
      path, metadata, options.threads, [](const DcpTensor& t) { return t.name; }, schema));
  for (const auto& [name, item] : metadata.bytes)
    schema.notes.push_back(fmt::format("{} is no tensor and is left behind", Quote(name)));
  AOA_ASSIGN_OR_RETURN(schema.config, ReadConfig(path));
  return schema;
}

Result<TargetLayout> DcpFormat::LayOut(const TargetContent& content, const WriteOptions& options) const {
  if (options.variant == "safetensors") return LayOutShardFiles(content);
  return LayOutDcpFiles(content, "", [](const TargetTensor& tensor) { return tensor.name; });
}

std::vector<std::string> DcpFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
