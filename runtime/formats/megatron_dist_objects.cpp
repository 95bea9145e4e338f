#include "runtime/formats/megatron_dist_objects.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/formats/megatron_dist.h"
#include "runtime/formats/megatron_values.h"
#include "runtime/formats/torch_copy.h"
#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

using nlohmann::json;
using pickle::Value;

constexpr const char* kImplementation = "transformer_impl";

// An object under construction.
class Maker {
 public:
  explicit Maker(const DistRun& run) : run_(run), storages_(TorchFile::Container::kZip, tree) {}

  pickle::Tree tree;

  TorchStorages& storages() { return storages_; }
  const DcpScalars& scalars() const { return scalars_; }

  Result<Value*> Common() {
    Value* root = tree.Dict();
    AOA_ASSIGN_OR_RETURN(const Value* args, Arguments());
    tree.Set(root, "args", args);
    tree.Set(root, "checkpoint_version", tree.Float(3.0));
    tree.Set(root, "iteration", tree.Int(run_.target.iteration));
    if (run_.has_states) {
      AOA_ASSIGN_OR_RETURN(const Value* optimizer, Optimizer());
      tree.Set(root, "optimizer", optimizer);
    }
    if (const MegatronRank* like = run_.target.like) {
      TorchCopier copier(like->file, storages_, tree);
      AOA_RETURN_IF_ERROR(KeepMegatronOthers(*like, false, copier, root));
    }
    tree.Set(root, kMegatronContent, Content());
    return root;
  }

  // Groups share one step: readers look for one value.
  Result<const Value*> Groups(bool with_step) {
    const Value* step = nullptr;
    if (with_step) step = run_.step ? PlacedStep() : tree.Int(run_.target.iteration);
    std::vector<const Value*> groups;
    for (bool decays : {true, false}) {
      if (!run_.groups[decays ? 0 : 1]) continue;
      AOA_ASSIGN_OR_RETURN(Value * group, MakeMegatronGroup(run_.target.like, decays, storages_, tree));
      if (step) tree.Set(group, kStep, step);
      groups.push_back(group);
    }
    Value* out = tree.Dict();
    tree.Set(out, "param_groups", tree.List(std::move(groups)));
    return out;
  }

  Result<const Value*> Scaler() {
    return MakeMegatronScaler(run_.target.like, run_.dtype == DType::kF16, storages_, tree);
  }

 private:
  Result<const Value*> Arguments() {
    const MegatronRank* source = run_.target.like;
    const Value *own = source ? source->root().Find("args") : nullptr, *like = nullptr;
    if (own) {
      AOA_ASSIGN_OR_RETURN(like, TorchCopier(source->file, storages_, tree).Copy(*own));
    }
    MegatronFacts facts;
    facts.dtype = run_.dtype;
    facts.distributed = run_.distributed();
    AOA_ASSIGN_OR_RETURN(json arguments, TargetArguments(run_.target, facts, like != nullptr));
    arguments.erase("rank");
    arguments[kImplementation] = run_.order == DistOrder::kLocal ? "local" : "transformer_engine";
    if (!like) arguments["use_mcore_models"] = true;
    return MakeMegatronArguments(arguments, like, tree);
  }

  Result<const Value*> Optimizer() {
    Value* outer = tree.Dict();
    if (run_.variant == kDpReshardable) {
      tree.Set(outer, "param_state_sharding_type", tree.Text("dp_reshardable"));
      return outer;
    }
    const bool reshardable = run_.variant == kFullyReshardable;
    AOA_ASSIGN_OR_RETURN(const Value* groups, Groups(reshardable));
    Value* inner = tree.Dict();
    if (!reshardable) {
      Value* state = tree.Dict();
      tree.Set(state, "common_step", run_.step ? PlacedStep() : StepOfIteration());
      tree.Set(inner, "state", state);
    }
    tree.Set(inner, "param_groups", groups->Find("param_groups"));
    if (!reshardable && !run_.has_masters) return inner;  // an optimizer of f32 weights
    tree.Set(outer, "optimizer", inner);
    AOA_ASSIGN_OR_RETURN(const Value* scaler, Scaler());
    if (scaler) tree.Set(outer, "grad_scaler", scaler);
    if (reshardable) tree.Set(outer, "param_state_sharding_type", tree.Text("fully_reshardable"));
    return outer;
  }

  const Value* Content() {
    Value* content = tree.Dict();
    tree.Set(content, "singleton_local_shards", tree.Bool(false));
    tree.Set(content, "chained_optim_avoid_prefix", tree.Bool(true));
    if (!run_.distributed()) return content;
    const bool reshardable = run_.variant == kFullyReshardable;
    tree.Set(content, "distrib_optim_sharding_type", tree.Text(reshardable ? "fully_reshardable" : "dp_reshardable"));
    if (reshardable) tree.Set(content, "distrib_optim_fully_reshardable_mem_efficient", tree.Bool(false));
    return content;
  }

  // A tensor of one number without axes, whose bytes are the table's.
  const Value* PlacedStep() {
    const uint32_t storage = storages_.Add(run_.step_dtype, 1);
    scalars_.emplace_back(storage, *run_.step);
    return storages_.Tensor(storage, {});
  }

  const Value* StepOfIteration() {
    const auto step = static_cast<float>(run_.target.iteration);
    std::string bytes(sizeof(step), '\0');
    std::memcpy(bytes.data(), &step, sizeof(step));
    return storages_.Tensor(storages_.AddContent(DType::kF32, std::move(bytes)), {});
  }

  const DistRun& run_;
  TorchStorages storages_;
  DcpScalars scalars_;
};

// Objects that are cut are lists of one item.
Result<DcpItem> AddListed(Maker& maker, const Value* value, DcpTargetFile& file) {
  return file.AddObject(*maker.tree.List({value}), maker.storages(), maker.scalars());
}

}  // namespace

Result<DistRun> MakeDistRun(MegatronTarget target, std::string variant, DType dtype) {
  DistRun run;
  run.target = std::move(target);
  run.variant = std::move(variant);
  run.dtype = dtype;
  json config = run.target.config.empty() ? json::object() : json::parse(run.target.config, nullptr, false);
  if (!config.is_object()) return Status::Invalid("the configuration of the target is no JSON object");
  const json none = json::object();
  const json& own = run.target.like && run.target.like->arguments.is_object() ? run.target.like->arguments : none;
  auto argument = [&](const char* key) { return config.value(key, own.value(key, json())); };
  if (argument(kImplementation) == "transformer_engine") run.order = DistOrder::kTransformerEngine;
  // Sums of gradients are f32, but for runs in f16 that do not ask for it.
  if (dtype == DType::kF16 && argument("accumulate_allreduce_grads_in_fp32") == false) run.gradients = dtype;
  return run;
}

std::string BufferTypes(const DistRun& run) {
  auto name = [](DType dtype) { return "torch." + TorchDTypeName(dtype).substr(std::strlen("torch ")); };
  return "(" + name(run.dtype) + ", " + name(run.gradients) + ")";
}

Result<TargetFile> LayOutDistCommon(const DistRun& run, const std::string& path, int64_t rank, uint32_t table) {
  Maker maker(run);
  AOA_ASSIGN_OR_RETURN(const Value* common, maker.Common());
  DcpTargetFile file(path, rank);
  AOA_ASSIGN_OR_RETURN(DcpItem all, file.AddObject(*common, maker.storages(), maker.scalars(), path));
  static_cast<void>(all);
  return std::move(file).Finish(table);
}

Result<DcpItem> AddDistGroups(const DistRun& run, DcpTargetFile& file) {
  Maker maker(run);
  AOA_ASSIGN_OR_RETURN(const Value* groups, maker.Groups(true));
  return AddListed(maker, groups, file);
}

Result<std::optional<DcpItem>> AddDistScaler(const DistRun& run, DcpTargetFile& file) {
  Maker maker(run);
  AOA_ASSIGN_OR_RETURN(const Value* scaler, maker.Scaler());
  if (!scaler) return std::nullopt;
  AOA_ASSIGN_OR_RETURN(DcpItem item, AddListed(maker, scaler, file));
  return item;
}

Result<DcpItem> AddBucketLengths(const DistRun& run, const std::vector<std::vector<int64_t>>& lengths,
                                 DcpTargetFile& file) {
  Maker maker(run);
  pickle::Tree& tree = maker.tree;
  std::vector<const Value*> buffers;
  for (const std::vector<int64_t>& buckets : lengths) {
    std::vector<const Value*> numbers;
    for (int64_t length : buckets) numbers.push_back(tree.Int(length));
    Value* buffer = tree.Dict();
    const Value* types =
        tree.Tuple({tree.Global(TorchDTypeName(run.dtype)), tree.Global(TorchDTypeName(run.gradients))});
    buffer->entries.insert(buffer->entries.end(), {types, tree.List(std::move(numbers))});
    buffers.push_back(buffer);
  }
  return AddListed(maker, tree.List(std::move(buffers)), file);
}

Result<DcpItem> AddNoExtraState(DcpTargetFile& file) {
  pickle::Tree tree;
  TorchStorages storages(TorchFile::Container::kZip, tree);
  return file.AddObject(*tree.List({tree.None()}), storages);
}

}  // namespace aoa::formats
