#include "runtime/formats/deepspeed_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <utility>

#include "compiler/core/check.h"
#include "runtime/formats/deepspeed_files.h"
#include "runtime/formats/deepspeed_partition.h"
#include "runtime/formats/deepspeed_state.h"
#include "runtime/formats/deepspeed_target.h"
#include "runtime/formats/deepspeed_values.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_json.h"
#include "runtime/formats/torch_target_object.h"

namespace aoa::formats {
namespace {

using pickle::Value;

constexpr std::string_view kTied = "tied_modules.";
constexpr int64_t kSubGroup = 1'000'000'000;  // DeepSpeed's default

// The item of a pipeline in a tensor's name, and the rest of the name.
struct ItemKey {
  int64_t item = 0;
  bool tied = false;  // the item is the one before all numbered ones
  std::string key;
};

std::optional<ItemKey> SplitItem(const std::string& name) {
  ItemKey out;
  if (name.starts_with(kTied)) {
    const size_t end = name.find('.', kTied.size());
    if (end == std::string::npos || end + 1 == name.size()) return std::nullopt;
    out.tied = true;
    out.key = name.substr(end + 1);
    return out;
  }
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.item);
  const auto at = static_cast<size_t>(end - name.data());
  if (error != std::errc() || out.item < 0 || at + 1 >= name.size() || name[at] != '.') return std::nullopt;
  out.key = name.substr(at + 1);
  return out;
}

class Writer {
 public:
  Writer(const TargetContent& content, const WriteOptions& options, DeepSpeedMesh mesh,
         std::vector<DeepSpeedRank> tables)
      : content_(content),
        options_(options),
        mesh_(mesh),
        tables_(std::move(tables)),
        stage_(options.variant == "zero2"   ? 2
               : options.variant == "zero3" ? 3
               : options.variant == "mp"    ? 0
                                            : 1),
        state_(dynamic_cast<const DeepSpeedKept*>(options.preserved.get()), options, mesh, stage_,
               tables_.empty() ? DType::kF32 : tables_[0].dtype) {}

  Result<TargetLayout> Write() {
    layout_.extras = state_.scripts();
    if (options_.variant == "universal") {
      AOA_RETURN_IF_ERROR(Universal());
      return std::move(layout_);
    }
    for (auto [rank, number] : content_.ranks) {
      const auto place = mesh_.PlaceOf(content_.axes, rank);
      rank_ = rank;
      number_ = number;
      if (stage_ == 3 || place.d == 0) AOA_RETURN_IF_ERROR(ModelStates(place));
      if (options_.variant == "pipeline" && place.d == 0) AOA_RETURN_IF_ERROR(Layers(place));
      if (stage_ > 0 && (stage_ == 3 || ranked().states)) AOA_RETURN_IF_ERROR(OptimizerStates(place));
      if (options_.variant == "mp" && ranked().states)
        return Status::Usage(
            "variant mp has no place for optimizer states: leave --states out, or take another variant");
    }
    layout_.extras.push_back({"latest", state_.tag()});
    if (options_.variant == "pipeline") {
      const int64_t iteration = StepsInTag(state_.tag()).value_or(state_.steps());
      layout_.extras.push_back({"latest_checkpointed_iteration.txt", std::to_string(iteration)});
    }
    return std::move(layout_);
  }

 private:
  const std::vector<TargetTensor>& table() const { return content_.tables[number_]; }
  const DeepSpeedRank& ranked() const { return tables_[number_]; }

  std::string PathOf(const DeepSpeedName& name) const { return state_.tag() + "/" + SpellDeepSpeedName(name); }

  Status Add(TorchTargetObject& file, const std::string& path, const Value* object) {
    auto made = file.End(path, *object, rank_, number_);
    if (!made.ok()) return std::move(made).status();
    layout_.files.push_back(*std::move(made));
    return Status();
  }

  // ---------------------------------------------------------------- model states

  // ZeRO-3 cuts groups into sub-groups, which have lists of their own.
  std::vector<std::vector<DeepSpeedWeight>> Lists() const {
    if (stage_ != 3) return ranked().groups;
    std::vector<std::vector<DeepSpeedWeight>> out;
    for (const auto& group : ranked().groups) {
      size_t at = 0;
      for (size_t count : SubGroups(ItemsOf(group), mesh_.dp, SubGroupSize())) {
        out.emplace_back(group.begin() + static_cast<ptrdiff_t>(at),
                         group.begin() + static_cast<ptrdiff_t>(at + count));
        at += count;
      }
    }
    return out;
  }

  int64_t SubGroupSize() const {
    const auto& zero = state_.config().at("zero_optimization");
    auto it = zero.find("sub_group_size");
    if (it == zero.end() || !it->is_number()) return kSubGroup;
    const double size = it->get<double>();
    return size >= 1 && size < 1e15 ? static_cast<int64_t>(size) : kSubGroup;
  }

  std::vector<ZeroItem> ItemsOf(const std::vector<DeepSpeedWeight>& weights) const {
    std::vector<ZeroItem> items;
    for (const DeepSpeedWeight& w : weights) items.push_back({ElementCount(table()[w.weight].shape), 0});
    return items;
  }

  const Value* Shapes(pickle::Tree& tree) const {
    std::vector<const Value*> lists;
    for (const auto& list : Lists()) {
      Value* shapes = tree.Call("collections OrderedDict", {});
      for (const DeepSpeedWeight& weight : list) {
        std::vector<const Value*> extents;
        for (int64_t extent : table()[weight.weight].shape) extents.push_back(tree.Int(extent));
        tree.Set(shapes, table()[weight.weight].name, tree.Call("torch Size", {tree.Tuple(std::move(extents))}));
      }
      lists.push_back(shapes);
    }
    return tree.List(std::move(lists));
  }

  const Value* Shared(pickle::Tree& tree) const {
    Value* shared = tree.Dict();
    for (const auto& [copy, original] : ranked().aliases) tree.Set(shared, table()[copy].name, tree.Text(original));
    return shared;
  }

  // The weights by name: ZeRO-3 has placeholders of no elements.
  const Value* Module(TorchTargetObject& file, bool third) const {
    Value* weights = file.tree().Call("collections OrderedDict", {});
    for (uint32_t i = 0; i < table().size(); ++i) {
      if (!table()[i].role.empty()) continue;
      file.tree().Set(weights, table()[i].name, third ? file.Placeholder(table()[i].dtype) : file.Whole(i));
    }
    return weights;
  }

  Status ModelStates(const DeepSpeedMesh::Place& place) {
    TorchTargetObject file(table());
    const bool pipeline = options_.variant == "pipeline";
    const Value* module = pipeline ? file.tree().None() : Module(file, stage_ == 3);
    DeepSpeedName name{DeepSpeedName::Kind::kModel, {}, mesh_.ModelRank(place), 0, ""};
    if (stage_ == 3) name.data = place.d;
    AOA_ASSIGN_OR_RETURN(const Value* object, stage_ == 0 ? state_.Plain(module, file.tree())
                                                          : state_.Model(module, Shapes(file.tree()),
                                                                         Shared(file.tree()), pipeline, file.tree()));
    return Add(file, PathOf(name), object);
  }

  // ---------------------------------------------------------------- layers of a pipeline

  Status Layers(const DeepSpeedMesh::Place& place) {
    std::map<int64_t, std::vector<std::pair<uint32_t, std::string>>> items;
    std::vector<std::pair<uint32_t, std::string>> tied;
    for (uint32_t i = 0; i < table().size(); ++i) {
      if (!table()[i].role.empty()) continue;
      auto split = SplitItem(table()[i].name);
      if (!split) {
        return Status::Usage(fmt::format("a pipeline's tensors are called ITEM.KEY or tied_modules.NAME.KEY, not {}",
                                         Quote(table()[i].name)));
      }
      (split->tied ? tied : items[split->item]).emplace_back(i, split->key);
    }
    if (!tied.empty() && place.p == 0) {  // it is stored with its first use, in front of all other items
      const int64_t item = items.empty() ? 1 : items.begin()->first - 1;
      if (item < 0) return Status::Usage("there is no item in front of item 0 for the tied modules");
      items[item] = std::move(tied);
    }
    for (const auto& [item, members] : items) {
      TorchTargetObject file(table());
      Value* weights = file.tree().Call("collections OrderedDict", {});
      for (const auto& [member, key] : members) file.tree().Set(weights, key, file.Whole(member));
      AOA_RETURN_IF_ERROR(Add(file, PathOf({DeepSpeedName::Kind::kLayer, {}, place.t, item, ""}), weights));
    }
    return Status();
  }

  // ---------------------------------------------------------------- optimizer states

  // A state of a list of parameters, flattened: the rank's windows of it.
  const Value* FlatState(TorchTargetObject& file, const std::vector<DeepSpeedWeight>& list,
                         const ZeroPartition& partition, int64_t rank, int64_t length, const std::string& key) const {
    std::vector<TorchTargetObject::Window> windows;
    DType dtype = DType::kF32;
    for (const ZeroWindow& w : partition.ranks[static_cast<size_t>(rank)]) {
      const uint32_t member = MemberOf(list[w.item], key);
      dtype = table()[member].dtype;
      windows.push_back({member, w.first, w.count, w.at});
    }
    return file.Flat(dtype, length, windows);
  }

  static uint32_t MemberOf(const DeepSpeedWeight& weight, const std::string& key) {
    if (key.empty()) return *weight.master;
    auto it = std::find_if(weight.moments.begin(), weight.moments.end(), [&](const auto& m) { return m.first == key; });
    AOA_CHECK(it != weight.moments.end(), "weights with different states in one group");
    return it->second;
  }

  Status OptimizerStates(const DeepSpeedMesh::Place& place) {
    const auto lists = Lists();
    TorchTargetObject file(table());
    pickle::Tree& tree = file.tree();
    Value* states = tree.Dict();
    std::vector<const Value*> masters, paddings, counts;
    int64_t number = 0;
    for (const auto& list : lists) {
      if (!list[0].master) {
        return Status::Usage(
            fmt::format("variant {} stores weights as the optimizer's fp32 weights, and the source has none for {}: "
                        "convert with --states from a checkpoint that has them",
                        options_.variant, Quote(table()[list[0].weight].name)));
      }
      const auto items = ItemsOf(list);
      const ZeroPartition partition = stage_ == 3 ? PartitionEach(items, mesh_.dp) : PartitionFlat(items, mesh_.dp);
      const int64_t padding = stage_ == 3 ? 0 : partition.Padding(place.d);
      Value* state = tree.Dict();
      if (list[0].step) tree.Set(state, "step", file.Scalar(*list[0].step));
      for (const auto& [key, member] : list[0].moments)
        tree.Set(state, key, FlatState(file, list, partition, place.d, partition.part, key));
      states->entries.insert(states->entries.end(), {tree.Int(number++), state});
      masters.push_back(FlatState(file, list, partition, place.d, partition.part - padding, ""));
      paddings.push_back(tree.Int(padding));
      counts.push_back(tree.Int(mesh_.dp));
    }
    AOA_ASSIGN_OR_RETURN(const Value* groups, state_.Groups(ranked().like, Numbers(), tree));
    Value* base = tree.Dict();
    tree.Set(base, "state", states);
    tree.Set(base, "param_groups", groups);
    AOA_ASSIGN_OR_RETURN(Value * inner, Common(tree));
    if (stage_ == 3) {
      tree.Set(inner, "partition_count", tree.Int(mesh_.dp));
      tree.Set(inner, "optimizer_state_dict", base);
      tree.Set(inner, "fp32_flat_groups", tree.List(std::move(masters)));
    } else {
      tree.Set(inner, "base_optimizer_state", base);
      tree.Set(inner, "single_partition_of_fp32_groups", tree.List(std::move(masters)));
      tree.Set(inner, "group_paddings", tree.List(std::move(paddings)));
      tree.Set(inner, "partition_count", tree.List(std::move(counts)));
      tree.Set(inner, "ds_version", tree.Text(state_.version()));
    }
    Value* object = tree.Dict();
    tree.Set(object, "optimizer_state_dict", inner);
    tree.Set(object, "ds_config", ValueOf(state_.config(), tree));
    tree.Set(object, "ds_version", tree.Text(state_.version()));
    const char* prefix = ranked().dtype == DType::kBF16 ? "bf16_" : "";
    return Add(file, PathOf({DeepSpeedName::Kind::kOptimizer, place.d, mesh_.ModelRank(place), 0, prefix}), object);
  }

  // The inner optimizer's numbers for the flat parameters of each group.
  std::vector<std::vector<int64_t>> Numbers() const {
    std::vector<std::vector<int64_t>> out;
    int64_t number = 0;
    for (const auto& group : ranked().groups) {
      const size_t lists = stage_ == 3 ? SubGroups(ItemsOf(group), mesh_.dp, SubGroupSize()).size() : 1;
      auto& numbers = out.emplace_back();
      for (size_t i = 0; i < lists; ++i) numbers.push_back(number++);
    }
    return out;
  }

  Result<Value*> Common(pickle::Tree& tree) const {
    Value* out = tree.Dict();
    AOA_ASSIGN_OR_RETURN(const Value* scaler, state_.Optimizer("loss_scaler", nullptr, tree));
    if (scaler) tree.Set(out, "loss_scaler", scaler);
    // ZeRO-3 does not store the norm to clip at. An engine follows a wrong one, and keeps its own without one.
    const auto norm = state_.config().find("gradient_clipping");
    const bool known = norm != state_.config().end() && norm->is_number();
    for (auto [key, otherwise] :
         {std::pair("dynamic_loss_scale", tree.Bool(ranked().dtype == DType::kF16)),
          std::pair("overflow", tree.Bool(false)),
          std::pair("clip_grad", known ? tree.Float(norm->get<double>()) : static_cast<Value*>(nullptr))}) {
      AOA_ASSIGN_OR_RETURN(const Value* value, state_.Optimizer(key, otherwise, tree));
      if (value) tree.Set(out, key, value);
    }
    tree.Set(out, "zero_stage", tree.Int(stage_));
    return out;
  }

  // ---------------------------------------------------------------- universal

  Status Universal() {
    if (mesh_.pp * mesh_.tp * mesh_.dp != 1)
      return Status::Usage(
          fmt::format("a universal checkpoint holds whole tensors: write it without a mesh, not {}", content_.mesh));
    if (content_.ranks.empty()) return Status();
    rank_ = content_.ranks[0].first;
    number_ = content_.ranks[0].second;
    const std::string folder = fmt::format("{}{}/", state_.tag(), kUniversalEnd);
    AOA_RETURN_IF_ERROR(UniversalModel(folder, false));
    AOA_RETURN_IF_ERROR(UniversalModel(folder, true));
    for (const auto& group : ranked().groups) {
      for (const DeepSpeedWeight& weight : group) AOA_RETURN_IF_ERROR(Parameter(folder, weight));
    }
    AOA_RETURN_IF_ERROR(UniversalOptimizer(folder));
    layout_.extras.push_back({"latest_universal", state_.tag() + std::string(kUniversalEnd)});
    return Status();
  }

  // Under the name that engines of stages 1 and 2 look for, or the one that those of ZeRO-3 do, with placeholders.
  Status UniversalModel(const std::string& folder, bool third) {
    TorchTargetObject file(table());
    AOA_ASSIGN_OR_RETURN(const Value* object, state_.Model(Module(file, third), Shapes(file.tree()),
                                                           Shared(file.tree()), false, file.tree()));
    DeepSpeedName name;
    if (third) name.data = 0;
    return Add(file, folder + SpellDeepSpeedName(name), object);
  }

  // Stages 1 and 2 load nothing without `ds_version`. ZeRO-3 takes the step from the first state of the inner
  // optimizer, and all hyperparameters from its first group.
  Status UniversalOptimizer(const std::string& folder) {
    TorchTargetObject file(table());
    pickle::Tree& tree = file.tree();
    AOA_ASSIGN_OR_RETURN(Value * state, Common(tree));
    AOA_ASSIGN_OR_RETURN(const Value* groups, state_.Groups(ranked().like, Numbers(), tree));
    std::vector<const Value*> paddings, counts;
    Value* states = tree.Dict();
    for (size_t g = 0; g < ranked().groups.size(); ++g) {
      paddings.push_back(tree.Int(0));
      counts.push_back(tree.Int(1));
      Value* first = tree.Dict();
      if (const auto& step = ranked().groups[g][0].step) tree.Set(first, "step", file.Scalar(*step));
      states->entries.insert(states->entries.end(), {tree.Int(static_cast<int64_t>(g)), first});
    }
    Value* inner = tree.Dict();
    tree.Set(inner, "state", states);
    tree.Set(inner, "param_groups", groups);
    tree.Set(state, "optimizer_state_dict", inner);
    tree.Set(state, "param_groups", groups);
    tree.Set(state, "group_paddings", tree.List(std::move(paddings)));
    tree.Set(state, "partition_count", tree.List(std::move(counts)));
    tree.Set(state, "ds_version", tree.Text(state_.version()));
    return Add(file, fmt::format("{}zero/{}", folder, kUniversalOptimizer), state);
  }

  Status Parameter(const std::string& folder, const DeepSpeedWeight& weight) {
    const std::string& name = table()[weight.weight].name;
    if (name.find('/') != std::string::npos || name == "." || name == "..")
      return Status::Usage(fmt::format("{} can be no name of a folder, as universal checkpoints need", Quote(name)));
    if (!weight.master) {
      return Status::Usage(
          fmt::format("a universal checkpoint holds fp32 weights, and the source has none for {}: convert "
                      "with --states from a checkpoint that has them",
                      Quote(name)));
    }
    std::vector<std::pair<std::string, uint32_t>> states = {{"fp32", *weight.master}};
    states.insert(states.end(), weight.moments.begin(), weight.moments.end());
    for (const auto& [key, member] : states) {
      TorchTargetObject file(table());
      Value* object = file.tree().Dict();
      file.tree().Set(object, "cat_dim", file.tree().Int(0));
      file.tree().Set(object, "param", file.Whole(member));
      AOA_RETURN_IF_ERROR(Add(file, folder + "zero/" + name + "/" + key + ".pt", object));
    }
    if (!weight.step) return Status();
    TorchTargetObject file(table());
    const Value* step = file.Scalar(*weight.step);
    return Add(file, folder + "zero/" + name + "/step.pt", step);
  }

  const TargetContent& content_;
  const WriteOptions& options_;
  DeepSpeedMesh mesh_;
  std::vector<DeepSpeedRank> tables_;  // like the content's
  int64_t stage_;
  DeepSpeedState state_;
  TargetLayout layout_;
  int64_t rank_ = 0;     // that is being written
  uint32_t number_ = 0;  // of its table
};

}  // namespace

Result<TargetLayout> LayOutDeepSpeed(const TargetContent& content, const WriteOptions& options) {
  AOA_ASSIGN_OR_RETURN(DeepSpeedMesh mesh, MeshOf(content.axes));
  if (mesh.pp > 1 && options.variant != "pipeline")
    return Status::Usage(fmt::format("variant {} has no pipeline stages (pp = {})", options.variant, mesh.pp));
  std::vector<DeepSpeedRank> tables;
  const auto* kept = dynamic_cast<const DeepSpeedKept*>(options.preserved.get());
  for (const auto& table : content.tables) {
    AOA_ASSIGN_OR_RETURN(DeepSpeedRank ranked,
                         SortTable(table, kept ? kept->groups : std::vector<std::vector<std::string>>()));
    tables.push_back(std::move(ranked));
  }
  return Writer(content, options, mesh, std::move(tables)).Write();
}

}  // namespace aoa::formats
