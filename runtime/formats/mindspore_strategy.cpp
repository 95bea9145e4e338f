#include "runtime/formats/mindspore_strategy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "compiler/core/text.h"
#include "runtime/formats/json.h"
#include "runtime/formats/mindspore_strategy.pb.h"
#include "runtime/formats/quote.h"
#include "runtime/io/file.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
namespace pb = mindspore::straspb;
using nlohmann::json;

constexpr uint64_t kLongestStrategy = 256 << 20;
constexpr int64_t kMostRanks = 1 << 24;  // beyond all machines
constexpr int64_t kMostStages = 1 << 16;

Status Wrong(const std::string& name, const std::string& what) {
  return Status::Invalid(fmt::format("parameter {}: {}", Quote(name), what));
}

// That the numbers of an item make sense by themselves.
Status CheckItem(const std::string& name, const StrategyItem& item) {
  int64_t ranks = 1;
  for (int64_t size : item.devices) {
    if (size < 1 || size > kMostRanks / ranks)
      return Wrong(name, fmt::format("no machine has the device matrix {}", ToString(item.devices)));
    ranks *= size;
  }
  std::vector<bool> used(item.devices.size());
  for (const auto& axis : item.map) {
    for (int64_t by : axis) {
      const auto count = static_cast<int64_t>(item.devices.size());
      if (by < 0 || by >= count)
        return Wrong(name, fmt::format("its tensor map names device axis {}, the device matrix has {}", by, count));
      if (used[static_cast<size_t>(by)] && item.devices[static_cast<size_t>(count - 1 - by)] > 1)
        return Wrong(name, fmt::format("two of its axes are cut by device axis {}", by));
      used[static_cast<size_t>(by)] = true;
    }
  }
  if (item.shard_size < -1 || item.shard_size > kMostRanks)
    return Wrong(name, fmt::format("opt_weight_shard_size is {}", item.shard_size));
  if (!item.shape.empty() && item.shape.size() != item.map.size())
    return Wrong(name, fmt::format("its tensor_shape {} and its tensor_map of {} differ in length",
                                   ToString(item.shape), item.map.size()));
  for (int64_t extent : item.shape) {
    if (extent < 0 || extent > int64_t{1} << 40)
      return Wrong(name, fmt::format("no tensor has the shape {}", ToString(item.shape)));
  }
  return Status();
}

// Entries of a tensor map: -1 is no cut.
std::vector<int64_t> Axes(const std::vector<int64_t>& entries) {
  std::vector<int64_t> out;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(out), [](int64_t by) { return by != -1; });
  return out;
}

// ---------------------------------------------------------------- protobuf

Result<StrategyItem> ItemOf(const std::string& name, const pb::ParallelLayouts& layouts) {
  StrategyItem item;
  if (!IsUtf8(name)) return Wrong(name, "its name is not UTF-8");
  if (layouts.dev_matrix_size() > 1) return Wrong(name, "it has several device matrices");
  bool split = layouts.field() != 0;
  for (const auto& shape : layouts.param_split_shape()) split |= shape.dim_size() > 0;
  for (const auto& offset : layouts.indices_offset()) split |= offset.dim_size() > 0;
  if (split) return Wrong(name, "it is split by hand (field, param_split_shape), which is not supported");
  if (layouts.dev_matrix_size() == 1) {
    item.devices.assign(layouts.dev_matrix(0).dim().begin(), layouts.dev_matrix(0).dim().end());
  }
  const auto& maps = layouts.tensor_map();
  if (maps.size() == 1) {
    for (int64_t by : maps[0].dim()) item.map.push_back(Axes({by}));
  } else {
    for (const auto& axis : maps) item.map.push_back(Axes({axis.dim().begin(), axis.dim().end()}));
  }
  item.shard_step = layouts.opt_weight_shard_step();
  item.shard_size = layouts.opt_weight_shard_size();
  AOA_RETURN_IF_ERROR(CheckItem(name, item));
  return item;
}

Result<Strategy> ParseProtobuf(std::string_view text) {
  pb::ParallelStrategyMap map;
  if (!map.ParseFromArray(text.data(), static_cast<int>(text.size())))
    return Status::Invalid("is no strategy file: its protobuf message is broken");
  if (map.parallel_layout_item_size() == 0)
    return Status::Invalid("says of no parameter how it is cut (no parallel_layout_item)");
  Strategy out;
  for (const auto& item : map.parallel_strategy_item()) {
    if (!out.stage) out.stage = item.parallel_strategys().stage();
  }
  for (const auto& layout : map.parallel_layout_item()) {
    AOA_ASSIGN_OR_RETURN(StrategyItem item, ItemOf(layout.param_name(), layout.parallel_layouts()));
    if (!out.items.emplace(layout.param_name(), std::move(item)).second)
      return Wrong(layout.param_name(), "it stands twice");
  }
  return out;
}

// How many blocks each axis is cut into: what an operator's strategy says.
std::vector<int64_t> PartsOf(const StrategyItem& item) {
  std::vector<int64_t> parts;
  for (const auto& axis : item.map) {
    int64_t& count = parts.emplace_back(1);
    for (int64_t by : axis) count *= item.devices[item.devices.size() - 1 - static_cast<size_t>(by)];
  }
  return parts;
}

std::string StageOfName(const std::string& name, int64_t& stage) {
  size_t dash = name.find('-');
  auto [end, error] = std::from_chars(name.data(), name.data() + std::min(dash, name.size()), stage);
  bool merged = dash != std::string::npos && dash > 0 && error == std::errc() && end == name.data() + dash &&
                name.find('-', dash + 1) == std::string::npos;
  return merged ? name.substr(dash + 1) : std::string();
}

// Stage and name of an operator that stands for a parameter; every parameter has one, so that the stage can be read.
std::pair<int64_t, std::string> OperatorOf(const Strategy& strategy, const std::string& name) {
  int64_t stage = strategy.stage.value_or(0);
  std::string plain = strategy.stage ? name : StageOfName(name, stage);
  return {stage, "Parameter_" + (plain.empty() ? name : plain)};
}

std::string WriteProtobuf(const Strategy& strategy) {
  pb::ParallelStrategyMap map;
  map.set_current_stage(1);
  for (const auto& [name, item] : strategy.items) {
    auto [stage, node] = OperatorOf(strategy, name);
    auto* strategy_item = map.add_parallel_strategy_item();
    strategy_item->set_node_name(node);
    strategy_item->mutable_parallel_strategys()->set_stage(static_cast<uint32_t>(stage));
    auto* parts = strategy_item->mutable_parallel_strategys()->add_parallel_strategy();
    for (int64_t count : PartsOf(item)) parts->add_dim(static_cast<uint32_t>(count));
    auto* layout_item = map.add_parallel_layout_item();
    layout_item->set_param_name(name);
    auto* layouts = layout_item->mutable_parallel_layouts();
    auto* devices = layouts->add_dev_matrix();
    for (int64_t size : item.devices) devices->add_dim(static_cast<uint32_t>(size));
    const bool nested = std::any_of(item.map.begin(), item.map.end(), [](const auto& axis) { return axis.size() > 1; });
    pb::TensorMap* entries = nested ? nullptr : layouts->add_tensor_map();
    for (const auto& axis : item.map) {
      if (nested) entries = layouts->add_tensor_map();
      if (axis.empty()) entries->add_dim(-1);
      for (int64_t by : axis) entries->add_dim(static_cast<int32_t>(by));
    }
    layouts->add_param_split_shape();
    layouts->add_indices_offset();
    layouts->set_field(0);
    layouts->set_opt_weight_shard_step(static_cast<int32_t>(item.shard_step));
    layouts->set_opt_weight_shard_size(static_cast<int32_t>(item.shard_size));
  }
  return map.SerializeAsString();
}

// ---------------------------------------------------------------- JSON

std::optional<std::vector<int64_t>> Numbers(const json& object, const char* key) {
  std::vector<int64_t> out;
  auto it = object.find(key);
  if (it == object.end()) return out;
  if (!it->is_array()) return std::nullopt;
  for (const json& number : *it) {
    if (!number.is_number_integer()) return std::nullopt;
    out.push_back(number.get<int64_t>());
  }
  return out;
}

bool IsEmpty(const json& value) {
  return !value.is_array() ||
         std::all_of(value.begin(), value.end(), [](const json& part) { return part.is_array() && IsEmpty(part); });
}

std::optional<int64_t> Number(const json& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end()) return 0;
  return it->is_number_integer() ? std::optional(it->get<int64_t>()) : std::nullopt;
}

Result<StrategyItem> ItemOf(const std::string& name, const json& object) {
  if (!object.is_object()) return Wrong(name, "its layout is no JSON object");
  auto devices = Numbers(object, "dev_matrix"), shape = Numbers(object, "tensor_shape");
  auto step = Number(object, "opt_weight_shard_step"), size = Number(object, "opt_weight_shard_size");
  auto field = Number(object, "field");
  auto map = object.find("tensor_map");
  if (!devices || !shape || !step || !size || !field || map == object.end() || !map->is_array())
    return Wrong(name, "a field of its layout is missing or no number");
  if (*field != 0 || (object.contains("param_split_shape") && !IsEmpty(object["param_split_shape"])) ||
      (object.contains("indices_offset") && !IsEmpty(object["indices_offset"])))
    return Wrong(name, "it is split by hand (field, param_split_shape), which is not supported");
  StrategyItem item;
  for (const json& entry : *map) {
    const json axis = entry.is_array() ? entry : json::array({entry});
    std::vector<int64_t> entries;
    for (const json& by : axis) {
      if (!by.is_number_integer()) return Wrong(name, "its tensor_map holds what is no number");
      entries.push_back(by.get<int64_t>());
    }
    item.map.push_back(Axes(entries));
  }
  item.devices = *std::move(devices);
  item.shape = *std::move(shape);
  item.shard_step = *step;
  item.shard_size = *size;
  AOA_RETURN_IF_ERROR(CheckItem(name, item));
  return item;
}

Result<Strategy> ParseJson(std::string_view text) {
  auto any_value = [](const auto&, JsonKind, const std::string&) { return Status(); };
  AOA_RETURN_IF_ERROR(WalkJsonObject(text, any_value));  // strictly: no key twice
  const json file = json::parse(text, nullptr, false);
  Strategy out;
  auto operators = file.find("parallel_strategy_item"), layouts = file.find("parallel_layout_item");
  if (layouts == file.end() || !layouts->is_object() || layouts->empty())
    return Status::Invalid("says of no parameter how it is cut (no parallel_layout_item)");
  if (operators != file.end() && operators->is_object() && !operators->empty()) {
    const json& first = operators->begin().value();
    if (first.is_object() && first.contains("stage")) out.stage = Number(first, "stage");
    if (!out.stage) return Status::Invalid(fmt::format("operator {} has no stage", Quote(operators->begin().key())));
  }
  for (const auto& [name, layout] : layouts->items()) {
    AOA_ASSIGN_OR_RETURN(StrategyItem item, ItemOf(name, layout));
    out.items.emplace(name, std::move(item));
  }
  return out;
}

std::string WriteJson(const Strategy& strategy) {
  json file = {{"current_stage", 1}, {"parallel_strategy_item", json::object()}};
  for (const auto& [name, item] : strategy.items) {
    auto [stage, node] = OperatorOf(strategy, name);
    file["parallel_strategy_item"][node] = {{"stage", stage}, {"parallel_strategy", json::array({PartsOf(item)})}};
    json map = json::array();
    for (const auto& axis : item.map) {
      if (axis.size() > 1)
        map.push_back(axis);
      else
        map.push_back(axis.empty() ? -1 : axis[0]);
    }
    file["parallel_layout_item"][name] = {{"dev_matrix", item.devices},
                                          {"tensor_map", std::move(map)},
                                          {"tensor_shape", item.shape},
                                          {"field", 0},
                                          {"opt_weight_shard_step", item.shard_step},
                                          {"opt_weight_shard_size", item.shard_size}};
  }
  return file.dump();
}

// ---------------------------------------------------------------- all files of a run

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

Result<Strategy> ParseStrategy(std::string_view text) {
  return text.starts_with("{") ? ParseJson(text) : ParseProtobuf(text);
}

std::string WriteStrategy(const Strategy& strategy, StrategyForm form) {
  return form == StrategyForm::kJson ? WriteJson(strategy) : WriteProtobuf(strategy);
}

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
