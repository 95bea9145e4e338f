#include "runtime/formats/safetensors_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>

#include "compiler/core/text.h"
#include "runtime/formats/json.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/rank_files.h"
#include "runtime/formats/safetensors_reader.h"
#include "runtime/formats/shard_index.h"
#include "runtime/io/file.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxIndexBytes = kMaxHeaderBytes;
constexpr uint64_t kMaxConfigBytes = 16 << 20;

struct Folder {
  std::string path;
  std::vector<std::string> names;  // sorted

  bool Has(std::string_view name) const { return std::binary_search(names.begin(), names.end(), name); }
  std::string At(std::string_view name) const { return (fs::path(path) / name).native(); }

  // The ranks that have files, ascending.
  std::vector<int64_t> Ranks() const {
    std::vector<int64_t> ranks;
    for (const std::string& name : names) {
      if (auto rank = RankOfFileName(name)) ranks.push_back(*rank);
    }
    std::sort(ranks.begin(), ranks.end());
    return ranks;
  }
};

Result<Folder> ListFolder(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(path));
  return Folder{path, std::move(names)};
}

Status ReadOneFile(const std::string& path, const ReadOptions& options, Schema& schema) {
  return ReadHeaders({path}, options.threads, schema).status();
}

Status ReadRanks(const Folder& folder, const ReadOptions& options, Schema& schema) {
  std::vector<int64_t> ranks = folder.Ranks();
  std::vector<std::string> paths;
  for (int64_t rank : ranks) paths.push_back(folder.At(RankFileName(rank)));
  AOA_ASSIGN_OR_RETURN(auto metadata, ReadHeaders(paths, options.threads, schema));
  for (size_t i = 0; i < ranks.size(); ++i) schema.files[i].rank = ranks[i];
  return CheckRanks(metadata, schema);
}

Status CheckShardsAreThere(const Folder& folder, const ShardIndex& index) {
  std::string missing;
  for (const std::string& shard : index.shards) {
    if (!folder.Has(shard)) missing += (missing.empty() ? "" : ", ") + Quote(shard);
  }
  return missing.empty() ? Status() : Status::Invalid(fmt::format("it lists shards that are not there: {}", missing));
}

// An index that lists model.safetensors itself describes that file; beside any other index the file is a second
// checkpoint.
Status CheckNoSecondCheckpoint(const Folder& folder, const ShardIndex& index) {
  if (!folder.Has(kWholeName) || std::binary_search(index.shards.begin(), index.shards.end(), kWholeName)) return {};
  return Status::Invalid(fmt::format(
      "beside it there is {}, which it does not list: either of them may be the checkpoint", Quote(kWholeName)));
}

Status ReadShards(const Folder& folder, const ReadOptions& options, Schema& schema) {
  const std::string path = folder.At(kIndexName);
  AOA_ASSIGN_OR_RETURN(std::string text, io::ReadSmallFile(path, kMaxIndexBytes));
  auto in_index = [&](Status status) { return std::move(status).WithContext(Printable(path)); };
  auto index = ParseIndex(text);
  if (!index.ok()) return in_index(std::move(index).status());
  if (index->weight_map.empty()) {
    auto shards = ShardsByName(folder.names);
    if (!shards.ok()) return in_index(std::move(shards).status());
    index->shards = *std::move(shards);
  }
  AOA_RETURN_IF_ERROR(in_index(CheckNoSecondCheckpoint(folder, *index)));
  AOA_RETURN_IF_ERROR(in_index(CheckShardsAreThere(folder, *index)));
  std::vector<std::string> paths;
  for (const std::string& shard : index->shards) paths.push_back(folder.At(shard));
  AOA_RETURN_IF_ERROR(ReadHeaders(paths, options.threads, schema).status());
  return in_index(CheckShards(*index, schema));
}

Status NothingFound(const Folder& folder, Forms forms) {
  std::string ranks = forms == Forms::kWholeOrShardsOrRanks ? fmt::format(" nor {}", Quote(RankFileName(0))) : "";
  return Status::Invalid(
      fmt::format("{} holds neither {} nor {}{}", Printable(folder.path), Quote(kWholeName), Quote(kIndexName), ranks));
}

Status ReadFolder(const Folder& folder, Forms forms, const ReadOptions& options, Schema& schema) {
  const bool whole = folder.Has(kWholeName);
  const bool index = folder.Has(kIndexName);
  const std::vector<int64_t> ranks = forms == Forms::kWholeOrShardsOrRanks ? folder.Ranks() : std::vector<int64_t>();
  if (!ranks.empty() && (whole || index)) {
    return Status::Invalid(fmt::format("{} holds {} and {}: either of them may be the checkpoint",
                                       Printable(folder.path), Quote(whole ? kWholeName : kIndexName),
                                       Quote(RankFileName(ranks.front()))));
  }
  if (!ranks.empty()) return ReadRanks(folder, options, schema);
  if (index) return ReadShards(folder, options, schema);
  if (whole) return ReadOneFile(folder.At(kWholeName), options, schema);
  return NothingFound(folder, forms);
}

}  // namespace

Result<std::string> ReadConfig(const std::string& folder) {
  const std::string path = (fs::path(folder) / kConfigName).native();
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return std::string();
  AOA_ASSIGN_OR_RETURN(std::string text, io::ReadSmallFile(path, kMaxConfigBytes));
  text = WithoutNonFinite(text);
  auto any_value = [](const auto&, JsonKind, const std::string&) { return Status(); };
  AOA_RETURN_IF_ERROR(WalkJsonObject(text, any_value).WithContext(Printable(path)));
  return text;
}

Result<Schema> ReadCheckpoint(const std::string& path, Forms forms, const ReadOptions& options) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::not_found) return Status::Invalid(fmt::format("{} does not exist", Printable(path)));
  if (error) return io::SystemFailure(fmt::format("looking at {}", Printable(path)), error.value());
  Schema schema;
  schema.path = path;
  if (type == fs::file_type::directory) {
    AOA_ASSIGN_OR_RETURN(Folder folder, ListFolder(path));
    AOA_RETURN_IF_ERROR(ReadFolder(folder, forms, options, schema));
    AOA_ASSIGN_OR_RETURN(schema.config, ReadConfig(path));
  } else {
    AOA_RETURN_IF_ERROR(ReadOneFile(path, options, schema));
    AOA_ASSIGN_OR_RETURN(schema.config, ReadConfig(fs::path(path).parent_path().native()));
  }
  return schema;
}

FolderForm FormOfFolder(const std::string& path) {
  auto folder = ListFolder(path);
  if (!folder.ok()) return {};
  return {folder->Has(kWholeName), folder->Has(kIndexName), !folder->Ranks().empty(), folder->Has(kConfigName)};
}

bool LooksLikeSafetensors(const std::string& path) {
  std::error_code error;
  if (path.ends_with(".safetensors")) return !std::filesystem::is_directory(path, error);
  auto file = io::File::OpenForReading(path);
  if (!file.ok()) return false;
  std::array<char, kHeaderLengthBytes + 1> first{};
  if (!file->ReadAt(0, std::as_writable_bytes(std::span(first))).ok()) return false;
  uint64_t length = 0;
  std::memcpy(&length, first.data(), sizeof(length));
  return length <= kMaxHeaderBytes && first.back() == '{';
}

}  // namespace aoa::formats
