#include "runtime/formats/deepspeed_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/formats/deepspeed_values.h"
#include "runtime/formats/torch_dtype.h"
#include "runtime/formats/torch_json.h"
#include "runtime/formats/torch_surroundings.h"

namespace aoa::formats {
namespace {

using nlohmann::json;
using pickle::Tree;
using pickle::Value;

constexpr std::string_view kVersion = "0.19.8";  // whose form the files have

const Value* OptimizerKey(const TorchFile& file, std::string_view key) {
  const Value* optimizer = OptimizerIn(file.root());
  return optimizer ? optimizer->Find(key) : nullptr;
}

}  // namespace

DeepSpeedState::DeepSpeedState(const DeepSpeedKept* kept, const WriteOptions& options, const DeepSpeedMesh& mesh,
                               int64_t stage, DType dtype)
    : kept_(kept), target_(json::parse(options.config, nullptr, false)), mesh_(mesh), dtype_(dtype) {
  if (!target_.is_object()) target_ = json::object();
  steps_ = options.iteration.value_or(0);
  if (const Value* value = KeptInModel("global_steps")) steps_ = NumberIn(value).value_or(steps_);
  tag_ = kept_ ? kept_->tag : "";
  if (tag_.ends_with(kUniversalEnd)) tag_.resize(tag_.size() - kUniversalEnd.size());
  if (tag_.empty()) tag_ = fmt::format("global_step{}", steps_);
  const Value* ds_config = KeptInModel("ds_config");
  ds_config_ = ds_config ? JsonOf(*ds_config) : json::object();
  if (!ds_config_["zero_optimization"].is_object()) ds_config_["zero_optimization"] = json::object();
  ds_config_["zero_optimization"]["stage"] = stage;
  if (dtype == DType::kBF16) ds_config_["bf16"]["enabled"] = true;
  if (dtype == DType::kF16) ds_config_["fp16"]["enabled"] = true;
}

std::string_view DeepSpeedState::version() const { return kVersion; }

const Value* DeepSpeedState::KeptInModel(std::string_view key) const {
  return kept_ && kept_->model ? kept_->model->root().Find(key) : nullptr;
}

Result<const Value*> DeepSpeedState::Kept(const TorchFile* file, const Value* value, Tree& tree) const {
  if (!file || !value) return nullptr;
  return WithoutTensors(*file, *value, tree);
}

// The arguments of the run, of which the mesh and the types are the target's.
Result<const Value*> DeepSpeedState::Arguments(Tree& tree) const {
  Value* attributes = tree.Dict();
  json ours = target_;
  ours["tensor_model_parallel_size"] = mesh_.tp;
  ours["pipeline_model_parallel_size"] = mesh_.pp;
  ours["data_parallel_size"] = mesh_.dp;
  ours["bf16"] = dtype_ == DType::kBF16;
  ours["fp16"] = dtype_ == DType::kF16;
  const Value* kept = KeptInModel("args");
  if (kept && kept->state) {
    AOA_ASSIGN_OR_RETURN(const Value* copied, Kept(&*kept_->model, kept->state, tree));
    for (size_t i = 0; copied && i + 1 < copied->entries.size(); i += 2) {
      const Value* key = copied->entries[i];
      if (!key->Is(Value::Kind::kText) || ours.contains(key->text) || key->IsText("params_dtype")) continue;
      attributes->entries.insert(attributes->entries.end(), {key, copied->entries[i + 1]});
    }
  }
  for (const auto& [key, value] : ours.items()) tree.Set(attributes, key, ValueOf(value, tree));
  tree.Set(attributes, "params_dtype", tree.Global(TorchDTypeName(dtype_)));
  Value* out = tree.Call("argparse Namespace", {});
  out->made = Value::Made::kNew;
  out->state = attributes;
  return out;
}

Result<const Value*> DeepSpeedState::Model(const Value* module, const Value* shapes, const Value* shared, bool pipeline,
                                           Tree& tree) const {
  const TorchFile* model = kept_ && kept_->model ? &*kept_->model : nullptr;
  Value* out = tree.Dict();
  Value* degrees = tree.Dict();
  tree.Set(degrees, "pp_degree", tree.Int(mesh_.pp));
  tree.Set(degrees, "tp_degree", tree.Int(mesh_.tp));
  const std::map<std::string, const Value*, std::less<>> ours = {{"module", module},
                                                                 {"optimizer", tree.None()},
                                                                 {"param_shapes", shapes},
                                                                 {"frozen_param_shapes", tree.None()},
                                                                 {"shared_params", shared},
                                                                 {"frozen_param_fragments", tree.None()},
                                                                 {"dp_world_size", tree.Int(mesh_.dp)},
                                                                 {"mp_world_size", tree.Int(mesh_.pp * mesh_.tp)},
                                                                 {"checkpoint_parallel_dimensions", degrees},
                                                                 {"ds_config", ValueOf(ds_config_, tree)},
                                                                 {"ds_version", tree.Text(kVersion)}};
  std::vector<std::pair<std::string, const Value*>> defaults = {{"module", nullptr},
                                                                {"buffer_names", tree.List({})},
                                                                {"optimizer", nullptr},
                                                                {"param_shapes", nullptr},
                                                                {"frozen_param_shapes", nullptr},
                                                                {"shared_params", nullptr},
                                                                {"frozen_param_fragments", nullptr},
                                                                {"lr_scheduler", tree.None()},
                                                                {"data_sampler", tree.None()},
                                                                {"random_ltd", tree.None()},
                                                                {"skipped_steps", tree.Int(0)},
                                                                {"global_steps", tree.Int(steps_)},
                                                                {"global_samples", tree.Int(0)},
                                                                {"dp_world_size", nullptr},
                                                                {"mp_world_size", nullptr},
                                                                {"checkpoint_parallel_dimensions", nullptr},
                                                                {"ds_config", nullptr},
                                                                {"ds_version", nullptr}};
  if (pipeline) {
    defaults.emplace_back("args", nullptr);
    defaults.emplace_back("checkpoint_version", tree.Float(3.0));
    defaults.emplace_back("iteration", tree.Int(steps_));
  }
  std::set<std::string, std::less<>> done;
  for (const auto& [key, otherwise] : defaults) {
    done.insert(key);
    const Value* value = nullptr;
    if (auto it = ours.find(key); it != ours.end()) {
      value = it->second;
    } else if (key == "args") {
      AOA_ASSIGN_OR_RETURN(value, Arguments(tree));
    } else {
      AOA_ASSIGN_OR_RETURN(value, Kept(model, KeptInModel(key), tree));
    }
    tree.Set(out, key, value ? value : otherwise);
  }
  if (!model) return out;
  for (const auto& [key, value] : MembersOf(model->root())) {
    if (key.empty() || !done.insert(key).second) continue;
    AOA_ASSIGN_OR_RETURN(const Value* copied, Kept(&*kept_->model, value, tree));
    if (copied) tree.Set(out, key, copied);
  }
  return out;
}

Result<const Value*> DeepSpeedState::Plain(const Value* module, Tree& tree) const {
  Value* out = tree.Dict();
  tree.Set(out, "module", module);
  if (!kept_ || !kept_->model) return out;
  for (const auto& [key, value] : MembersOf(kept_->model->root())) {
    if (key.empty() || key == "module") continue;
    AOA_ASSIGN_OR_RETURN(const Value* copied, Kept(&*kept_->model, value, tree));
    if (copied) tree.Set(out, key, copied);
  }
  return out;
}

Result<const Value*> DeepSpeedState::Optimizer(std::string_view key, const Value* otherwise, Tree& tree) const {
  if (!kept_ || !kept_->optimizer) return otherwise;
  AOA_ASSIGN_OR_RETURN(const Value* copied, Kept(&*kept_->optimizer, OptimizerKey(*kept_->optimizer, key), tree));
  return copied ? copied : otherwise;
}

Result<const Value*> DeepSpeedState::Groups(const std::vector<size_t>& like,
                                            const std::vector<std::vector<int64_t>>& params, Tree& tree) const {
  const Value* optimizer = kept_ && kept_->optimizer ? OptimizerIn(kept_->optimizer->root()) : nullptr;
  const Value* kept = optimizer ? ParamGroupsIn(*optimizer) : nullptr;
  if (kept && kept->items.empty()) kept = nullptr;
  std::vector<const Value*> groups;
  for (size_t g = 0; g < params.size(); ++g) {
    Value* group = tree.Dict();
    if (kept) {
      const Value* source = kept->items[like[g] < kept->items.size() ? like[g] : 0];
      for (const auto& [key, value] : MembersOf(*source)) {
        if (key.empty() || key == "params") continue;
        AOA_ASSIGN_OR_RETURN(const Value* copied, Kept(&*kept_->optimizer, value, tree));
        if (copied) tree.Set(group, key, copied);
      }
    } else {  // what AdamW of torch takes by default
      tree.Set(group, "lr", tree.Float(1e-3));
      tree.Set(group, "betas", tree.Tuple({tree.Float(0.9), tree.Float(0.999)}));
      tree.Set(group, "eps", tree.Float(1e-8));
      tree.Set(group, "weight_decay", tree.Float(0.01));
      tree.Set(group, "amsgrad", tree.Bool(false));
      tree.Set(group, "maximize", tree.Bool(false));
      tree.Set(group, "foreach", tree.None());
      tree.Set(group, "capturable", tree.Bool(false));
      tree.Set(group, "differentiable", tree.Bool(false));
      tree.Set(group, "fused", tree.None());
    }
    std::vector<const Value*> numbers;
    for (int64_t number : params[g]) numbers.push_back(tree.Int(number));
    tree.Set(group, "params", tree.List(std::move(numbers)));
    groups.push_back(group);
  }
  return tree.List(std::move(groups));
}

}  // namespace aoa::formats
