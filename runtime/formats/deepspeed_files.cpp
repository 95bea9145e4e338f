#include "runtime/formats/deepspeed_files.h"

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

constexpr int64_t kMostRanks = 1 << 20;  // products stay far from 63 bits
constexpr std::string_view kModelEnd = "_model_states.pt", kOptimizerEnd = "_optim_states.pt",
                           kLayerEnd = "-model_states.pt";

// A text that is taken apart from its start.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}
  bool Take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::optional<int64_t> Number() {
    int64_t value = 0;
    auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc() || value < 0 || value >= kMostRanks) return std::nullopt;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<DeepSpeedName> ParseLayer(Words words) {
  DeepSpeedName out;
  out.kind = DeepSpeedName::Kind::kLayer;
  auto item = words.Number();
  if (!item) return std::nullopt;
  out.item = *item;
  if (words.Take(kLayerEnd)) return words.done() ? std::optional(out) : std::nullopt;  // no tensor ranks
  if (!words.Take("-model_")) return std::nullopt;
  auto model = words.Number();
  if (!model) return std::nullopt;
  out.model = *model;
  return words.Take(kLayerEnd) && words.done() ? std::optional(out) : std::nullopt;
}

// The text of `latest` or `latest_universal`: a name, without a way out of the folder.
Result<std::string> ReadTag(const fs::path& file) {
  AOA_ASSIGN_OR_RETURN(std::string tag, io::ReadSmallFile(file.native(), 4096));
  while (!tag.empty() && (tag.back() == '\n' || tag.back() == '\r' || tag.back() == ' ')) tag.pop_back();
  if (tag.empty() || tag == "." || tag == ".." || tag.find_first_of("/\\") != std::string::npos)
    return Status::Invalid(fmt::format("{}: {} is no name of a folder", Printable(file.native()), Quote(tag)));
  return tag;
}

// The folder of the tag.
Result<DeepSpeedFiles> FindFolder(const std::string& path) {
  DeepSpeedFiles out;
  std::error_code error;
  const bool ordinary = fs::exists(fs::path(path) / "latest", error);
  const bool universal = fs::exists(fs::path(path) / "latest_universal", error);
  if (!ordinary && !universal) {
    out.folder = path;
    fs::path folder = fs::path(path).lexically_normal();
    out.tag = (folder.has_filename() ? folder : folder.parent_path()).filename().native();
    return out;
  }
  AOA_ASSIGN_OR_RETURN(out.tag, ReadTag(fs::path(path) / (ordinary ? "latest" : "latest_universal")));
  out.folder = (fs::path(path) / out.tag).native();
  if (!fs::is_directory(out.folder, error)) {
    return Status::Invalid(fmt::format("{}: `{}` names {}, which is no folder there", Printable(path),
                                       ordinary ? "latest" : "latest_universal", Quote(out.tag)));
  }
  if (ordinary && universal)
    out.notes.push_back(fmt::format("{}: `latest` was followed, not `latest_universal`", Printable(path)));
  return out;
}

Status AddFile(const std::string& name, DeepSpeedFiles& out) {
  auto parsed = ParseDeepSpeedName(name);
  if (!parsed) {
    if (name.starts_with("expp_rank_") || (name.starts_with("layer_") && name.find("_expert_") != std::string::npos))
      return Status::Invalid(fmt::format("{} is a file of experts, which are not read", Quote(name)));
    return Status();
  }
  const std::string file = (fs::path(out.folder) / name).native();
  std::string* place = nullptr;
  switch (parsed->kind) {
    case DeepSpeedName::Kind::kModel:
      place = parsed->data ? &out.shards[{*parsed->data, parsed->model}] : &out.models[parsed->model];
      break;
    case DeepSpeedName::Kind::kOptimizer:
      place = &out.optimizers[{*parsed->data, parsed->model}];
      break;
    case DeepSpeedName::Kind::kLayer:
      place = &out.layers[{parsed->item, parsed->model}];
      break;
  }
  if (!place->empty()) {
    return Status::Invalid(fmt::format("{} and {} are of the same rank: files of two runs in one folder",
                                       Quote(fs::path(*place).filename().native()), Quote(name)));
  }
  *place = file;
  return Status();
}

// Files that should be there: some of their names, and how many they are.
class MissingFiles {
 public:
  // Of the pairs first < firsts and second < seconds those that are not in `there`.
  template <class Spell>
  void Look(const std::map<DeepSpeedFiles::Rank, std::string>& there, int64_t firsts, int64_t seconds, Spell spell) {
    int64_t rest = firsts * seconds - static_cast<int64_t>(there.size());
    count_ += rest;
    for (int64_t first = 0; first < firsts && rest > 0; ++first) {
      for (int64_t second = 0; second < seconds && rest > 0 && shown_.size() < kShown; ++second) {
        if (there.contains({first, second})) continue;
        shown_.push_back("`" + SpellDeepSpeedName(spell(first, second)) + "`");
        --rest;
      }
      if (shown_.size() == kShown) return;
    }
  }

  Status Report(const std::string& folder) const {
    if (count_ == 0) return Status();
    std::string list;
    for (size_t i = 0; i < shown_.size(); ++i) list += (i ? ", " : "") + shown_[i];
    const int64_t more = count_ - static_cast<int64_t>(shown_.size());
    if (more > 0) list += fmt::format(" and {} more", more);
    return Status::Invalid(fmt::format("{}: {} {} missing", Printable(folder), list, count_ == 1 ? "is" : "are"));
  }

 private:
  static constexpr size_t kShown = 8;
  std::vector<std::string> shown_;
  int64_t count_ = 0;
};

std::string PrefixOf(const std::map<DeepSpeedFiles::Rank, std::string>& files) {
  std::string name = fs::path(files.begin()->second).filename().native();
  return name.substr(0, name.find("zero_pp_rank_"));
}

}  // namespace

std::optional<DeepSpeedName> ParseDeepSpeedName(std::string_view name) {
  Words words(name);
  if (words.Take("layer_")) return ParseLayer(words);
  DeepSpeedName out;
  for (std::string_view prefix : {"bf16_", "fp16_"}) {
    if (words.Take(prefix)) out.prefix = prefix;
  }
  if (words.Take("zero_pp_rank_")) {
    out.data = words.Number();
    if (!out.data || !words.Take("_")) return std::nullopt;
  }
  if (!words.Take("mp_rank_")) return std::nullopt;
  auto model = words.Number();
  if (!model) return std::nullopt;
  out.model = *model;
  if (words.Take(kOptimizerEnd)) {
    out.kind = DeepSpeedName::Kind::kOptimizer;
    return words.done() && out.data ? std::optional(out) : std::nullopt;
  }
  return words.Take(kModelEnd) && words.done() && out.prefix.empty() ? std::optional(out) : std::nullopt;
}

std::string SpellDeepSpeedName(const DeepSpeedName& name) {
  if (name.kind == DeepSpeedName::Kind::kLayer)
    return fmt::format("layer_{:02}-model_{:02}{}", name.item, name.model, kLayerEnd);
  std::string out = name.prefix;
  if (name.data) out += fmt::format("zero_pp_rank_{}_", *name.data);
  return out + fmt::format("mp_rank_{:02}{}", name.model,
                           name.kind == DeepSpeedName::Kind::kModel ? kModelEnd : kOptimizerEnd);
}

int64_t DeepSpeedFiles::data_ranks() const {
  int64_t out = 1;
  for (const auto* ranks : {&shards, &optimizers}) {
    if (!ranks->empty()) out = std::max(out, ranks->rbegin()->first.first + 1);
  }
  return out;
}

int64_t DeepSpeedFiles::model_ranks() const {
  int64_t out = models.empty() ? 1 : models.rbegin()->first + 1;
  for (const auto* ranks : {&shards, &optimizers}) {
    for (const auto& [rank, path] : *ranks) out = std::max(out, rank.second + 1);
  }
  return models.empty() && shards.empty() ? std::max(out, tensor_ranks()) : out;
}

int64_t DeepSpeedFiles::tensor_ranks() const {
  int64_t out = 1;
  for (const auto& [rank, path] : layers) out = std::max(out, rank.second + 1);
  return out;
}

Status DeepSpeedFiles::CheckComplete(int64_t data, int64_t model) const {
  using Kind = DeepSpeedName::Kind;
  using Name = DeepSpeedName;
  MissingFiles missing;
  std::map<Rank, std::string> by_rank, items;
  for (const auto& [rank, path] : models) by_rank[{0, rank}] = path;
  if (!models.empty())
    missing.Look(by_rank, 1, model, [](int64_t, int64_t m) { return Name{Kind::kModel, {}, m, 0, ""}; });
  if (!shards.empty())
    missing.Look(shards, data, model, [](int64_t d, int64_t m) { return Name{Kind::kModel, d, m, 0, ""}; });
  if (!optimizers.empty()) {
    const std::string prefix = PrefixOf(optimizers);
    missing.Look(optimizers, data, model, [&](int64_t d, int64_t m) {
      return Name{Kind::kOptimizer, d, m, 0, prefix};
    });
  }
  std::vector<int64_t> numbers;  // of the items that have a file
  for (const auto& [rank, path] : layers) {
    if (numbers.empty() || numbers.back() != rank.first) numbers.push_back(rank.first);
    items[{static_cast<int64_t>(numbers.size()) - 1, rank.second}] = path;
  }
  missing.Look(items, static_cast<int64_t>(numbers.size()), tensor_ranks(), [&](int64_t i, int64_t t) {
    return Name{Kind::kLayer, {}, t, numbers[static_cast<size_t>(i)], ""};
  });
  return missing.Report(folder);
}

Result<DeepSpeedFiles> FindDeepSpeedFiles(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(DeepSpeedFiles out, FindFolder(path));
  AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(out.folder));
  std::error_code error;
  for (const std::string& name : names) {
    Status status = AddFile(name, out);
    if (!status.ok()) return std::move(status).WithContext(Printable(out.folder));
  }
  const fs::path parameters = fs::path(out.folder) / "zero";
  if (fs::is_directory(parameters, error)) {
    AOA_ASSIGN_OR_RETURN(auto folders, io::ListFolder(parameters.native()));
    for (std::string& name : folders) {
      if (fs::is_directory(parameters / name, error)) out.parameters.push_back(std::move(name));
    }
  }
  if (out.models.empty() && out.shards.empty() && out.layers.empty() && out.parameters.empty())
    return Status::Invalid(fmt::format("{} holds no file of DeepSpeed", Printable(out.folder)));
  AOA_RETURN_IF_ERROR(out.CheckComplete(out.data_ranks(), out.model_ranks()));
  return out;
}

std::optional<int64_t> StepsInTag(std::string_view tag) {
  if (tag.ends_with(kUniversalEnd)) tag.remove_suffix(kUniversalEnd.size());
  tag.remove_prefix(tag.find_last_not_of("0123456789") + 1);  // npos + 1 is 0
  int64_t steps = 0;
  auto [end, error] = std::from_chars(tag.data(), tag.data() + tag.size(), steps);
  if (error != std::errc()) return std::nullopt;
  return steps;
}

bool LooksLikeDeepSpeed(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return false;
  auto found = FindFolder(path);
  if (!found.ok()) return false;
  if (fs::is_directory(fs::path(found->folder) / "zero", error)) return true;
  auto names = io::ListFolder(found->folder);
  return names.ok() && std::any_of(names->begin(), names->end(),
                                   [](const std::string& name) { return ParseDeepSpeedName(name).has_value(); });
}

}  // namespace aoa::formats
