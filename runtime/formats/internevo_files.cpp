#include "runtime/formats/internevo_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostRanks = 1 << 16;  // on every axis: products stay far from 63 bits
constexpr size_t kMostNamed = 8;

using Coordinates = std::map<std::string, int64_t, std::less<>>;

// The numbers of a name like START_tp0_pp1.pt, whose axes stand in this order.
std::optional<Coordinates> ParseName(std::string_view name, std::string_view start, std::string_view between,
                                     const std::vector<std::string_view>& axes) {
  if (!name.starts_with(start)) return std::nullopt;
  name.remove_prefix(start.size());
  Coordinates out;
  for (std::string_view axis : axes) {
    if (!name.starts_with("_")) return std::nullopt;
    name.remove_prefix(1);
    if (!name.starts_with(axis) || !name.substr(axis.size()).starts_with(between)) return std::nullopt;
    name.remove_prefix(axis.size() + between.size());
    int64_t number = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || number < 0 || number >= kMostRanks) return std::nullopt;
    name.remove_prefix(static_cast<size_t>(end - name.data()));
    out.emplace(axis, number);
  }
  return name == ".pt" ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::pair<std::string, Coordinates>> ParseModel(std::string_view name) {
  if (auto found = ParseName(name, "model", "", {"tp", "pp"})) return std::pair("tp", *std::move(found));
  if (auto found = ParseName(name, "model", "", {"tp", "wp", "pp"})) return std::pair("tp_wp", *std::move(found));
  if (auto found = ParseName(name, "model", "", {"wp", "pp"})) return std::pair("wp", *std::move(found));
  return std::nullopt;
}

std::optional<Coordinates> ParseOptimizer(std::string_view name, const std::string& variant) {
  if (variant == "tp") return ParseName(name, "optimizer", "", {"tp", "pp", "zo"});
  if (variant == "tp_wp") return ParseName(name, "optimizer", "", {"tp", "wp", "pp", "dp"});
  return ParseName(name, "optimizer", "", {"wp", "pp", "zo"});
}

// The name of a plan: its start has the number of all ranks.
std::optional<Coordinates> ParsePlan(std::string_view name) {
  const size_t start = std::min(name.find('_'), name.size());
  if (!name.starts_with("gpus-")) return std::nullopt;
  return ParseName(name, name.substr(0, start), "-", {"wp", "tp", "dp", "pp", "zo"});
}

bool IsAround(const std::string& name) {
  return name == "context.pt" || name == "schedulder.pt" || name == "model_config.pt" || name == "config_file.pt" ||
         (name.starts_with("sampler") && name.ends_with(".pt")) || name.ends_with(".step");
}

class Finder {
 public:
  explicit Finder(const std::string& folder) : folder_(folder) {}

  Result<InternEvoFiles> Find() {
    AOA_ASSIGN_OR_RETURN(auto names, io::ListFolder(folder_));
    names_.insert(names.begin(), names.end());
    for (const std::string& name : names_) {
      auto model = ParseModel(name);
      if (model && !variant_.empty() && model->first != variant_)
        return Broken("it holds weights under names of two kinds: files of two runs in one folder");
      if (model) variant_ = model->first;
      if (model) Raise(model->second);
      if (name.starts_with("model_moe_")) return Broken(fmt::format("{} is of an expert: experts are not read", name));
      if (IsAround(name)) out_.around.push_back(name);
    }
    if (variant_.empty()) return Broken("it holds no file `model_*.pt` of InternEvo");
    for (const std::string& name : names_) {
      if (auto plan = ParsePlan(name)) Raise(*plan);
      auto optimizer = ParseOptimizer(name, variant_);
      if (!optimizer) continue;
      Raise(*optimizer);
      out_.optimizer = true;
    }
    AOA_RETURN_IF_ERROR(SetMesh());
    AOA_RETURN_IF_ERROR(CheckComplete());
    return std::move(out_);
  }

 private:
  Status Broken(const std::string& what) const { return Status::Invalid(Printable(folder_) + ": " + what); }

  void Raise(const Coordinates& found) {
    for (const auto& [axis, at] : found) sizes_[axis] = std::max(sizes_[axis], at + 1);
  }

  int64_t Size(std::string_view axis) const {
    auto it = sizes_.find(axis);
    return it == sizes_.end() ? 1 : it->second;
  }

  // Not every name has every axis: the number of data ranks is at least what the others need.
  Status SetMesh() {
    InternEvoMesh& mesh = out_.mesh;
    mesh.variant = variant_;
    mesh.pp = Size("pp");
    mesh.tp = Size("tp");
    mesh.wp = mesh.weight_parallel() ? Size("wp") : 1;
    mesh.zo = Size("zo");
    const int64_t least = mesh.stride() * mesh.zo;
    mesh.dp = std::max(Size("dp"), (least + mesh.tp - 1) / mesh.tp);
    if (mesh.stage_ranks() % least != 0) {
      return Broken(fmt::format("the names of its files say dp = {}, tp = {}, wp = {} and zo = {}, which is no mesh",
                                mesh.dp, mesh.tp, mesh.wp, mesh.zo));
    }
    return Status();
  }

  Status CheckComplete() const {
    const InternEvoMesh& mesh = out_.mesh;
    std::vector<std::string> missing;
    auto look = [&](const std::string& name) {
      if (!names_.contains(name) && std::find(missing.begin(), missing.end(), name) == missing.end())
        missing.push_back(name);
    };
    for (int64_t p = 0; p < mesh.pp && missing.size() <= kMostNamed; ++p) {
      for (int64_t r = 0; r < mesh.model_ranks() && missing.size() <= kMostNamed; ++r) look(mesh.ModelName(p, r));
      for (int64_t r = 0; out_.optimizer && r < mesh.optimizer_ranks() && missing.size() <= kMostNamed; ++r)
        look(mesh.OptimizerName(p, r));
    }
    if (missing.empty()) return Status();
    std::string list;
    for (size_t i = 0; i < missing.size() && i < kMostNamed; ++i) list += (i ? ", " : "") + Quote(missing[i]);
    return Broken(fmt::format("missing: {}{}", list, missing.size() > kMostNamed ? " and more" : ""));
  }

  const std::string& folder_;
  std::set<std::string> names_;
  std::string variant_;
  std::map<std::string, int64_t, std::less<>> sizes_;
  InternEvoFiles out_;
};

}  // namespace

int64_t InternEvoMesh::model_ranks() const {
  if (variant == "tp") return tp;
  return variant == "wp" ? wp : std::min(std::lcm(tp, wp), stage_ranks());
}

std::string InternEvoMesh::ModelName(int64_t p, int64_t r) const {
  if (variant == "tp") return fmt::format("model_tp{}_pp{}.pt", r % tp, p);
  if (variant == "wp") return fmt::format("model_wp{}_pp{}.pt", r % wp, p);
  return fmt::format("model_tp{}_wp{}_pp{}.pt", r % tp, r % wp, p);
}

std::string InternEvoMesh::TopologyName(int64_t p, int64_t r) const {
  const std::string model = ModelName(p, r);
  return "topo" + model.substr(model.find('_'), model.rfind('.') - model.find('_')) + ".json";
}

std::string InternEvoMesh::OptimizerName(int64_t p, int64_t r) const {
  if (variant == "tp") return fmt::format("optimizer_tp{}_pp{}_zo{}.pt", r % tp, p, r / tp % zo);
  if (variant == "wp") return fmt::format("optimizer_wp{}_pp{}_zo{}.pt", r % wp, p, r / wp % zo);
  return fmt::format("optimizer_tp{}_wp{}_pp{}_dp{}.pt", r % tp, r % wp, p, r / tp);
}

std::string InternEvoMesh::PlanName(int64_t p, int64_t r) const {
  return fmt::format("gpus-{}_wp-{}_tp-{}_dp-{}_pp-{}_zo-{}.pt", pp * stage_ranks(), weight_parallel() ? r % wp : 0,
                     r % tp, r / tp, p, r / stride() % zo);
}

Result<InternEvoFiles> FindInternEvoFiles(const std::string& folder) { return Finder(folder).Find(); }

bool LooksLikeInternEvo(const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return false;
  auto names = io::ListFolder(folder);
  return names.ok() &&
         std::any_of(names->begin(), names->end(), [](const auto& name) { return ParseModel(name).has_value(); });
}

}  // namespace aoa::formats
