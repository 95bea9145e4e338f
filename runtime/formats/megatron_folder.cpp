#include "runtime/formats/megatron_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/io/file.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRankPrefix = "mp_rank_", kIterationPrefix = "iter_", kRelease = "release";
constexpr uint64_t kLongestTracker = 4096;
constexpr size_t kMostNumbers = 3;

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::optional<int64_t> Number(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || text.size() > 9 || error != std::errc() || end != text.data() + text.size() || number < 0)
    return std::nullopt;
  return number;
}

Result<std::vector<MegatronRankFolder>> ListRanks(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(path));
  std::vector<MegatronRankFolder> ranks;
  for (const std::string& name : names) {
    auto numbers = RankFolderNumbers(name);
    if (numbers && IsFolder(fs::path(path) / name)) ranks.push_back({name, *std::move(numbers)});
  }
  std::sort(ranks.begin(), ranks.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return ranks;
}

std::string FolderOfTracker(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  if (text == kRelease) return text;
  auto number = Number(text);
  return number ? IterationFolderName(*number) : "";
}

// The name of the folder of the iteration that counts.
Result<std::string> FindIteration(const std::string& path) {
  const std::string tracker = (fs::path(path) / kTracker).native();
  std::error_code error;
  if (fs::exists(tracker, error)) {
    AOA_ASSIGN_OR_RETURN(std::string text, io::ReadSmallFile(tracker, kLongestTracker));
    std::string name = FolderOfTracker(text);
    if (name.empty())
      return Status::Invalid(
          fmt::format("{} says {}, which is no iteration and not `release`", Printable(tracker), Quote(text)));
    if (IsFolder(fs::path(path) / name)) return name;
    return Status::Invalid(fmt::format("{} names {}, which is missing", Printable(tracker), Quote(name)));
  }
  AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(path));
  std::vector<std::string> found;
  for (const std::string& name : names) {
    const bool iteration = name == kRelease || name.starts_with(kIterationPrefix);
    if (iteration && IsFolder(fs::path(path) / name)) found.push_back(name);
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) return Status::Invalid(fmt::format("{} holds no iteration of Megatron", Printable(path)));
  return Status::Invalid(fmt::format("{} holds {} and {}, and no {} says which counts", Printable(path),
                                     Quote(found[0]), Quote(found[1]), kTracker));
}

}  // namespace

std::optional<std::vector<int64_t>> RankFolderNumbers(std::string_view name) {
  if (!name.starts_with(kRankPrefix)) return std::nullopt;
  std::vector<int64_t> numbers;
  for (size_t begin = kRankPrefix.size(); begin <= name.size();) {
    const size_t end = std::min(name.find('_', begin), name.size());
    const size_t width = numbers.empty() ? 2 : 3;
    auto number = Number(name.substr(begin, end - begin));
    if (!number || end - begin < width || numbers.size() == kMostNumbers) return std::nullopt;
    numbers.push_back(*number);
    begin = end + 1;
  }
  return numbers;
}

std::string RankFolderName(int64_t tp, int64_t pp, int64_t stages) {
  return stages > 1 ? fmt::format("mp_rank_{:02}_{:03}", tp, pp) : fmt::format("mp_rank_{:02}", tp);
}

std::string IterationFolderName(int64_t iteration) { return fmt::format("iter_{:07}", iteration); }

Result<MegatronFolder> FindMegatronFolder(const std::string& path) {
  MegatronFolder folder;
  folder.path = path;
  AOA_ASSIGN_OR_RETURN(folder.ranks, ListRanks(path));
  if (!folder.ranks.empty()) return folder;
  AOA_ASSIGN_OR_RETURN(folder.name, FindIteration(path));
  folder.path = (fs::path(path) / folder.name).native();
  AOA_ASSIGN_OR_RETURN(folder.ranks, ListRanks(folder.path));
  return folder;
}

}  // namespace aoa::formats
