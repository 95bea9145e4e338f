#include "runtime/formats/mindspore_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

#include "compiler/core/text.h"
#include "runtime/formats/mindspore_ckpt.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_checkpoint.h"
#include "runtime/formats/shard_index.h"
#include "runtime/io/file.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRank = "rank_";
constexpr uint64_t kLongestMap = 100 << 20;

std::string Below(const std::string& folder, const std::string& name) { return (fs::path(folder) / name).native(); }

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::optional<int64_t> RankOf(const std::string& name) {
  int64_t rank = -1;
  if (!name.starts_with(kRank)) return std::nullopt;
  auto [end, error] = std::from_chars(name.data() + kRank.size(), name.data() + name.size(), rank);
  bool exact = error == std::errc() && rank >= 0 && name == fmt::format("{}{}", kRank, rank);
  return exact ? std::optional(rank) : std::nullopt;
}

// The folders of ranks below a folder.
Result<std::map<int64_t, std::string>> RankFolders(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(path));
  std::map<int64_t, std::string> out;
  for (const std::string& name : names) {
    auto rank = RankOf(name);
    if (rank && IsFolder(Below(path, name))) out[*rank] = Below(path, name);
  }
  return out;
}

struct OneFile {
  MindSporeKind kind = MindSporeKind::kCkpt;
  std::string path;
};

// The checkpoint of a folder: of files of one kind the last by name.
Result<OneFile> FindInFolder(const std::string& folder, std::vector<std::string>& notes) {
  AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(folder));
  std::vector<std::string> ckpt, safetensors;
  for (const std::string& name : names) {
    if (IsFolder(Below(folder, name))) continue;
    if (name.ends_with(".ckpt")) ckpt.push_back(name);
    if (name.ends_with(".safetensors")) safetensors.push_back(name);
  }
  if (ckpt.empty() && safetensors.empty())
    return Status::Invalid(fmt::format("{} holds no .ckpt and no .safetensors", Printable(folder)));
  if (!ckpt.empty() && !safetensors.empty())
    return Status::Invalid(fmt::format("{} holds {} and {}: either of them may be the checkpoint", Printable(folder),
                                       Quote(ckpt.back()), Quote(safetensors.back())));
  const auto& found = ckpt.empty() ? safetensors : ckpt;
  if (found.size() > 1)
    notes.push_back(fmt::format("{}: of {} files the last by name was taken, {}", Printable(folder), found.size(),
                                Quote(found.back())));
  return OneFile{ckpt.empty() ? MindSporeKind::kSafetensors : MindSporeKind::kCkpt, Below(folder, found.back())};
}

Result<MindSporeFiles> FindUnified(const std::string& path) {
  const std::string map = Below(path, kParamNameMap);
  AOA_ASSIGN_OR_RETURN(std::string text, io::ReadSmallFile(map, kLongestMap));
  auto index = ParseIndex(text);
  if (!index.ok()) return std::move(index).status().WithContext(Printable(map));
  MindSporeFiles out;
  out.kind = MindSporeKind::kUnified;
  for (const std::string& name : index->shards) {
    if (!Exists(Below(path, name)))
      return Status::Invalid(fmt::format("{}: it lists {}, which is not there", Printable(map), Quote(name)));
    out.files.push_back({0, Below(path, name)});
  }
  return out;
}

// "rank_0 to rank_2, rank_5"
std::string Missing(const std::map<int64_t, std::string>& folders, int64_t ranks) {
  std::string out;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    if (folders.contains(rank)) continue;
    const int64_t first = rank;
    while (rank + 1 < ranks && !folders.contains(rank + 1)) ++rank;
    out += fmt::format("{}rank_{}", out.empty() ? "" : ", ", first);
    if (rank > first) out += fmt::format(" to rank_{}", rank);
  }
  return out;
}

// That there is a folder for every rank of the layout (for one at least, if `partial`), and no other.
Status CheckRanks(const std::string& path, const std::map<int64_t, std::string>& folders, const Shardings& layout,
                  bool partial, std::vector<int64_t>& absent) {
  const int64_t ranks = layout.stages * layout.ranks;
  if (folders.empty() && ranks == 1) return Status();
  for (int64_t rank = 0; rank < ranks; ++rank) {
    if (!folders.contains(rank)) absent.push_back(rank);
  }
  const std::string missing = Missing(folders, ranks);
  if (!missing.empty() && (!partial || folders.empty()))
    return Status::Invalid(fmt::format("{}: the layout {} is of {} ranks; missing: {}", Printable(path),
                                       Printable(layout.path), ranks, missing));
  if (folders.rbegin()->first < ranks) return Status();
  return Status::Invalid(fmt::format("{}: the layout {} is of {} ranks, and there is rank_{}", Printable(path),
                                     Printable(layout.path), ranks, folders.rbegin()->first));
}

}  // namespace

Result<MindSporeFiles> FindMindSporeFiles(const std::string& path, const Shardings* layout, bool partial) {
  MindSporeFiles out;
  if (!Exists(path)) return Status::Invalid(fmt::format("{} does not exist", Printable(path)));
  const bool folder = IsFolder(path), unified = folder && Exists(Below(path, kParamNameMap));
  if (layout && layout->stages * layout->ranks > 1 && (!folder || unified))
    return Status::Invalid(fmt::format("{} holds whole tensors, the layout {} is of {} ranks", Printable(path),
                                       Printable(layout->path), layout->stages * layout->ranks));
  if (!folder) {
    out.kind = LooksLikeSafetensors(path) ? MindSporeKind::kSafetensors : MindSporeKind::kCkpt;
    out.files.push_back({0, path});
    return out;
  }
  if (unified) return FindUnified(path);
  AOA_ASSIGN_OR_RETURN(auto folders, RankFolders(path));
  if (layout) AOA_RETURN_IF_ERROR(CheckRanks(path, folders, *layout, partial, out.absent));
  if (!layout && folders.size() > 1) {
    out.notes.push_back(fmt::format("without a layout the file of one rank is read as a complete one: that of rank_{}",
                                    folders.begin()->first));
    folders.erase(std::next(folders.begin()), folders.end());
  }
  if (folders.empty()) folders[0] = path;
  for (const auto& [rank, name] : folders) {
    AOA_ASSIGN_OR_RETURN(OneFile file, FindInFolder(name, out.notes));
    if (!out.files.empty() && file.kind != out.kind)
      return Status::Invalid(
          fmt::format("{} and {} are of different kinds", Printable(out.files.back().path), Printable(file.path)));
    out.kind = file.kind;
    out.files.push_back({layout ? rank : 0, std::move(file.path)});
  }
  return out;
}

bool LooksLikeMindSpore(const std::string& path) {
  if (!IsFolder(path)) return LooksLikeCkpt(path);
  if (Exists(Below(path, kParamNameMap))) return true;
  auto folders = RankFolders(path);
  std::vector<std::string> notes;
  if (folders.ok() && !folders->empty()) return FindInFolder(folders->begin()->second, notes).ok();
  auto file = FindInFolder(path, notes);
  return file.ok() && file->kind == MindSporeKind::kCkpt && LooksLikeCkpt(file->path);
}

}  // namespace aoa::formats
