#include "runtime/formats/torch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>
#include <optional>

#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "runtime/formats/companions.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_checkpoint.h"
#include "runtime/formats/torch_checkpoint.h"
#include "runtime/formats/torch_surroundings.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWhole = "model.pt";
constexpr std::string_view kExtensions[] = {".pt", ".pth", ".bin", ".ckpt"};

std::string RankName(int64_t rank) { return fmt::format("consolidated.{:02}.pth", rank); }

std::optional<int64_t> RankOf(const std::string& name) {
  constexpr std::string_view kStart = "consolidated.";
  int64_t rank = -1;
  if (!name.starts_with(kStart)) return std::nullopt;
  std::from_chars(name.data() + kStart.size(), name.data() + name.size(), rank);
  return rank >= 0 && RankName(rank) == name ? std::optional(rank) : std::nullopt;
}

struct Found {
  std::vector<std::string> names;  // in rank order
  bool ranks = false;
};

// The files of a folder: those of ranks, or the only one that torch could have written.
Result<Found> FindFiles(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(path));
  std::vector<int64_t> ranks;
  Found found;
  for (const std::string& name : names) {
    if (auto rank = RankOf(name)) ranks.push_back(*rank);
  }
  std::sort(ranks.begin(), ranks.end());
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i] != static_cast<int64_t>(i))
      return Status::Invalid(
          fmt::format("{}: {} is missing", Printable(path), Quote(RankName(static_cast<int64_t>(i)))));
    found.names.push_back(RankName(ranks[i]));
  }
  if (!ranks.empty()) {
    found.ranks = true;
    return found;
  }
  for (const std::string& name : names) {
    bool torch = std::any_of(std::begin(kExtensions), std::end(kExtensions), [&](auto e) { return name.ends_with(e); });
    if (torch && LooksLikeTorch((fs::path(path) / name).native())) found.names.push_back(name);
  }
  if (found.names.size() == 1) return found;
  if (found.names.empty()) return Status::Invalid(fmt::format("{} holds no file of torch.save", Printable(path)));
  return Status::Invalid(fmt::format("{} holds {} and {}: any of them may be the checkpoint", Printable(path),
                                     Quote(found.names[0]), Quote(found.names[1])));
}

}  // namespace

bool TorchFormat::Recognizes(const std::string& path) const {
  std::error_code error;
  if (!fs::is_directory(path, error)) return LooksLikeTorch(path) || path.ends_with(".pt") || path.ends_with(".pth");
  return FindFiles(path).ok();
}

Result<Schema> TorchFormat::Read(const std::string& path, const ReadOptions& options) const {
  std::error_code error;
  Schema schema;
  schema.path = path;
  schema.format = name();
  std::vector<std::string> paths = {path};
  if (fs::is_directory(path, error)) {
    AOA_ASSIGN_OR_RETURN(Found found, FindFiles(path));
    paths.clear();
    for (const std::string& file : found.names) paths.push_back((fs::path(path) / file).native());
    schema.has_mesh = found.ranks;
    if (found.ranks) schema.mesh = {{"tp", static_cast<int64_t>(paths.size())}};
    AOA_ASSIGN_OR_RETURN(schema.config, ReadConfig(path));
  }
  TorchFile::Container container = TorchFile::Container::kZip;
  AOA_RETURN_IF_ERROR(ReadTorchFiles(paths, options.threads, schema, container));
  for (size_t i = 0; i < schema.files.size(); ++i) schema.files[i].rank = static_cast<int64_t>(i);
  schema.variant = container == TorchFile::Container::kZip ? "zip" : "legacy";
  return schema;
}

Result<TargetLayout> TorchFormat::LayOut(const TargetContent& content, const WriteOptions& options) const {
  const auto container = options.variant == "legacy" ? TorchFile::Container::kLegacy : TorchFile::Container::kZip;
  const auto* kept = dynamic_cast<const TorchSurroundings*>(options.preserved.get());
  TargetLayout layout;
  AOA_CHECK(content.has_mesh || content.ranks.size() == 1, "several ranks without a mesh");
  for (auto [rank, number] : content.ranks) {
    std::vector<uint32_t> all(content.tables[number].size());
    std::iota(all.begin(), all.end(), 0u);
    const std::string path = content.has_mesh ? RankName(rank) : std::string(kWhole);
    const TorchFile* like = nullptr;
    if (kept) like = &kept->files[kept->files.size() > static_cast<size_t>(rank) ? static_cast<size_t>(rank) : 0];
    AOA_ASSIGN_OR_RETURN(TargetFile file, LayOutTorchFile(path, content.tables[number], all, container, like));
    file.rank = rank;
    file.table = number;
    layout.files.push_back(std::move(file));
  }
  return layout;
}

std::vector<std::string> TorchFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
