#include "runtime/formats/megatron_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {

using nlohmann::json;
using pickle::Value;

std::vector<std::string> MegatronPath(const std::string& name) {
  constexpr std::string_view kEncoder = "language_model.encoder.";
  if (name.starts_with(kEncoder)) return {"language_model", "encoder", name.substr(kEncoder.size())};
  if (!name.starts_with("language_model.") && !name.starts_with("word_embeddings_for_head.")) return {name};
  std::vector<std::string> path;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    path.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return path;
}

void NestedDictionary::Set(const std::vector<std::string>& path, const Value* value) {
  Value* at = root_;
  std::string way;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    way += path[i] + ".";
    auto [it, added] = inner_.try_emplace(way, nullptr);
    if (added) {
      it->second = Make();
      tree_.Set(at, path[i], it->second);
    }
    at = it->second;
  }
  tree_.Set(at, path.back(), value);
}

bool IsOfOneRank(std::string_view key) { return key == "rng_state" || key == "rerun_state_machine"; }

Result<json> TargetArguments(const MegatronTarget& target, const MegatronFacts& facts, bool kept) {
  json out = json::object();
  if (!target.config.empty()) out = json::parse(target.config, nullptr, false);
  if (!out.is_object()) return Status::Invalid("the configuration of the target is no JSON object");
  const MegatronMesh& mesh = target.mesh;
  if (out.contains("num_query_groups") && out.contains("num_attention_heads"))
    out["group_query_attention"] = out["num_query_groups"] != out["num_attention_heads"];
  if (target.vocabulary > 0) out["padded_vocab_size"] = target.vocabulary;
  out["params_dtype"] = "torch." + TorchDTypeName(facts.dtype).substr(6);
  out["bf16"] = facts.dtype == DType::kBF16;
  out["fp16"] = facts.dtype == DType::kF16;
  out["tensor_model_parallel_size"] = mesh.tp;
  out["pipeline_model_parallel_size"] = mesh.pp;
  out["transformer_pipeline_model_parallel_size"] = mesh.pp;
  out["virtual_pipeline_model_parallel_size"] = mesh.vpp > 1 ? json(mesh.vpp) : json();
  out["num_layers_per_virtual_pipeline_stage"] = mesh.vpp > 1 ? json(facts.layers / mesh.vpp) : json();
  out["data_parallel_size"] = mesh.dp;
  out["context_parallel_size"] = 1;
  out["expert_model_parallel_size"] = 1;
  out["world_size"] = mesh.tp * mesh.pp * mesh.dp;
  out["rank"] = target.rank;
  out["iteration"] = target.iteration;
  out["use_distributed_optimizer"] = facts.distributed;
  if (!kept) {
    out["consumed_train_samples"] = 0;
    out["consumed_valid_samples"] = 0;
  }
  out["ckpt_format"] = target.dist ? "torch_dist" : "torch";
  return out;
}

MegatronGroup FindMegatronGroup(const MegatronRank& rank, bool decays) {
  const Value* optimizer = rank.root().Find("optimizer");
  const Value* inner = optimizer ? optimizer->Find("optimizer") : nullptr;
  if (!inner) inner = optimizer;
  const TorchFile* file = &rank.file;
  if (rank.groups && rank.groups->root().kind == Value::Kind::kList && !rank.groups->root().items.empty()) {
    inner = rank.groups->root().items[0];
    file = &*rank.groups;
  }
  const Value* groups = inner ? inner->Find("param_groups") : nullptr;
  if (!groups) return {};
  for (const Value* group : groups->items) {
    auto factor = NumberOf(group->Find("wd_mult"));
    if (factor && (*factor != 0) == decays) return {group, file};
  }
  return {};
}

namespace {

Value* DefaultGroup(bool decays, pickle::Tree& tree) {
  constexpr double kDecay = 0.01, kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  Value* group = tree.Dict();
  tree.Set(group, "is_expert_parallel", tree.Bool(false));
  tree.Set(group, "default_config", tree.Bool(true));
  tree.Set(group, "wd_mult", tree.Float(decays ? 1.0 : 0.0));
  tree.Set(group, "lr_mult", tree.Float(1.0));
  tree.Set(group, "is_decoupled_lr", tree.Bool(false));
  tree.Set(group, "lr", tree.Float(0.0));
  tree.Set(group, "betas", tree.Tuple({tree.Float(kBeta1), tree.Float(kBeta2)}));
  tree.Set(group, "eps", tree.Float(kEpsilon));
  tree.Set(group, "weight_decay", tree.Float(decays ? kDecay : 0.0));
  for (const char* flag : {"amsgrad", "maximize", "capturable", "differentiable"})
    tree.Set(group, flag, tree.Bool(false));
  for (const char* choice : {"foreach", "fused"}) tree.Set(group, choice, tree.None());
  tree.Set(group, "decoupled_weight_decay", tree.Bool(true));
  return group;
}

}  // namespace

Result<Value*> MakeMegatronGroup(const MegatronRank* like, bool decays, TorchStorages& storages, pickle::Tree& tree) {
  const MegatronGroup group = like ? FindMegatronGroup(*like, decays) : MegatronGroup();
  if (!group.value) return DefaultGroup(decays, tree);
  TorchCopier copier(*group.file, storages, tree);
  Value* out = tree.Dict();
  for (size_t i = 0; i + 1 < group.value->entries.size(); i += 2) {
    const Value* key = group.value->entries[i];
    if (key->IsText("params") || key->IsText(kStep)) continue;
    AOA_ASSIGN_OR_RETURN(const Value* value, copier.Copy(*group.value->entries[i + 1]));
    if (value) out->entries.insert(out->entries.end(), {key, value});
  }
  return out;
}

Result<const Value*> MakeMegatronScaler(const MegatronRank* like, bool half, TorchStorages& storages,
                                        pickle::Tree& tree) {
  constexpr float kScale = 4294967296.0F;
  constexpr int64_t kHysteresis = 2;
  const Value* optimizer = like ? like->root().Find("optimizer") : nullptr;
  if (const Value* scaler = optimizer ? optimizer->Find("grad_scaler") : nullptr)
    return TorchCopier(like->file, storages, tree).Copy(*scaler);
  if (!half) return nullptr;
  std::string bytes(sizeof(kScale), '\0');
  std::memcpy(bytes.data(), &kScale, sizeof(kScale));
  Value* out = tree.Dict();
  tree.Set(out, "scale", storages.Tensor(storages.AddContent(DType::kF32, std::move(bytes)), {1}));
  tree.Set(out, "growth_tracker", tree.Int(0));
  tree.Set(out, "hysteresis_tracker", tree.Int(kHysteresis));
  return out;
}

Status KeepMegatronOthers(const MegatronRank& like, bool same_rank, TorchCopier& copier, Value* root) {
  const Value& from = like.root();
  for (size_t i = 0; i + 1 < from.entries.size(); i += 2) {
    const Value& key = *from.entries[i];
    if (key.kind != Value::Kind::kText || key.outside || root->Find(key.text) || key.text.starts_with("model") ||
        key.text == "optimizer" || key.text == kMegatronContent || (!same_rank && IsOfOneRank(key.text)))
      continue;
    AOA_ASSIGN_OR_RETURN(const Value* value, copier.Copy(*from.entries[i + 1]));
    if (value) root->entries.insert(root->entries.end(), {&key, value});
  }
  return Status();
}

}  // namespace aoa::formats
