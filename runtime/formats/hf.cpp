#include "runtime/formats/hf.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "runtime/formats/companions.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_checkpoint.h"
#include "runtime/formats/safetensors_writer.h"
#include "runtime/formats/shard_index.h"
#include "runtime/formats/torch_checkpoint.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBin = "bin", kBinLegacy = "bin_legacy";

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

ExtraFile MakeIndex(const std::vector<TargetTensor>& table, const std::vector<Shard>& shards, const ShardNames& names) {
  ShardIndex index;
  IndexTotals totals;
  const auto count = static_cast<uint32_t>(shards.size());
  for (uint32_t shard = 0; shard < count; ++shard) {
    index.shards.push_back(names.Shard(shard, count));
    for (uint32_t tensor : shards[shard]) {
      index.weight_map.emplace_back(table[tensor].name, shard);
      totals.bytes += table[tensor].bytes;
      totals.elements += static_cast<uint64_t>(ElementCount(table[tensor].shape));
    }
  }
  return {names.Index(), IndexText(index, totals)};
}

bool Exists(const std::string& folder, const std::string& name) {
  std::error_code error;
  return fs::exists(fs::path(folder) / name, error);
}

// The files of a folder of pytorch_model.bin or its shards; empty if it has none.
Result<std::vector<std::string>> TorchShards(const std::string& folder, std::optional<ShardIndex>& index) {
  auto at = [&](const std::string& name) { return (fs::path(folder) / name).native(); };
  const std::string listed = at(kTorchNames.Index());
  if (Exists(folder, kTorchNames.Index())) {
    AOA_ASSIGN_OR_RETURN(std::string text, io::ReadSmallFile(listed, kMaxHeaderBytes));
    auto parsed = ParseIndex(text);
    if (!parsed.ok()) return std::move(parsed).status().WithContext(Printable(listed));
    std::vector<std::string> paths;
    for (const std::string& shard : parsed->shards) {
      if (!Exists(folder, shard))
        return Status::Invalid(fmt::format("{}: it lists {}, which is not there", Printable(listed), Quote(shard)));
      paths.push_back(at(shard));
    }
    index = *std::move(parsed);
    return paths;
  }
  if (Exists(folder, kTorchNames.Whole())) return std::vector<std::string>{at(kTorchNames.Whole())};
  return std::vector<std::string>();
}

// A model in files of torch.save; nothing if `path` holds none.
Result<std::optional<Schema>> ReadTorchModel(const std::string& path, const ReadOptions& options) {
  std::error_code error;
  const bool folder = fs::is_directory(path, error);
  std::optional<ShardIndex> index;
  std::vector<std::string> paths = {path};
  if (folder) {
    AOA_ASSIGN_OR_RETURN(paths, TorchShards(path, index));
    if (paths.empty()) return std::nullopt;
  } else if (!LooksLikeTorch(path)) {
    return std::nullopt;
  }
  Schema schema;
  schema.path = path;
  TorchFile::Container container = TorchFile::Container::kZip;
  AOA_RETURN_IF_ERROR(ReadTorchFiles(paths, options.threads, schema, container));
  if (index) {
    AOA_RETURN_IF_ERROR(
        CheckShards(*index, schema).WithContext(Printable((fs::path(path) / kTorchNames.Index()).native())));
  }
  schema.variant = container == TorchFile::Container::kZip ? kBin : kBinLegacy;
  AOA_ASSIGN_OR_RETURN(schema.config, ReadConfig(folder ? path : fs::path(path).parent_path().native()));
  return schema;
}

}  // namespace

bool HfFormat::Recognizes(const std::string& path) const {
  FolderForm form = FormOfFolder(path);
  bool torch = Exists(path, kTorchNames.Whole()) || Exists(path, kTorchNames.Index());
  return (form.whole || form.index || torch) && form.config;
}

Result<Schema> HfFormat::Read(const std::string& path, const ReadOptions& options) const {
  FolderForm form = FormOfFolder(path);
  if (!form.whole && !form.index) {
    AOA_ASSIGN_OR_RETURN(auto torch, ReadTorchModel(path, options));
    if (torch) {
      torch->format = name();
      return *std::move(torch);
    }
  }
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
  const bool torch = options.variant == kBin || options.variant == kBinLegacy;
  const ShardNames& names = torch ? kTorchNames : kSafetensorsNames;
  const std::vector<Shard> shards = Split(table, options.max_shard_size);
  TargetLayout layout;
  const auto count = static_cast<uint32_t>(shards.size());
  for (uint32_t shard = 0; shard < count; ++shard) {
    const std::string path = names.Shard(shard, count);
    TargetFile file;
    if (torch) {
      auto container = options.variant == kBin ? TorchFile::Container::kZip : TorchFile::Container::kLegacy;
      AOA_ASSIGN_OR_RETURN(file, LayOutTorchFile(path, table, shards[shard], container));
    } else {
      AOA_ASSIGN_OR_RETURN(PlacedTable placed, PlaceTensors(table, shards[shard]));
      AOA_ASSIGN_OR_RETURN(file, MakeFile(path, placed, {{"format", "pt"}}));
    }
    file.rank = rank;
    file.table = number;
    layout.files.push_back(std::move(file));
  }
  if (count > 1) layout.extras.push_back(MakeIndex(table, shards, names));
  return layout;
}

std::vector<std::string> HfFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
