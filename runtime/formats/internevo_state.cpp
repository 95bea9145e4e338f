#include "runtime/formats/internevo_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "compiler/core/check.h"
#include "runtime/formats/torch_copy.h"
#include "runtime/formats/torch_dtype.h"
#include "runtime/formats/torch_json.h"
#include "runtime/formats/torch_surroundings.h"
#include "runtime/formats/torch_walk.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {
namespace {

using pickle::Tree;
using pickle::Value;

constexpr std::string_view kSampler = "sampler.pt", kConfigFile = "config_file.pt";
constexpr double kLearningRate = 1e-4;
constexpr uint32_t kSeed = 1024;  // of the data

// A file's value with what belongs to it.
struct Draft {
  Tree tree;
  TorchStorages storages{TorchFile::Container::kZip, tree};
  Value* root = tree.Dict();
};

bool IsListOfRates(std::string_view key) { return key == "base_lrs" || key == "_last_lr"; }

// A dictionary with its lists of learning rates, one for each group of parameters, brought to this length.
const Value* WithRates(const Value& value, size_t groups, Tree& tree) {
  Value* out = tree.Dict();
  for (size_t i = 0; i + 1 < value.entries.size(); i += 2) {
    const Value *key = value.entries[i], *item = value.entries[i + 1];
    if (item->Is(Value::Kind::kDict)) {
      item = WithRates(*item, groups, tree);
    } else if (item->Is(Value::Kind::kList) && !item->items.empty() && key->Is(Value::Kind::kText) &&
               IsListOfRates(key->text)) {
      std::vector<const Value*> rates = item->items;
      rates.resize(groups, rates.back());
      item = tree.List(std::move(rates));
    }
    out->entries.insert(out->entries.end(), {key, item});
  }
  return out;
}

const Value* Rates(size_t groups, Tree& tree) {
  return tree.List(std::vector<const Value*>(groups, tree.Float(kLearningRate)));
}

// numpy.random.RandomState(seed).get_state(): the generator MT19937 before its first number.
const Value* RandomState(uint32_t seed, Tree& tree) {
  constexpr uint32_t kWords = 624;
  static_assert(std::endian::native == std::endian::little);
  std::string words(kWords * sizeof(uint32_t), '\0');
  for (uint32_t i = 0; i < kWords; ++i) {
    std::memcpy(words.data() + i * sizeof(seed), &seed, sizeof(seed));
    seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
  }
  auto bytes = [&](std::string text) {
    Value* value = tree.New(Value::Kind::kBytes);
    value->text = std::move(text);
    return value;
  };
  Value* type = tree.Call("numpy dtype", {tree.Text("u4"), tree.Bool(false), tree.Bool(true)});
  const Value* none = tree.None();
  type->state = tree.Tuple({tree.Int(3), tree.Text("<"), none, none, none, tree.Int(-1), tree.Int(-1), tree.Int(0)});
  Value* array = tree.Call("numpy.core.multiarray _reconstruct",
                           {tree.Global("numpy ndarray"), tree.Tuple({tree.Int(0)}), bytes("b")});
  array->state =
      tree.Tuple({tree.Int(1), tree.Tuple({tree.Int(kWords)}), type, tree.Bool(false), bytes(std::move(words))});
  return tree.Tuple({tree.Text("MT19937"), array, tree.Int(kWords), tree.Int(0), tree.Float(0)});
}

}  // namespace

Result<ExtraFile> MakeTorchFile(const std::string& name, const Value& value, const TorchStorages& storages) {
  AOA_ASSIGN_OR_RETURN(TorchLayout layout, LayOutTorch(name, value, storages));
  ExtraFile file{name, std::string(layout.size, '\0')};
  AOA_CHECK(layout.checksums.empty(), "a small file with storages whose bytes come later");
  for (const Insert& insert : layout.inserts) {
    if (insert.content) file.content.replace(insert.offset, insert.content->size(), *insert.content);
  }
  return file;
}

InternEvoState::InternEvoState(const InternEvoMesh& mesh, DType dtype, const WriteOptions& options)
    : mesh_(mesh),
      dtype_(dtype),
      config_(options.config),
      kept_(dynamic_cast<const InternEvoKept*>(options.preserved.get())),
      steps_(std::max<int64_t>(options.iteration.value_or(0), 0)) {}

const ExtraFile* InternEvoState::Kept(std::string_view name) const {
  if (!kept_) return nullptr;
  auto it =
      std::find_if(kept_->around.begin(), kept_->around.end(), [&](const auto& file) { return file.path == name; });
  return it == kept_->around.end() ? nullptr : &*it;
}

Result<std::vector<ExtraFile>> InternEvoState::Files() const {
  std::vector<ExtraFile> out;
  for (auto make : {&InternEvoState::Configuration, &InternEvoState::Context, &InternEvoState::Scheduler,
                    &InternEvoState::Sampler}) {
    AOA_ASSIGN_OR_RETURN(out.emplace_back(), (this->*make)());
  }
  if (const ExtraFile* file = Kept(kConfigFile); file && kept_->mesh == mesh_) out.push_back(*file);
  for (size_t i = 0; kept_ && kept_->mesh.dp == mesh_.dp && i < kept_->around.size(); ++i) {  // of single ranks
    const ExtraFile& file = kept_->around[i];
    if (file.path.starts_with("sampler_")) out.push_back(file);
  }
  Draft draft;
  draft.tree.Set(draft.root, "step", draft.tree.Int(steps_));
  AOA_ASSIGN_OR_RETURN(out.emplace_back(),
                       MakeTorchFile(std::to_string(steps_) + ".step", *draft.root, draft.storages));
  return out;
}

// What the rules say, over what the source has beside that.
Result<ExtraFile> InternEvoState::Configuration() const {
  nlohmann::json ours = nlohmann::json::object();
  if (!config_.empty()) ours = nlohmann::json::parse(config_, nullptr, false);
  if (!ours.is_object()) return Status::Invalid("the configuration of the target is no JSON object");
  ours["num_chunks"] = mesh_.vpp;
  ours["dtype"] = "torch." + TorchDTypeName(dtype_).substr(std::string_view("torch ").size());
  Draft draft;
  const Value* like = nullptr;
  std::optional<TorchCopier> copier;
  if (kept_ && kept_->config) {
    copier.emplace(*kept_->config, draft.storages, draft.tree);
    AOA_ASSIGN_OR_RETURN(like, copier->Copy(kept_->config->root()));
  }
  for (size_t i = 0; like && i + 1 < like->entries.size(); i += 2) {
    const Value* key = like->entries[i];
    const bool said = key->Is(Value::Kind::kText) && !key->outside && ours.contains(key->text);
    draft.root->entries.insert(draft.root->entries.end(),
                               {key, said ? ValueOf(ours[key->text], draft.tree) : like->entries[i + 1]});
    if (said) ours.erase(key->text);
  }
  for (const auto& [key, value] : ours.items()) draft.tree.Set(draft.root, key, ValueOf(value, draft.tree));
  return MakeTorchFile(std::string(kInternEvoConfig), *draft.root, draft.storages);
}

Result<ExtraFile> InternEvoState::Context() const {
  if (const ExtraFile* file = Kept(kInternEvoContext)) return *file;
  Draft draft;
  Tree& tree = draft.tree;
  tree.Set(draft.root, "batch_count", tree.Int(steps_));
  tree.Set(draft.root, "num_consumed_samples_in_epoch", tree.Int(0));
  tree.Set(draft.root, "num_consumed_tokens", tree.Int(0));
  tree.Set(draft.root, "inf_nan_skip_batches", tree.Int(0));
  tree.Set(draft.root, "step_count", tree.Int(steps_));
  tree.Set(draft.root, "tensorboard_folder", tree.None());
  return MakeTorchFile(std::string(kInternEvoContext), *draft.root, draft.storages);
}

Result<ExtraFile> InternEvoState::Scheduler() const {
  const size_t groups = GroupsOf(mesh_.weight_parallel()).size();
  const ExtraFile* file = Kept(kInternEvoScheduler);
  const bool as_it_is = file && kept_->mesh.weight_parallel() == mesh_.weight_parallel();
  if (as_it_is) return *file;
  Draft draft;
  Tree& tree = draft.tree;
  const std::string name(kInternEvoScheduler);
  if (kept_ && kept_->scheduler) {
    TorchCopier copier(*kept_->scheduler, draft.storages, tree);
    AOA_ASSIGN_OR_RETURN(const Value* like, copier.Copy(kept_->scheduler->root()));
    if (like) return MakeTorchFile(name, *WithRates(*like, groups, tree), draft.storages);
  }
  Value* after = tree.Dict();
  tree.Set(draft.root, "base_lrs", Rates(groups, tree));
  tree.Set(draft.root, "last_epoch", tree.Int(steps_));
  tree.Set(draft.root, "_step_count", tree.Int(steps_ + 1));
  tree.Set(draft.root, "_last_lr", Rates(groups, tree));
  tree.Set(after, "base_lrs", Rates(groups, tree));
  tree.Set(draft.root, "after_scheduler_type", tree.Text("CosineAnnealingLR"));  // InternEvo has no other
  tree.Set(draft.root, "after_scheduler_dict", after);
  return MakeTorchFile(name, *draft.root, draft.storages);
}

// Another number of data-parallel ranks reads the data otherwise: its sampler is at the beginning.
Result<ExtraFile> InternEvoState::Sampler() const {
  if (const ExtraFile* file = Kept(kSampler); file && kept_->mesh.dp == mesh_.dp) return *file;
  Draft draft;
  Tree& tree = draft.tree;
  tree.Set(draft.root, "batch_size", tree.Int(1));
  tree.Set(draft.root, "raw_rampup_batch_size", tree.Text(""));
  tree.Set(draft.root, "rng_state", RandomState(kSeed, tree));
  tree.Set(draft.root, "epoch", tree.Int(0));
  tree.Set(draft.root, "seed", tree.Int(kSeed));
  tree.Set(draft.root, "data_world_size", tree.Int(mesh_.dp));
  tree.Set(draft.root, "num_consumed_samples_in_epoch", tree.Int(0));
  tree.Set(draft.root, "batch_count", tree.Int(0));
  return MakeTorchFile(std::string(kSampler), *draft.root, draft.storages);
}

// ---------------------------------------------------------------- optimizers

Result<const Value*> InternEvoState::GradScaler(TorchStorages& storages, Tree& tree) const {
  const Value* like = kept_ && kept_->optimizer ? kept_->optimizer->root().Find("grad_scaler") : nullptr;
  if (like) {
    AOA_ASSIGN_OR_RETURN(const Value* copied, TorchCopier(*kept_->optimizer, storages, tree).Copy(*like));
    if (copied) return copied;
  }
  Value* out = tree.Dict();
  tree.Set(out, "_scale", tree.Float(65536));
  tree.Set(out, "_growth_step", tree.Int(0));
  tree.Set(out, "_hysteresis_step", tree.Int(0));
  return out;
}

// The group of this name, else the first.
const Value* InternEvoState::KeptGroup(InternEvoGroup group) const {
  if (!kept_ || !kept_->optimizer) return nullptr;
  const Value* groups = FindPath(kept_->optimizer->root(), {"base_optim_states", "param_groups"});
  if (!groups || groups->items.empty()) return nullptr;
  for (const Value* like : groups->items) {
    const Value* name = like->Find("name");
    if (name && name->IsText(NameOf(group))) return like;
  }
  return groups->items[0];
}

Result<const Value*> InternEvoState::Group(InternEvoGroup group, const DType* dtype,
                                           const std::vector<int64_t>& numbers, Tree& tree) const {
  Value* out = tree.Dict();
  if (const Value* like = KeptGroup(group)) {
    for (const auto& [key, value] : MembersOf(*like)) {
      if (key.empty() || key == "name" || key == "dtype" || key == "params") continue;
      AOA_ASSIGN_OR_RETURN(const Value* copied, WithoutTensors(*kept_->optimizer, *value, tree));
      if (copied) tree.Set(out, key, copied);
    }
  } else {
    tree.Set(out, "lr", tree.Float(kLearningRate));
    tree.Set(out, "betas", tree.Tuple({tree.Float(0.9), tree.Float(0.95)}));
    tree.Set(out, "eps", tree.Float(1e-8));
    tree.Set(out, "amsgrad", tree.Bool(false));
    tree.Set(out, "foreach", tree.None());
    tree.Set(out, "maximize", tree.Bool(false));
    tree.Set(out, "capturable", tree.Bool(false));
    tree.Set(out, "differentiable", tree.Bool(false));
    tree.Set(out, "fused", tree.Bool(true));
    tree.Set(out, "weight_decay", tree.Float(0.01));
  }
  std::vector<const Value*> params;
  for (int64_t number : numbers) params.push_back(tree.Int(number));
  tree.Set(out, "name", tree.Text(NameOf(group)));
  tree.Set(out, "dtype", dtype ? tree.Global(TorchDTypeName(*dtype)) : tree.None());
  tree.Set(out, "params", tree.List(std::move(params)));
  return out;
}

}  // namespace aoa::formats
