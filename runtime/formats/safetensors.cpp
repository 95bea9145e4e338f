#include "runtime/formats/safetensors.h"

#include <numeric>

#include "compiler/core/check.h"
#include "runtime/formats/companions.h"
#include "runtime/formats/rank_files.h"
#include "runtime/formats/safetensors_checkpoint.h"
#include "runtime/formats/safetensors_writer.h"
#include "runtime/formats/shard_index.h"

namespace aoa::formats {

// A folder with a configuration and without ranks is a Hugging Face model.
bool SafetensorsFormat::Recognizes(const std::string& path) const {
  FolderForm form = FormOfFolder(path);
  return form.ranks || ((form.whole || form.index) && !form.config) || LooksLikeSafetensors(path);
}

Result<Schema> SafetensorsFormat::Read(const std::string& path, const ReadOptions& options) const {
  AOA_ASSIGN_OR_RETURN(Schema schema, ReadCheckpoint(path, Forms::kWholeOrShardsOrRanks, options));
  schema.format = name();
  return schema;
}

Result<TargetLayout> SafetensorsFormat::LayOut(const TargetContent& content, const WriteOptions&) const {
  std::vector<PlacedTable> placed;
  for (const auto& table : content.tables) {
    std::vector<uint32_t> all(table.size());
    std::iota(all.begin(), all.end(), 0u);
    AOA_ASSIGN_OR_RETURN(placed.emplace_back(), PlaceTensors(table, all));
  }
  AOA_CHECK(content.has_mesh || content.ranks.size() == 1, "several ranks without a mesh");
  TargetLayout layout;
  for (auto [rank, table] : content.ranks) {
    Metadata metadata;
    if (content.has_mesh) metadata = MetadataOf(content, rank);
    std::string path = content.has_mesh ? RankFileName(rank) : kWholeName;
    AOA_ASSIGN_OR_RETURN(TargetFile file, MakeFile(path, placed[table], metadata));
    file.rank = rank;
    file.table = table;
    layout.files.push_back(std::move(file));
  }
  return layout;
}

std::vector<std::string> SafetensorsFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
