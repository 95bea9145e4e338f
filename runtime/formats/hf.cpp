#include "runtime/formats/hf.h"

#include <fmt/format.h>

#include "compiler/core/check.h"
#include "runtime/formats/companions.h"
#include "runtime/formats/safetensors_checkpoint.h"
#include "runtime/formats/safetensors_writer.h"
#include "runtime/formats/shard_index.h"

namespace aoa::formats {
namespace {

using Shard = std::vector<uint32_t>;  // numbers of tensors

// As huggingface_hub splits: in the order given, a shard is closed when the next tensor does not fit. A tensor that is
// larger than a shard may be has its own, which comes before the one that is open.
std::vector<Shard> Split(const std::vector<TargetTensor>& table, uint64_t max_bytes) {
  std::vector<Shard> shards;
  Shard open;
  uint64_t open_bytes = 0;
  for (uint32_t i = 0; i < table.size(); ++i) {
    if (table[i].bytes > max_bytes) {
      shards.push_back({i});
      continue;
    }
    if (open_bytes + table[i].bytes > max_bytes) {
      shards.push_back(std::move(open));
      open.clear();
      open_bytes = 0;
    }
    open.push_back(i);
    open_bytes += table[i].bytes;
  }
  if (!open.empty() || shards.empty()) shards.push_back(std::move(open));
  return shards;
}

ExtraFile MakeIndex(const std::vector<TargetTensor>& table, const std::vector<Shard>& shards) {
  ShardIndex index;
  IndexTotals totals;
  const auto count = static_cast<uint32_t>(shards.size());
  for (uint32_t shard = 0; shard < count; ++shard) {
    index.shards.push_back(ShardName(shard, count));
    for (uint32_t tensor : shards[shard]) {
      index.weight_map.emplace_back(table[tensor].name, shard);
      totals.bytes += table[tensor].bytes;
      totals.elements += static_cast<uint64_t>(ElementCount(table[tensor].shape));
    }
  }
  return {std::string(kIndexName), IndexText(index, totals)};
}

}  // namespace

bool HfFormat::Recognizes(const std::string& path) const {
  FolderForm form = FormOfFolder(path);
  return (form.whole || form.index) && form.config;
}

Result<Schema> HfFormat::Read(const std::string& path, const ReadOptions& options) const {
  AOA_ASSIGN_OR_RETURN(Schema schema, ReadCheckpoint(path, Forms::kWholeOrShards, options));
  schema.format = name();
  schema.variant = variants().front();
  return schema;
}

Result<TargetLayout> HfFormat::LayOut(const TargetContent& content, const WriteOptions& options) const {
  if (content.has_mesh)
    return Status::Invalid(
        fmt::format("format {} holds whole tensors and has no files for the ranks of a mesh", name()));
  AOA_CHECK(content.ranks.size() == 1, "several ranks without a mesh");
  const auto [rank, number] = content.ranks.front();
  const auto& table = content.tables[number];
  const std::vector<Shard> shards = Split(table, options.max_shard_size);
  TargetLayout layout;
  const auto count = static_cast<uint32_t>(shards.size());
  for (uint32_t shard = 0; shard < count; ++shard) {
    AOA_ASSIGN_OR_RETURN(PlacedTable placed, PlaceTensors(table, shards[shard]));
    AOA_ASSIGN_OR_RETURN(TargetFile file, MakeFile(ShardName(shard, count), placed, {{"format", "pt"}}));
    file.rank = rank;
    file.table = number;
    layout.files.push_back(std::move(file));
  }
  if (count > 1) layout.extras.push_back(MakeIndex(table, shards));
  return layout;
}

std::vector<std::string> HfFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
