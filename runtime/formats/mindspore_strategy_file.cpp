#include "runtime/formats/mindspore_strategy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "compiler/core/text.h"
#include "runtime/formats/json.h"
#include "runtime/formats/mindspore_strategy.pb.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

namespace pb = mindspore::straspb;
using nlohmann::json;

constexpr int64_t kMostRanks = 1 << 24;  // beyond all machines

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

}  // namespace

std::string StageOfName(const std::string& name, int64_t& stage) {
  size_t dash = name.find('-');
  auto [end, error] = std::from_chars(name.data(), name.data() + std::min(dash, name.size()), stage);
  bool merged = dash != std::string::npos && dash > 0 && error == std::errc() && end == name.data() + dash &&
                name.find('-', dash + 1) == std::string::npos;
  return merged ? name.substr(dash + 1) : std::string();
}

Result<Strategy> ParseStrategy(std::string_view text) {
  return text.starts_with("{") ? ParseJson(text) : ParseProtobuf(text);
}

std::string WriteStrategy(const Strategy& strategy, StrategyForm form) {
  return form == StrategyForm::kJson ? WriteJson(strategy) : WriteProtobuf(strategy);
}

}  // namespace aoa::formats
