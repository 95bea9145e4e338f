#include "runtime/formats/shard_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "runtime/formats/json.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

constexpr std::string_view kWeightMap = "weight_map";

bool IsPlainFileName(std::string_view name) {
  constexpr std::string_view kSeparators("/\\\0", 3);
  return !name.empty() && name != "." && name != ".." && name.find_first_of(kSeparators) == std::string_view::npos;
}

// Reads the weight_map; shards are numbered as they come.
class IndexReader {
 public:
  Status OnValue(const std::vector<std::string>& keys, JsonKind kind, const std::string& text) {
    if (keys.empty() || keys[0] != kWeightMap) return {};
    if (keys.size() == 1) {
      has_map_ = true;
      return kind == JsonKind::kObject ? Status() : Status::Invalid(fmt::format("{} is no object", Quote(kWeightMap)));
    }
    const std::string& tensor = keys[1];
    if (kind != JsonKind::kText)
      return Status::Invalid(fmt::format("the shard of tensor {} is no text", Quote(tensor)));
    if (!IsPlainFileName(text)) {
      return Status::Invalid(fmt::format(
          "the shard of tensor {} is {}, and may only be a name of a file in this folder", Quote(tensor), Quote(text)));
    }
    auto shard = shards_.try_emplace(text, static_cast<uint32_t>(shards_.size())).first;
    weight_map_.emplace_back(tensor, shard->second);
    return {};
  }

  Result<ShardIndex> Finish() && {
    if (!has_map_) return Status::Invalid(fmt::format("{} is missing", Quote(kWeightMap)));
    ShardIndex index;
    std::vector<uint32_t> sorted_number(shards_.size());
    for (const auto& [name, number] : shards_) {
      sorted_number[number] = static_cast<uint32_t>(index.shards.size());
      index.shards.push_back(name);
    }
    index.weight_map = std::move(weight_map_);
    for (auto& [tensor, shard] : index.weight_map) shard = sorted_number[shard];
    return index;
  }

 private:
  bool has_map_ = false;
  std::map<std::string, uint32_t> shards_;
  std::vector<std::pair<std::string, uint32_t>> weight_map_;
};

std::string NumberedShardName(uint32_t shard, uint32_t count) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, count);
}

// The 3 of model-00001-of-00003.safetensors.
std::optional<uint32_t> CountInShardName(std::string_view name) {
  constexpr size_t kFirst = 6, kSecond = 15, kDigits = 5;
  if (name.size() != NumberedShardName(0, 1).size()) return std::nullopt;
  uint32_t shard = 0, count = 0;
  std::from_chars(name.data() + kFirst, name.data() + kFirst + kDigits, shard);
  std::from_chars(name.data() + kSecond, name.data() + kSecond + kDigits, count);
  return shard > 0 && NumberedShardName(shard - 1, count) == name ? std::optional(count) : std::nullopt;
}

// Every name of the schema is in some file, so it is enough to compare the files' tensors with the map, and to find
// what is listed and is in no file.
Status CheckWeightMap(const ShardIndex& index, const Schema& schema) {
  constexpr uint32_t kUnlisted = UINT32_MAX;
  std::vector<uint32_t> shard_of(schema.names.size(), kUnlisted);
  for (const auto& [tensor, shard] : index.weight_map) {
    auto name = schema.names.Find(tensor);
    if (!name) {
      return Status::Invalid(
          fmt::format("tensor {} is listed for {}, which does not hold it", Quote(tensor), Quote(index.shards[shard])));
    }
    shard_of[*name] = shard;
  }
  for (uint32_t shard = 0; shard < schema.files.size(); ++shard) {
    for (const StoredTensor& tensor : schema.tables[schema.files[shard].table]) {
      uint32_t listed = shard_of[tensor.name];
      if (listed == shard) continue;
      std::string where = listed == kUnlisted ? "is not listed" : "is listed for " + Quote(index.shards[listed]);
      return Status::Invalid(
          fmt::format("tensor {} of {} {}", Quote(schema.names[tensor.name]), Quote(index.shards[shard]), where));
    }
  }
  return {};
}

Status CheckNoTensorTwice(const ShardIndex& index, const Schema& schema) {
  constexpr uint32_t kNone = UINT32_MAX;
  std::vector<uint32_t> holder(schema.names.size(), kNone);
  for (uint32_t shard = 0; shard < schema.files.size(); ++shard) {
    for (const StoredTensor& tensor : schema.tables[schema.files[shard].table]) {
      uint32_t before = std::exchange(holder[tensor.name], shard);
      if (before == kNone) continue;
      return Status::Invalid(fmt::format("tensor {} is in {} and in {}", Quote(schema.names[tensor.name]),
                                         Quote(index.shards[before]), Quote(index.shards[shard])));
    }
  }
  return {};
}

}  // namespace

std::string ShardNames::Whole() const { return fmt::format("{}{}", stem, extension); }

std::string ShardNames::Shard(uint32_t shard, uint32_t count) const {
  return count == 1 ? Whole() : fmt::format("{}-{:05}-of-{:05}{}", stem, shard + 1, count, extension);
}

std::string ShardNames::Index() const { return Whole() + ".index.json"; }

Result<ShardIndex> ParseIndex(std::string_view text) {
  IndexReader reader;
  AOA_RETURN_IF_ERROR(WalkJsonObject(text, [&](const auto& keys, JsonKind kind, const std::string& value) {
    return reader.OnValue(keys, kind, value);
  }));
  return std::move(reader).Finish();
}

Result<std::vector<std::string>> ShardsByName(const std::vector<std::string>& names) {
  std::set<uint32_t> counts;
  std::string missing;
  std::vector<std::string> shards;
  for (const std::string& name : names) {
    if (auto count = CountInShardName(name)) counts.insert(*count);
  }
  if (counts.size() != 1) {
    return Status::Invalid(
        fmt::format("it lists no tensor, and beside it there are shards of {} checkpoints", counts.size()));
  }
  for (uint32_t i = 0; i < *counts.begin(); ++i) {
    shards.push_back(NumberedShardName(i, *counts.begin()));
    bool there = std::binary_search(names.begin(), names.end(), shards.back());
    if (!there) missing += (missing.empty() ? "" : ", ") + Quote(shards.back());
  }
  if (missing.empty()) return shards;
  return Status::Invalid(fmt::format("it lists no tensor, and of the shards beside it some are missing: {}", missing));
}

Status CheckShards(const ShardIndex& index, const Schema& schema) {
  return index.weight_map.empty() ? CheckNoTensorTwice(index, schema) : CheckWeightMap(index, schema);
}

std::string IndexText(const ShardIndex& index, const IndexTotals& totals) {
  nlohmann::json weight_map = nlohmann::json::object();
  for (const auto& [tensor, shard] : index.weight_map) weight_map[tensor] = index.shards[shard];
  nlohmann::json json = {{"metadata", {{"total_parameters", totals.elements}, {"total_size", totals.bytes}}},
                         {kWeightMap, std::move(weight_map)}};
  return json.dump(2, ' ', /*ensure_ascii=*/true) + "\n";
}

}  // namespace aoa::formats
