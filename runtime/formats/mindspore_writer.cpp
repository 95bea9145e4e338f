#include "runtime/formats/mindspore_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <unordered_set>

#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "runtime/formats/mindspore_ckpt.h"
#include "runtime/formats/mindspore_files.h"
#include "runtime/formats/mindspore_run.h"
#include "runtime/formats/mindspore_strategy.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_writer.h"

namespace aoa::formats {
namespace {

constexpr uint64_t kUnifiedPart = uint64_t{3} << 30;  // bytes of tensors in a file, about

// The values of the run that are not tensors of the table.
std::vector<CkptText> RunBeside(const std::vector<TargetTensor>& table, const WriteOptions& options) {
  std::vector<CkptText> out;
  auto* run = dynamic_cast<const MindSporeRun*>(options.preserved.get());
  if (!run) return out;
  std::unordered_set<std::string_view> names;
  for (const TargetTensor& tensor : table) names.insert(tensor.name);
  for (const CkptText& value : run->values) {
    if (!names.contains(value.name)) out.push_back(value);
  }
  return out;
}

Result<TargetFile> LayOutCkptFile(const std::vector<TargetTensor>& table, const WriteOptions& options) {
  AOA_ASSIGN_OR_RETURN(CkptLayout layout, LayOutCkpt(table, RunBeside(table, options)));
  TargetFile file;
  file.size = layout.size;
  file.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(layout.tensors));
  file.inserts = std::make_shared<const std::vector<Insert>>(std::move(layout.inserts));
  return file;
}

// A file with these tensors and values; texts cannot stand in it.
Result<TargetFile> LayOutSafetensors(const std::vector<TargetTensor>& table, std::vector<uint32_t> members,
                                     const std::vector<CkptText>& values) {
  std::vector<TargetTensor> all = table;
  std::vector<const CkptText*> beside;
  for (const CkptText& value : values) {
    auto dtype = CkptTypeNamed(value.type);
    if (!dtype) continue;
    members.push_back(static_cast<uint32_t>(all.size()));
    all.push_back({value.name, *dtype, value.dims, value.content.size()});
    beside.push_back(&value);
  }
  AOA_ASSIGN_OR_RETURN(PlacedTable placed, PlaceTensors(all, members));
  AOA_ASSIGN_OR_RETURN(TargetFile file, MakeFile("", placed, {{"format", "ms"}}));
  if (beside.empty()) return file;
  std::vector<PlacedTensor> tensors;
  std::vector<Insert> inserts;
  for (const PlacedTensor& one : *placed.tensors) {
    if (one.tensor < table.size()) {
      tensors.push_back(one);
      continue;
    }
    const std::string& content = beside[one.tensor - table.size()]->content;
    inserts.push_back({file.data_start + one.offset, std::make_shared<const std::string>(content), content.size()});
  }
  file.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(tensors));
  file.inserts = std::make_shared<const std::vector<Insert>>(std::move(inserts));
  return file;
}

std::vector<uint32_t> AllOf(const std::vector<TargetTensor>& table) {
  std::vector<uint32_t> all(table.size());
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

// ---------------------------------------------------------------- rank folders

Result<TargetLayout> LayOutRanks(const TargetContent& content, const WriteOptions& options, bool safetensors) {
  const std::string prefix = options.prefix.empty() ? "checkpoint_" : options.prefix;
  if (prefix.find_first_of(std::string_view("/\0", 2)) != std::string::npos || prefix.starts_with("."))
    return Status::Invalid(fmt::format("--prefix: no file name begins with {}", Quote(prefix)));
  std::vector<std::optional<TargetFile>> files(content.tables.size());
  TargetLayout layout;
  for (auto [rank, number] : content.ranks) {
    const auto& table = content.tables[number];
    if (!files[number]) {
      auto laid = safetensors ? LayOutSafetensors(table, AllOf(table), RunBeside(table, options))
                              : LayOutCkptFile(table, options);
      if (!laid.ok()) return std::move(laid).status();
      files[number] = *std::move(laid);
    }
    TargetFile& file = layout.files.emplace_back(*files[number]);
    file.path = fmt::format("rank_{}/{}{}.{}", rank, prefix, rank, safetensors ? "safetensors" : "ckpt");
    file.rank = rank;
    file.table = number;
  }
  return layout;
}

// Whether a rank has a piece of each of several parts of an axis, which a strategy cannot say.
bool HasParts(const Shardings& shardings) {
  for (const auto& [name, by_stage] : shardings.tensors()) {
    for (uint32_t index : by_stage) {
      if (index != Shardings::kNone && !shardings.sharding(index).parts.empty()) return true;
    }
  }
  return false;
}

// The strategy of a target that is cut by the types of its side, for those who read it.
void AddStrategy(const TargetContent& content, TargetLayout& layout) {
  if (!content.shardings || content.layout_given || HasParts(*content.shardings)) return;
  const Strategy strategy = StrategyOf(*content.shardings);
  const char* name = content.shardings->stages > 1 ? "merged_ckpt_strategy" : "ckpt_strategy_rank_0";
  layout.extras.push_back({fmt::format("strategy/{}.ckpt", name), WriteStrategy(strategy, StrategyForm::kProtobuf)});
}

// ---------------------------------------------------------------- unified

std::string PartName(size_t part) { return fmt::format("part{}.safetensors", part); }

Result<TargetLayout> LayOutUnified(const TargetContent& content, const WriteOptions& options) {
  if (content.has_mesh) return Status::Invalid("the variant `unified` holds whole tensors and has no files for ranks");
  AOA_CHECK(content.ranks.size() == 1, "several ranks without a mesh");
  const auto [rank, number] = content.ranks.front();
  const auto& table = content.tables[number];
  std::vector<std::vector<uint32_t>> parts(1);
  nlohmann::ordered_json map = {{"metadata", {{"total_size", 0}}}, {"weight_map", nlohmann::ordered_json::object()}};
  uint64_t bytes = 0, total = 0;
  for (uint32_t i = 0; i < table.size(); ++i) {
    if (bytes > 0 && bytes + table[i].bytes > kUnifiedPart) {
      parts.emplace_back();
      bytes = 0;
    }
    parts.back().push_back(i);
    bytes += table[i].bytes;
    total += table[i].bytes;
    map["weight_map"][table[i].name] = PartName(parts.size() - 1);
  }
  map["metadata"]["total_size"] = total;
  TargetLayout layout;
  for (size_t part = 0; part < parts.size(); ++part) {
    AOA_ASSIGN_OR_RETURN(TargetFile file, LayOutSafetensors(table, parts[part], {}));
    file.path = PartName(part);
    file.rank = rank;
    file.table = number;
    layout.files.push_back(std::move(file));
  }
  layout.extras.push_back({kParamNameMap, map.dump(4)});
  const std::vector<CkptText> run = RunBeside(table, options);
  if (!run.empty()) {
    AOA_ASSIGN_OR_RETURN(TargetFile file, LayOutSafetensors({}, {}, run));
    std::string text;
    for (const auto& part : file.head) text += *part;
    if (file.inserts) {
      for (const Insert& insert : *file.inserts) text += *insert.content;
    }
    layout.extras.push_back({kHyperParam, std::move(text)});
  }
  return layout;
}

}  // namespace

Result<TargetLayout> LayOutMindSpore(const TargetContent& content, const WriteOptions& options) {
  if (options.variant == "unified") return LayOutUnified(content, options);
  AOA_ASSIGN_OR_RETURN(TargetLayout layout, LayOutRanks(content, options, options.variant == "safetensors"));
  AddStrategy(content, layout);
  return layout;
}

}  // namespace aoa::formats
