#include "runtime/formats/deepspeed_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/deepspeed_states.h"
#include "runtime/formats/deepspeed_values.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_checkpoint.h"
#include "runtime/formats/torch_files.h"
#include "runtime/formats/torch_json.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using pickle::Value;
using Kind = Value::Kind;

constexpr std::string_view kTied = "tied_modules.";

Status Broken(const TorchFile& file, const std::string& what) {
  return Status::Invalid(fmt::format("{}: {}", Printable(file.path()), what));
}

class Reader {
 public:
  Reader(DeepSpeedFiles files, const ReadOptions& options, Schema& schema)
      : files_(std::move(files)), options_(options), schema_(schema), composite_(schema) {}

  Status Read() {
    AOA_RETURN_IF_ERROR(Open());
    AOA_RETURN_IF_ERROR(CheckRun());
    AOA_RETURN_IF_ERROR(FindMesh());
    FindVariant();
    for (const TorchFile* model : models_) {
      AOA_ASSIGN_OR_RETURN(auto shapes, ShapesIn(model));
      shapes_.push_back(std::move(shapes));
    }
    shapes_.resize(static_cast<size_t>(pp_ * tp_));
    if (!files_.layers.empty()) AOA_RETURN_IF_ERROR(DealLayers());
    for (int64_t m = 0; m < pp_ * tp_; ++m) AOA_RETURN_IF_ERROR(ReadRank(m));
    Keep();
    return Status();
  }

 private:
  struct Weight {
    std::string name;
    TorchTensor tensor;
    const TorchFile* file = nullptr;
  };

  Status Open() {
    std::vector<std::string> paths;
    for (const auto& [rank, path] : files_.models) paths.push_back(path);
    for (const auto* group : {&files_.shards, &files_.optimizers, &files_.layers}) {
      for (const auto& [rank, path] : *group) paths.push_back(path);
    }
    AOA_ASSIGN_OR_RETURN(opened_, OpenTorchFiles(paths, options_.threads));
    for (const TorchFile& file : opened_) {
      by_path_[file.path()] = &file;
      NoteSuspicions(file, schema_);
    }
    for (const auto& [rank, path] : files_.models) models_.push_back(by_path_.at(path));
    if (models_.empty()) {
      for (const auto& [rank, path] : files_.shards) {
        if (rank.first == 0) models_.push_back(by_path_.at(path));
      }
    }
    return Status();
  }

  // That all files with the state of a run say the same of it.
  Status CheckRun() const {
    std::vector<const TorchFile*> all = models_;
    for (const auto& [rank, path] : files_.shards) all.push_back(by_path_.at(path));
    int64_t data = files_.data_ranks(), model = files_.model_ranks();
    for (const TorchFile* file : all) {
      const auto steps = NumberIn(file->root().Find("global_steps")),
                 first = NumberIn(all[0]->root().Find("global_steps"));
      if (steps != first) {
        return Broken(*file, fmt::format("it is of step {}, and {} is of step {}: two steps in one folder",
                                         steps.value_or(0), Printable(all[0]->path()), first.value_or(0)));
      }
      for (const char* key : {"dp_world_size", "mp_world_size"}) {
        const auto size = NumberIn(file->root().Find(key)), other = NumberIn(all[0]->root().Find(key));
        if (size != other) {
          return Broken(*file, fmt::format("`{}` is {}, in {} it is {}: files of two runs in one folder", key,
                                           size.value_or(0), Printable(all[0]->path()), other.value_or(0)));
        }
        constexpr int64_t kMost = 1 << 20;
        int64_t& ranks = key[0] == 'd' ? data : model;
        if (size) ranks = std::max(ranks, std::min(*size, kMost));
      }
    }
    return files_.CheckComplete(data, model);
  }

  Status FindMesh() {
    dp_ = files_.data_ranks();
    const int64_t model = files_.model_ranks();
    tp_ = files_.layers.empty() ? model : files_.tensor_ranks();
    pp_ = model / tp_;
    if (pp_ * tp_ != model) {
      return Status::Invalid(
          fmt::format("{}: {} model-parallel ranks do not make stages of {} tensor ranks, as the layers' files have",
                      Printable(files_.folder), model, tp_));
    }
    for (const TorchFile* file : models_) {
      AOA_RETURN_IF_ERROR(CheckDegree(*file, {"checkpoint_parallel_dimensions", "tp_degree"}, tp_));
      AOA_RETURN_IF_ERROR(CheckDegree(*file, {"args", "tensor_model_parallel_size"}, tp_));
      if (files_.layers.empty()) continue;
      AOA_RETURN_IF_ERROR(CheckDegree(*file, {"checkpoint_parallel_dimensions", "pp_degree"}, pp_));
      AOA_RETURN_IF_ERROR(CheckDegree(*file, {"args", "pipeline_model_parallel_size"}, pp_));
    }
    return Status();
  }

  Status CheckDegree(const TorchFile& file, std::initializer_list<std::string_view> path, int64_t found) const {
    const auto said = NumberIn(FindPath(file.root(), path));
    if (!said || *said == found) return Status();
    return Broken(file, fmt::format("`{}` is {}, the names of the files make it {}", *(path.end() - 1), *said, found));
  }

  void FindVariant() {
    schema_.has_mesh = true;
    int64_t stage = 0;
    if (!files_.optimizers.empty())
      stage = ZeroStageOf(*by_path_.at(files_.optimizers.begin()->second));
    else if (!models_.empty())
      stage = NumberIn(FindPath(models_[0]->root(), {"ds_config", "zero_optimization", "stage"})).value_or(0);
    if (!files_.shards.empty()) stage = 3;
    third_ = stage == 3;
    if (!files_.layers.empty()) {
      schema_.variant = "pipeline";
      schema_.mesh = {{"pp", pp_}, {"dp", dp_}, {"tp", tp_}};
      return;
    }
    schema_.variant = stage > 0 ? fmt::format("zero{}", stage) : "mp";
    if (stage > 0) schema_.mesh.emplace_back("dp", dp_);
    if (stage == 0 || tp_ > 1) schema_.mesh.emplace_back("tp", tp_);
  }

  Result<std::vector<std::vector<NamedShape>>> ShapesIn(const TorchFile* file) const {
    auto shapes = ShapesOf(file->root().Find("param_shapes"));
    if (!shapes.ok()) return Broken(*file, shapes.status().message());
    return shapes;
  }

  // ---------------------------------------------------------------- weights

  Status EachTensor(const TorchFile& file, const Value& root, std::vector<Weight>& out) const {
    Status status = EachLeaf(root, [&](const std::string& name, const Value& value) -> Status {
      AOA_ASSIGN_OR_RETURN(auto tensor, file.TensorOf(value, name));
      if (!tensor) return Status();
      if (!IsUtf8(name)) return Status::Invalid(fmt::format("the name {} is not UTF-8", Quote(name)));
      out.push_back({name, *std::move(tensor), &file});
      return Status();
    });
    return std::move(status).WithContext(Printable(file.path()));
  }

  // Gives the items of the pipeline to the stages whose optimizers know them. A module that is tied to another one has
  // a name of its own in place of the item's number, and is on several stages.
  Status DealLayers() {
    layers_.resize(static_cast<size_t>(pp_ * tp_));
    std::vector<std::unordered_map<std::string, const Shape*>> known(static_cast<size_t>(pp_));
    for (int64_t p = 0; p < pp_; ++p) {
      for (const auto& group : shapes_[static_cast<size_t>(p * tp_)]) {
        for (const NamedShape& s : group) known[static_cast<size_t>(p)][s.name] = &s.shape;
      }
    }
    std::unordered_map<std::string, std::vector<int64_t>> tied;  // by the name's end: stages; the name is known[..]
    std::unordered_map<std::string, std::string> tied_names;
    for (int64_t p = 0; p < pp_; ++p) {
      for (const auto& [name, shape] : known[static_cast<size_t>(p)]) {
        size_t end = name.starts_with(kTied) ? name.find('.', kTied.size()) : std::string::npos;
        if (end == std::string::npos) continue;
        tied[name.substr(end + 1)].push_back(p);
        tied_names[name.substr(end + 1)] = name;
      }
    }
    int64_t stage = 0;
    for (const auto& [rank, path] : files_.layers) {
      const TorchFile& file = *by_path_.at(path);
      std::vector<Weight> weights;
      AOA_RETURN_IF_ERROR(EachTensor(file, file.root(), weights));
      auto in_item = [item = rank.first](const Weight& w) { return fmt::format("{}.{}", item, w.name); };
      for (int64_t p = 0; p < pp_; ++p) {
        if (std::any_of(weights.begin(), weights.end(),
                        [&](const Weight& w) { return known[static_cast<size_t>(p)].contains(in_item(w)); }))
          stage = p;
      }
      for (Weight& weight : weights) {
        std::string name = in_item(weight);
        std::vector<int64_t> stages = {stage};
        auto shared = tied.find(weight.name);
        if (!known[static_cast<size_t>(stage)].contains(name) && shared != tied.end()) {
          name = tied_names.at(weight.name);
          stages = shared->second;
        }
        weight.name = name;
        for (int64_t p : stages) layers_[static_cast<size_t>(p * tp_ + rank.second)].push_back(weight);
      }
    }
    return Status();
  }

  Status AddWeight(const Weight& weight) {
    const TorchTensor& tensor = weight.tensor;
    const StoredPart part{composite_.StoreOf(weight.file->path(), weight.file->size()), tensor.offset, tensor.bytes};
    types_[weight.name] = tensor.dtype;
    if (tensor.row_major) return composite_.Add(weight.name, tensor.dtype, tensor.shape, std::span(&part, 1));
    return composite_.AddStrided(weight.name, tensor.dtype, tensor.shape, tensor.strides, part);
  }

  // The weights of a rank that are stored as such. In ZeRO-3 they are placeholders without elements.
  Status AddWeights(int64_t m) {
    std::vector<Weight> weights;
    const auto number = static_cast<size_t>(m);
    if (!layers_.empty()) {
      weights = layers_[number];
    } else if (const Value* module = number < models_.size() ? models_[number]->root().Find("module") : nullptr) {
      AOA_RETURN_IF_ERROR(EachTensor(*models_[number], *module, weights));
    }
    if (weights.empty()) return Status::Invalid(fmt::format("{}: it has no weights", Printable(LabelOf(m))));
    std::unordered_map<std::string_view, const Shape*> shapes;
    for (const auto& group : shapes_[number]) {
      for (const NamedShape& s : group) shapes[s.name] = &s.shape;
    }
    for (const Weight& weight : weights) {
      auto it = shapes.find(weight.name);
      if (it == shapes.end()) {
        if (third_ && ElementCount(weight.tensor.shape) == 0) continue;  // frozen
        AOA_RETURN_IF_ERROR(AddWeight(weight));
        continue;
      }
      if (third_) {
        types_[weight.name] = weight.tensor.dtype;
      } else {
        if (weight.tensor.shape != *it->second) {
          return Broken(*weight.file, fmt::format("{} is {}, `param_shapes` says {}", Quote(weight.name),
                                                  aoa::ToString(weight.tensor.shape), aoa::ToString(*it->second)));
        }
        AOA_RETURN_IF_ERROR(AddWeight(weight));
      }
      shapes.erase(it);
    }
    if (shapes.empty() || third_) return Status();
    return Broken(*models_[number], fmt::format("`param_shapes` has {} parameters that no file holds, among them {}",
                                                shapes.size(), Quote(std::string(shapes.begin()->first))));
  }

  // ---------------------------------------------------------------- states

  Status AddStates(int64_t m) {
    std::vector<ZeroRank> ranks;
    for (int64_t d = 0; d < dp_; ++d) {
      const TorchFile* file = by_path_.at(files_.optimizers.at({d, m}));
      ranks.push_back({file, composite_.StoreOf(file->path(), file->size())});
    }
    AOA_ASSIGN_OR_RETURN(auto parameters, ReadZeroStates(shapes_[static_cast<size_t>(m)], ranks, schema_.notes));
    std::unordered_map<std::string_view, const ZeroParameter*> by_name;
    for (const ZeroParameter& p : parameters) {
      by_name[p.name] = &p;
      AOA_RETURN_IF_ERROR(AddParameter(p.name, p, m));
    }
    if (third_) return AddAliases(m, by_name);
    return Status();
  }

  Status AddParameter(const std::string& name, const ZeroParameter& p, int64_t m) {
    if (p.states.empty()) return Status();  // of no elements
    auto type = types_.find(p.name);
    const DType dtype =
        type != types_.end() ? type->second : RunDType(models_[static_cast<size_t>(m)]->root()).value_or(DType::kF32);
    if (third_) AOA_RETURN_IF_ERROR(composite_.Add(name, dtype, p.shape, p.states[0].parts, p.states[0].dtype));
    for (const ZeroState& state : p.states) {
      if (&state == &p.states[0] && dtype == state.dtype) continue;
      AOA_RETURN_IF_ERROR(composite_.Add(name + "." + state.role, state.dtype, p.shape, state.parts));
    }
    if (!p.step) return Status();
    return composite_.AddNumber(name + ".step", DType::kF32, std::bit_cast<uint32_t>(static_cast<float>(*p.step)));
  }

  // Other names of a parameter, which ZeRO-3's files hold once.
  Status AddAliases(int64_t m, const std::unordered_map<std::string_view, const ZeroParameter*>& by_name) {
    const Value* shared = models_[static_cast<size_t>(m)]->root().Find("shared_params");
    if (!shared) return Status();
    for (const auto& [alias, original] : MembersOf(*shared)) {
      if (!original->Is(Kind::kText) || original->outside || !IsUtf8(alias)) continue;
      auto it = by_name.find(original->text);
      if (it == by_name.end() || it->second->states.empty() || by_name.contains(alias)) continue;
      const DType dtype = types_.contains(original->text) ? types_.at(original->text) : DType::kF32;
      AOA_RETURN_IF_ERROR(
          composite_.Add(alias, dtype, it->second->shape, it->second->states[0].parts, it->second->states[0].dtype));
    }
    return Status();
  }

  // Parameters that are not trained: ZeRO-3 cuts them like the others, in the files of the model's states.
  Status AddFrozen(int64_t m) {
    const TorchFile& first = *models_[static_cast<size_t>(m)];
    AOA_ASSIGN_OR_RETURN(auto groups, ShapesOf(first.root().Find("frozen_param_shapes")));
    for (const auto& group : groups) {
      for (const NamedShape& frozen : group) {
        std::vector<StoredPart> parts;
        DType dtype = DType::kF32;
        int64_t rest = ElementCount(frozen.shape);
        for (int64_t d = 0; d < dp_ && rest > 0; ++d) {
          const TorchFile& file = *by_path_.at(files_.shards.at({d, m}));
          const Value* fragment = FindPath(file.root(), {"frozen_param_fragments", frozen.name});
          auto tensor = fragment ? file.TensorOf(*fragment, frozen.name) : std::optional<TorchTensor>();
          if (!tensor.ok()) return Broken(file, tensor.status().message());
          if (!*tensor || !(*tensor)->row_major)
            return Broken(file, fmt::format("it has no part of {}, which is frozen", Quote(frozen.name)));
          dtype = (*tensor)->dtype;
          const int64_t count = std::min(rest, ElementCount((*tensor)->shape));
          parts.push_back({composite_.StoreOf(file.path(), file.size()), (*tensor)->offset,
                           static_cast<uint64_t>(count) * static_cast<uint64_t>(Width(dtype))});
          rest -= count;
        }
        AOA_RETURN_IF_ERROR(composite_.Add(frozen.name, dtype, frozen.shape, parts));
      }
    }
    return Status();
  }

  // ---------------------------------------------------------------- ranks

  std::string LabelOf(int64_t m) const {
    return static_cast<size_t>(m) < models_.size() ? models_[static_cast<size_t>(m)]->path() : files_.folder;
  }

  Status ReadRank(int64_t m) {
    composite_.Begin(LabelOf(m), schema_.variant == "pipeline" ? (m / tp_ * dp_) * tp_ + m % tp_ : m);
    types_.clear();
    AOA_RETURN_IF_ERROR(AddWeights(m));
    if (!files_.optimizers.empty() && static_cast<size_t>(m) < models_.size() &&
        !shapes_[static_cast<size_t>(m)].empty()) {
      AOA_RETURN_IF_ERROR(AddStates(m));
    } else if (third_) {
      return Status::Invalid(fmt::format("{}: ZeRO-3 keeps weights in the optimizer's files, and there are none",
                                         Printable(files_.folder)));
    }
    if (third_ && !files_.shards.empty()) AOA_RETURN_IF_ERROR(AddFrozen(m));
    composite_.End();
    return Status();
  }

  void Keep() {
    auto kept = KeepDeepSpeed(files_);
    if (!models_.empty()) {
      schema_.iteration = NumberIn(models_[0]->root().Find("global_steps"));
      if (const Value* args = models_[0]->root().Find("args")) schema_.config = JsonOf(*args).dump();
    }
    const std::string model = models_.empty() ? "" : models_[0]->path();
    const std::string optimizer = files_.optimizers.empty() ? "" : files_.optimizers.begin()->second;
    for (TorchFile& file : opened_) {  // the last step: what points into them is done
      if (file.path() == model)
        kept->model = std::move(file);
      else if (file.path() == optimizer)
        kept->optimizer = std::move(file);
    }
    const Value* state = kept->optimizer ? OptimizerIn(kept->optimizer->root()) : nullptr;
    kept->groups = GroupsOf(shapes_, state ? ParamGroupsIn(*state) : nullptr);
    schema_.preserved = std::move(kept);
  }

  DeepSpeedFiles files_;
  const ReadOptions& options_;
  Schema& schema_;
  CompositeSchema composite_;
  std::vector<TorchFile> opened_;
  std::unordered_map<std::string, const TorchFile*> by_path_;
  std::vector<const TorchFile*> models_;                      // by model-parallel rank; may be none
  std::vector<std::vector<std::vector<NamedShape>>> shapes_;  // by model-parallel rank, group
  std::vector<std::vector<Weight>> layers_;                   // of a pipeline, by model-parallel rank
  std::unordered_map<std::string, DType> types_;              // of the rank's weights
  int64_t pp_ = 1, dp_ = 1, tp_ = 1;
  bool third_ = false;
};

}  // namespace

std::shared_ptr<DeepSpeedKept> KeepDeepSpeed(const DeepSpeedFiles& files) {
  constexpr uint64_t kLongestScript = 1 << 20;
  auto kept = std::make_shared<DeepSpeedKept>();
  kept->tag = files.tag;
  for (std::string_view name : kDeepSpeedScripts) {
    auto text = io::ReadSmallFile((fs::path(files.folder) / ".." / name).native(), kLongestScript);
    if (text.ok()) kept->scripts.push_back({std::string(name), *std::move(text)});
  }
  return kept;
}

std::optional<DType> RunDType(const Value& root) {
  for (auto [key, type] :
       {std::pair("bf16", DType::kBF16), std::pair("bfloat16", DType::kBF16), std::pair("fp16", DType::kF16)}) {
    if (NumberIn(FindPath(root, {"ds_config", key, "enabled"})) == 1) return type;
  }
  return std::nullopt;
}

Result<Schema> ReadDeepSpeed(const std::string& path, const ReadOptions& options) {
  AOA_ASSIGN_OR_RETURN(DeepSpeedFiles files, FindDeepSpeedFiles(path));
  Schema schema;
  schema.path = path;
  schema.format = "deepspeed";
  schema.notes = files.notes;
  const auto steps = StepsInTag(files.tag);
  if (files.universal()) {
    AOA_RETURN_IF_ERROR(ReadUniversal(files, options.threads, schema));
  } else {
    AOA_RETURN_IF_ERROR(Reader(std::move(files), options, schema).Read());
  }
  // A trainer around DeepSpeed counts its own steps, and names the folder by them.
  if (steps) schema.iteration = steps;
  if (schema.config.empty()) {
    AOA_ASSIGN_OR_RETURN(schema.config, ReadConfig(path));
  }
  return schema;
}

}  // namespace aoa::formats
