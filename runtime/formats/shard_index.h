// model.safetensors.index.json: which shard of a Hugging Face checkpoint holds which tensor.
//
//   {"metadata": {"total_parameters": 66272, "total_size": 132544},
//    "weight_map": {"lm_head.weight": "model-00003-of-00003.safetensors", ...}}
//
// Files in the wild get total_size wrong and lack the rest of `metadata`, so only weight_map is read. That must be
// true; but there is a writer (Paddle's) that leaves it empty, and then the shards are those that are there by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

constexpr std::string_view kIndexName = "model.safetensors.index.json";

// How the containers that transformers knows call their files.
struct ShardNames {
  std::string_view stem;       // "model"
  std::string_view extension;  // ".safetensors"

  std::string Whole() const;
  std::string Shard(uint32_t shard, uint32_t count) const;  // the whole one, if there is one
  std::string Index() const;
};
constexpr ShardNames kSafetensorsNames = {"model", ".safetensors"};
constexpr ShardNames kTorchNames = {"pytorch_model", ".bin"};

struct ShardIndex {
  std::vector<std::string> shards;                           // file names, sorted
  std::vector<std::pair<std::string, uint32_t>> weight_map;  // tensor, number of its shard
};

constexpr const char* kWholeName = "model.safetensors";

// A shard is a plain file name: an index never leads out of its folder.
Result<ShardIndex> ParseIndex(std::string_view text);

// The shards among the names in a folder, sorted. All of one count must be there, and none of another.
Result<std::vector<std::string>> ShardsByName(const std::vector<std::string>& names);

// That the files of `schema`, which are the shards in order, hold what the index says and nothing else; without a
// weight_map, that no two hold the same tensor.
Status CheckShards(const ShardIndex& index, const Schema& schema);

// The text as transformers 5 writes it.
struct IndexTotals {
  uint64_t bytes = 0;
  uint64_t elements = 0;
};
std::string IndexText(const ShardIndex& index, const IndexTotals& totals);

}  // namespace aoa::formats
