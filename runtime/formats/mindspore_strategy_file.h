// MindSpore's strategy files: how each parameter is cut, as protobuf (mindspore_strategy.proto) or as JSON.
//
// For a parameter there are a device matrix over the ranks of a stage, last axis fastest, and a tensor map: for each
// axis of the tensor -1, or the device axis that cuts it, counted from the right. Where several device axes cut one
// axis, protobuf has one map for each axis of the tensor, with the device axes outermost first, and JSON writes the
// axis as several. An `opt_weight_shard_size` other than 0 cuts axis 0 of the block again among the ranks that hold it,
// into so many parts (-1: into as many as there are holders). (mindspore/train/parallel/_parallel_utils of
// MindSpore 2.10, and the outputs of its transform_checkpoints.)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// One parameter of a strategy file.
struct StrategyItem {
  std::vector<int64_t> devices;
  std::vector<std::vector<int64_t>> map;  // by axis: device axes from the right, outermost first; none: not cut
  int64_t shard_step = 0, shard_size = 0;
  Shape shape;  // JSON: the whole shape that `map` speaks of; protobuf does not say
  bool operator==(const StrategyItem&) const = default;
};

// The content of a file.
struct Strategy {
  std::optional<int64_t> stage;               // of its strategy items
  std::map<std::string, StrategyItem> items;  // by name
};

enum class StrategyForm { kProtobuf, kJson };

// `text` is the whole of a file; JSON begins with `{`.
Result<Strategy> ParseStrategy(std::string_view text);
std::string WriteStrategy(const Strategy& strategy, StrategyForm form);

// Of a merged file: the name without its stage, which is given; empty if the name has none.
std::string StageOfName(const std::string& name, int64_t& stage);

}  // namespace aoa::formats
