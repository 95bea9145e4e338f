#include "runtime/formats/mindspore_strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/formats/quote.h"
#include "runtime/io/file.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLongestStrategy = 256 << 20;
constexpr int64_t kMostRanks = 1 << 24;  // beyond all machines
constexpr int64_t kMostStages = 1 << 16;

// How many ranks hold each block.
int64_t HoldersOf(const StrategyItem& item) {
  std::vector<bool> cutting(item.devices.size());
  for (const auto& axis : item.map) {
    for (int64_t by : axis) cutting[item.devices.size() - 1 - static_cast<size_t>(by)] = true;
  }
  int64_t holders = 1;
  for (size_t i = 0; i < cutting.size(); ++i) holders *= cutting[i] ? 1 : item.devices[i];
  return holders;
}

Sharding ShardingOf(const StrategyItem& item) {
  Sharding out;
  out.mesh = item.devices;
  for (const auto& axis : item.map) {
    std::vector<size_t>& cuts = out.cuts.emplace_back();
    for (int64_t by : axis) {
      const size_t device = item.devices.size() - 1 - static_cast<size_t>(by);
      if (item.devices[device] > 1) cuts.push_back(device);
    }
  }
  out.seen_as = item.shape;
  if (item.shard_step != 0 && item.shard_size != 0)
    out.again = item.shard_size == -1 ? HoldersOf(item) : item.shard_size;
  return out;
}

struct StrategyFile {
  std::string path;
  Strategy strategy;
};

Result<StrategyFile> ReadOne(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(std::string text, io::ReadSmallFile(path, kLongestStrategy));
  auto strategy = ParseStrategy(text);
  if (!strategy.ok()) return std::move(strategy).status().WithContext(Printable(path));
  return StrategyFile{path, *std::move(strategy)};
}

Result<std::vector<StrategyFile>> ReadAll(const std::string& path) {
  std::error_code error;
  std::vector<StrategyFile> files;
  if (!fs::is_directory(path, error)) {
    AOA_ASSIGN_OR_RETURN(files.emplace_back(), ReadOne(path));
    return files;
  }
  AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(path));
  for (const std::string& name : names) {
    if (!name.ends_with(".ckpt") && !name.ends_with(".json")) continue;
    AOA_ASSIGN_OR_RETURN(files.emplace_back(), ReadOne((fs::path(path) / name).native()));
  }
  if (files.empty()) return Status::Invalid(fmt::format("{} holds no strategy file", Printable(path)));
  return files;
}

// The files of the stages, in order: of several files of one stage the first; of a merged file its parts.
Result<std::map<int64_t, StrategyFile>> ByStage(std::vector<StrategyFile> files) {
  std::map<int64_t, StrategyFile> stages;
  for (StrategyFile& file : files) {
    int64_t stage = 0;
    const bool merged = std::all_of(file.strategy.items.begin(), file.strategy.items.end(),
                                    [&](const auto& item) { return !StageOfName(item.first, stage).empty(); });
    if (!merged) {
      const int64_t own = file.strategy.stage.value_or(0);
      if (own < 0 || own >= kMostStages)
        return Status::Invalid(fmt::format("{}: there is no stage {}", Printable(file.path), own));
      auto [it, added] = stages.try_emplace(own, std::move(file));
      if (!added && it->second.strategy.items != file.strategy.items) {
        return Status::Invalid(fmt::format("{} and {} are both of stage {}, and say different things",
                                           Printable(it->second.path), Printable(file.path), own));
      }
      continue;
    }
    if (files.size() > 1)
      return Status::Invalid(
          fmt::format("{} is a merged strategy, and is not the only file there", Printable(file.path)));
    for (const auto& [name, item] : file.strategy.items) {
      const std::string plain = StageOfName(name, stage);
      if (stage < 0 || stage >= kMostStages)
        return Status::Invalid(fmt::format("{}: there is no stage {}", Printable(file.path), stage));
      stages.try_emplace(stage, StrategyFile{file.path, {stage, {}}}).first->second.strategy.items.emplace(plain, item);
    }
  }
  for (int64_t stage = 0; stage < static_cast<int64_t>(stages.size()); ++stage) {
    if (!stages.contains(stage))
      return Status::Invalid(
          fmt::format("there is a strategy of stage {}, and none of stage {}", stages.rbegin()->first, stage));
  }
  return stages;
}

// The names that meshes use for what the device matrices of most parameters say: the last axis is tensor parallel.
std::vector<std::pair<std::string, int64_t>> NamedMesh(const Shardings& shardings) {
  std::map<std::vector<int64_t>, size_t> meshes;
  size_t most = 0;
  const std::vector<int64_t>* usual = nullptr;
  for (const auto& [name, by_stage] : shardings.tensors()) {
    for (uint32_t index : by_stage) {
      if (index == Shardings::kNone) continue;
      const Sharding& sharding = shardings.sharding(index);
      const bool cut =
          std::any_of(sharding.cuts.begin(), sharding.cuts.end(), [](const auto& c) { return !c.empty(); });
      if (!cut) continue;
      auto it = meshes.try_emplace(sharding.mesh, 0).first;
      if (++it->second > most) {
        most = it->second;
        usual = &it->first;
      }
    }
  }
  const int64_t tp = usual && !usual->empty() ? usual->back() : 1;
  return {{"pp", shardings.stages}, {"dp", shardings.ranks / tp}, {"tp", tp}};
}

}  // namespace

Result<std::shared_ptr<const Shardings>> ReadStrategies(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(auto files, ReadAll(path));
  auto stages = ByStage(std::move(files));
  if (!stages.ok()) return std::move(stages).status().WithContext(Printable(path));
  auto out = std::make_shared<Shardings>();
  out->path = path;
  out->stages = static_cast<int64_t>(stages->size());
  std::string first;
  for (const auto& [stage, file] : *stages) {
    for (const auto& [name, item] : file.strategy.items) {
      const int64_t ranks =
          std::accumulate(item.devices.begin(), item.devices.end(), int64_t{1}, std::multiplies<int64_t>());
      if (item.devices.empty()) continue;  // of no matrix: not cut, however many ranks there are
      if (first.empty()) {
        first = name;
        out->ranks = ranks;
      } else if (ranks != out->ranks) {
        return Status::Invalid(fmt::format("{}: {} is of {} ranks, {} of {}", Printable(file.path), Quote(name), ranks,
                                           Quote(first), out->ranks));
      }
    }
  }
  for (const auto& [stage, file] : *stages) {
    for (const auto& [name, item] : file.strategy.items) {
      Sharding sharding = ShardingOf(item);
      if (item.devices.empty()) sharding.mesh = {out->ranks};
      if (sharding.again > std::max<int64_t>(HoldersOf(item), 1))
        return Status::Invalid(fmt::format("{}: {} is cut by the optimizer into {} parts, and {} ranks hold each block",
                                           Printable(file.path), Quote(name), sharding.again, HoldersOf(item)));
      (void)out->Add(name, stage, sharding);  // once by stage: names of a file are distinct
    }
  }
  if (out->stages * out->ranks > kMostRanks)
    return Status::Invalid(fmt::format("{}: {} stages of {} ranks", Printable(path), out->stages, out->ranks));
  out->Finish();
  out->mesh = NamedMesh(*out);
  return std::shared_ptr<const Shardings>(std::move(out));
}

Strategy StrategyOf(const Shardings& shardings) {
  Strategy out;
  if (shardings.stages == 1) out.stage = 0;
  for (const auto& [name, by_stage] : shardings.tensors()) {
    for (size_t stage = 0; stage < by_stage.size(); ++stage) {
      if (by_stage[stage] == Shardings::kNone) continue;
      const Sharding& sharding = shardings.sharding(by_stage[stage]);
      StrategyItem item;
      item.devices = sharding.mesh;
      item.shape = sharding.seen_as;
      int64_t step =
          1;  // from a rank to the next that holds the same block: over the axes behind the last that do not cut
      std::vector<bool> cutting(item.devices.size());
      for (const auto& cuts : sharding.cuts) {
        std::vector<int64_t>& axis = item.map.emplace_back();
        for (size_t by : cuts) {
          axis.push_back(static_cast<int64_t>(item.devices.size() - 1 - by));
          cutting[by] = true;
        }
      }
      for (size_t i = item.devices.size(); i-- > 0 && (cutting[i] || item.devices[i] == 1);) step *= item.devices[i];
      if (sharding.again > 1) {
        item.shard_step = step;
        item.shard_size = sharding.again == HoldersOf(item) ? -1 : sharding.again;
      }
      out.items.emplace(shardings.stages == 1 ? name : fmt::format("{}-{}", stage, name), std::move(item));
    }
  }
  return out;
}

}  // namespace aoa::formats
