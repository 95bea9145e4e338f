// model.safetensors.index.json: which shard of a Hugging Face checkpoint holds which tensor.
//
//   {"metadata": {"total_parameters": 66272, "total_size": 132544},
//    "weight_map": {"lm_head.weight": "model-00003-of-00003.safetensors", ...}}
//
// Files in the wild get total_size wrong and lack the rest of `metadata`, so only weight_map is read. That must be true.
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

struct ShardIndex {
  std::vector<std::string> shards;                            // file names, sorted
  std::vector<std::pair<std::string, uint32_t>> weight_map;   // tensor, number of its shard
};

// A shard is a plain file name: an index never leads out of its folder.
Result<ShardIndex> ParseIndex(std::string_view text);

// That the files of `schema`, which are the shards in order, hold what the index says and nothing else.
Status CheckIndex(const ShardIndex& index, const Schema& schema);

// The text as transformers 5 writes it.
struct IndexTotals {
  uint64_t bytes = 0;
  uint64_t elements = 0;
};
std::string IndexText(const ShardIndex& index, const IndexTotals& totals);

}  // namespace aoa::formats
