#include "runtime/formats/megatron_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "compiler/core/check.h"
#include "runtime/formats/megatron_buffers.h"
#include "runtime/formats/megatron_values.h"
#include "runtime/formats/megatron_weights.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_copy.h"
#include "runtime/formats/torch_dtype.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {
namespace {

using pickle::Value;

constexpr std::string_view kMoments[] = {kExpAvg, kExpAvgSq};

// A weight with its states, as numbers in the rank's table.
struct Weight {
  uint32_t number = 0;
  std::string name;  // in its virtual stage
  size_t chunk = 0;
  std::map<std::string_view, uint32_t> states;  // by ending
};

// A file under construction: an object whose tensors are those of the table, or parts of larger ones.
class FileMaker {
 public:
  FileMaker(const std::vector<TargetTensor>& table) : table_(table), storages_(TorchFile::Container::kZip, tree_) {}

  pickle::Tree& tree() { return tree_; }
  TorchStorages& storages() { return storages_; }

  // A value that stands for a tensor of the table. Asked for again it is the same.
  const Value* Tensor(uint32_t number) {
    auto [it, added] = values_.try_emplace(number, nullptr);
    if (!added) return it->second;
    const TargetTensor& tensor = table_[number];
    const auto storage = storages_.Add(tensor.dtype, ElementCount(tensor.shape));
    places_.push_back({number, storage, 0});
    return it->second = storages_.Tensor(storage, tensor.shape);
  }

  // A flat tensor of zeros, with tensors of the table at places of its own.
  const Value* Flat(DType dtype, int64_t elements, std::vector<std::pair<uint32_t, int64_t>> parts) {
    const auto storage = storages_.Add(dtype, elements);
    std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    int64_t end = 0;
    for (auto [number, begin] : parts) {
      if (begin > end) gaps_.push_back({storage, end, begin - end});
      places_.push_back({number, storage, begin});
      end = begin + ElementCount(table_[number].shape);
    }
    if (elements > end) gaps_.push_back({storage, end, elements - end});
    return storages_.Tensor(storage, {elements});
  }

  Result<TargetFile> Finish(const std::string& path, const Value& object) {
    AOA_ASSIGN_OR_RETURN(TorchLayout layout, LayOutTorch(path, object, storages_));
    auto at = [&](uint32_t storage, int64_t element) {
      return layout.storages[storage] + static_cast<uint64_t>(element * Width(storages_.dtype(storage)));
    };
    std::vector<PlacedTensor> placed;
    for (const Place& place : places_) placed.push_back({place.number, at(place.storage, place.begin)});
    std::vector<Insert> zeros;
    for (const Gap& gap : gaps_)
      zeros.push_back({at(gap.storage, gap.begin), nullptr,
                       static_cast<uint64_t>(gap.count * Width(storages_.dtype(gap.storage)))});
    return TorchTargetFile(path, std::move(layout), std::move(placed), std::move(zeros));
  }

 private:
  struct Place {
    uint32_t number = 0, storage = 0;
    int64_t begin = 0;
  };
  struct Gap {
    uint32_t storage = 0;
    int64_t begin = 0, count = 0;
  };

  const std::vector<TargetTensor>& table_;
  pickle::Tree tree_;
  TorchStorages storages_;
  std::map<uint32_t, const Value*> values_;
  std::vector<Place> places_;
  std::vector<Gap> gaps_;
};

class RankMaker {
 public:
  RankMaker(const std::vector<TargetTensor>& table, const MegatronTarget& target) : table_(table), target_(target) {}

  Result<std::vector<TargetFile>> Make(const std::string& folder) {
    AOA_RETURN_IF_ERROR(FindWeights());
    std::vector<TargetFile> files;
    if (target_.distributed && has_states_) {
      AOA_ASSIGN_OR_RETURN(files.emplace_back(), MakeBuffers(folder + std::string(kMegatronBuffers)));
    }
    AOA_ASSIGN_OR_RETURN(files.emplace_back(), MakeModel(folder + std::string(kMegatronFile)));
    return files;
  }

 private:
  // ---------------------------------------------------------------- weights and their states

  Status FindWeights() {
    AOA_ASSIGN_OR_RETURN(std::vector<MegatronTargetWeight> found, FindMegatronWeights(table_));
    for (std::string_view ending : {kMaster, kExpAvg, kExpAvgSq}) has_states_ |= HasState(found, ending);
    for (MegatronTargetWeight& weight : found)
      weights_.push_back({weight.number, table_[weight.number].name, 0, std::move(weight.states)});
    return DealLayers();
  }

  // Layers go to virtual stages in equal parts; what stands before them is on the first, what comes behind on the last.
  Status DealLayers() {
    const int64_t chunks = target_.mesh.vpp;
    int64_t layers = 0;
    for (const Weight& weight : weights_) {
      if (auto layer = FindMegatronLayer(weight.name)) layers = std::max(layers, layer->number + 1);
    }
    if (layers % chunks != 0)
      return Status::Invalid(fmt::format("{} layers of a stage do not divide into {} virtual stages", layers, chunks));
    layers_ = layers;
    const int64_t each = std::max<int64_t>(layers / chunks, 1);
    size_t chunk = 0;
    for (Weight& weight : weights_) {
      auto layer = FindMegatronLayer(weight.name);
      if (layer) {
        chunk = static_cast<size_t>(layer->number / each);
        RenumberMegatronLayer(weight.name, *layer, layer->number % each);
      }
      const bool behind = !layer && chunk > 0;
      weight.chunk = behind ? static_cast<size_t>(chunks - 1) : chunk;
    }
    return Status();
  }

  Result<uint32_t> StateOf(const Weight& weight, std::string_view ending) const {
    auto it = weight.states.find(ending);
    if (it != weight.states.end()) return it->second;
    return Status::Invalid(fmt::format("{} has no state `{}`, which others have", Quote(weight.name), ending));
  }

  bool Has(std::string_view ending) const {
    return std::any_of(weights_.begin(), weights_.end(), [&](const Weight& w) { return w.states.contains(ending); });
  }

  // ---------------------------------------------------------------- the model's file

  Result<TargetFile> MakeModel(const std::string& path) {
    FileMaker file(table_);
    pickle::Tree& tree = file.tree();
    std::optional<TorchCopier> copier;
    if (target_.like) copier.emplace(target_.like->file, file.storages(), tree);
    Value* root = tree.Dict();
    AOA_ASSIGN_OR_RETURN(const Value* args, MakeArguments(copier ? &*copier : nullptr, tree));
    tree.Set(root, "args", args);
    tree.Set(root, "checkpoint_version", tree.Float(3.0));
    tree.Set(root, "iteration", tree.Int(target_.iteration));
    const auto chunks = static_cast<size_t>(target_.mesh.vpp);
    for (size_t chunk = 0; chunk < chunks; ++chunk)
      tree.Set(root, chunks > 1 ? fmt::format("model{}", chunk) : "model", MakeChunk(file, chunk));
    if (has_states_) {
      AOA_ASSIGN_OR_RETURN(const Value* optimizer, MakeOptimizer(file));
      tree.Set(root, "optimizer", optimizer);
    }
    if (copier) AOA_RETURN_IF_ERROR(KeepMegatronOthers(*target_.like, target_.same_rank, *copier, root));
    return file.Finish(path, *root);
  }

  const Value* MakeChunk(FileMaker& file, size_t chunk) {
    NestedDictionary model(file.tree());
    for (const Weight& weight : weights_) {
      if (weight.chunk == chunk) model.Set(MegatronPath(weight.name), file.Tensor(weight.number));
    }
    return model.root();
  }

  Result<const Value*> MakeArguments(TorchCopier* copier, pickle::Tree& tree) {
    const Value* like = nullptr;
    const Value* own = target_.like ? target_.like->root().Find("args") : nullptr;
    if (own) {
      AOA_ASSIGN_OR_RETURN(like, copier->Copy(*own));
    }
    MegatronFacts facts;
    facts.layers = layers_;
    facts.distributed = target_.distributed && has_states_;
    facts.dtype = weights_.empty() ? DType::kF32 : table_[weights_[0].number].dtype;
    AOA_ASSIGN_OR_RETURN(nlohmann::json arguments, TargetArguments(target_, facts, like != nullptr));
    return MakeMegatronArguments(arguments, like, tree);
  }

  // ---------------------------------------------------------------- optimizers

  Result<const Value*> MakeOptimizer(FileMaker& file) {
    pickle::Tree& tree = file.tree();
    std::vector<const Weight*> groups[2];  // those whose size decays, and the others
    for (const Weight& weight : weights_)
      groups[DecaysInMegatron(weight.name, table_[weight.number].shape) ? 0 : 1].push_back(&weight);
    Value *states = tree.Dict(), *inner = tree.Dict();
    std::vector<const Value*> described, masters;
    int64_t number = 0;
    const Value* step = target_.distributed ? CommonStep(file) : nullptr;
    for (size_t g = 0; g < 2; ++g) {
      if (groups[g].empty()) continue;
      AOA_ASSIGN_OR_RETURN(Value * group, MakeMegatronGroup(target_.like, g == 0, file.storages(), tree));
      std::vector<const Value*> numbers, own;
      for (const Weight* weight : groups[g]) {
        if (!target_.distributed) AddStates(file, *weight, number, states, own);
        numbers.push_back(tree.Int(number++));
      }
      if (!target_.distributed) tree.Set(group, "params", tree.List(std::move(numbers)));
      if (step) tree.Set(group, kStep, step);
      described.push_back(group);
      masters.push_back(tree.List(std::move(own)));
    }
    if (!target_.distributed) tree.Set(inner, "state", states);
    tree.Set(inner, "param_groups", tree.List(std::move(described)));
    if (!target_.distributed && !Has(kMaster)) return inner;
    Value* outer = tree.Dict();
    tree.Set(outer, "optimizer", inner);
    if (!target_.distributed) tree.Set(outer, "fp32_from_fp16_params", tree.List(std::move(masters)));
    AOA_ASSIGN_OR_RETURN(const Value* scaler, MakeMegatronScaler(target_.like, false, file.storages(), tree));
    if (scaler) tree.Set(outer, "grad_scaler", scaler);
    return outer;
  }

  void AddStates(FileMaker& file, const Weight& weight, int64_t number, Value* states,
                 std::vector<const Value*>& masters) {
    pickle::Tree& tree = file.tree();
    Value* own = tree.Dict();
    for (std::string_view ending : {kStep, kMoments[0], kMoments[1]}) {
      if (auto it = weight.states.find(ending); it != weight.states.end())
        tree.Set(own, ending, file.Tensor(it->second));
      else if (ending == kStep)
        tree.Set(own, ending, StepOfIteration(file));
    }
    if (auto it = weight.states.find(kMaster); it != weight.states.end()) masters.push_back(file.Tensor(it->second));
    states->entries.insert(states->entries.end(), {tree.Int(number), own});
  }

  // Optimizers are not loaded without a step. Each weight has a tensor of its own: steps are counted in place.
  const Value* StepOfIteration(FileMaker& file) const {
    const auto step = static_cast<float>(target_.iteration);
    std::string bytes(sizeof(step), '\0');
    std::memcpy(bytes.data(), &step, sizeof(step));
    return file.storages().Tensor(file.storages().AddContent(DType::kF32, std::move(bytes)), {});
  }

  // The distributed optimizer has one step, in its groups. They share one tensor: readers look for one value.
  const Value* CommonStep(FileMaker& file) const {
    for (const Weight& weight : weights_) {
      if (auto it = weight.states.find(kStep); it != weight.states.end()) return file.Tensor(it->second);
    }
    return file.tree().Float(static_cast<double>(target_.iteration));
  }

  // One bucket per virtual stage: what runs write that do not overlap the reduction of gradients.
  Result<TargetFile> MakeBuffers(const std::string& path) {
    FileMaker file(table_);
    pickle::Tree& tree = file.tree();
    Value* root = tree.Dict();
    tree.Set(root, "buckets_coalesced", tree.Bool(true));
    for (size_t chunk = 0; chunk < static_cast<size_t>(target_.mesh.vpp); ++chunk) {
      AOA_ASSIGN_OR_RETURN(const Value* buffer, MakeBuffer(file, chunk));
      root->entries.insert(root->entries.end(), {tree.Int(static_cast<int64_t>(chunk)), buffer});
    }
    return file.Finish(path, *root);
  }

  Result<const Value*> MakeBuffer(FileMaker& file, size_t chunk) {
    pickle::Tree& tree = file.tree();
    std::vector<const Weight*> weights;
    std::vector<BufferParameter> parameters;
    for (const Weight& weight : weights_) {
      if (weight.chunk != chunk) continue;
      weights.push_back(&weight);
      parameters.push_back({ElementCount(table_[weight.number].shape), SharesEmbedding(weight)});
    }
    const BufferLayout layout = LayOutBuffer(parameters, {0, 64, target_.mesh.dp});
    Value *values = tree.Dict(), *buffer = tree.Dict();
    std::optional<DType> type;
    for (std::string_view ending : {kMaster, kMoments[0], kMoments[1]}) {
      if (ending != kMaster && !Has(ending)) continue;
      std::vector<std::pair<uint32_t, int64_t>> parts;
      for (size_t i = 0; i < weights.size(); ++i) {
        const DType dtype = table_[weights[i]->number].dtype;
        if (type.value_or(dtype) != dtype)
          return Status::Invalid("the distributed optimizer's file is of weights of one element type");
        type = dtype;
        uint32_t number = weights[i]->number;  // an f32 weight is its own master
        if (ending != kMaster || dtype != DType::kF32) {
          AOA_ASSIGN_OR_RETURN(number, StateOf(*weights[i], ending));
        }
        parts.emplace_back(number, layout.begins[i]);
      }
      tree.Set(values, ending == kMaster ? "param" : ending, file.Flat(DType::kF32, layout.elements, std::move(parts)));
    }
    tree.Set(values, "numel_unpadded", tree.Int(layout.elements));
    const Value* key =
        tree.Tuple({tree.Global(TorchDTypeName(type.value_or(DType::kF32))), tree.Global("torch float32")});
    buffer->entries.insert(buffer->entries.end(), {key, values});
    return buffer;
  }

  // Whether the weight is an embedding that the first stage and the last have both.
  bool SharesEmbedding(const Weight& weight) const {
    if (target_.mesh.pp == 1 || !IsMegatronEmbedding(weight.name) || target_.config.empty()) return false;
    auto config = nlohmann::json::parse(target_.config, nullptr, false);
    return config.is_object() && config.value("untie_embeddings_and_output_weights", nlohmann::json()) == false;
  }

  const std::vector<TargetTensor>& table_;
  const MegatronTarget& target_;
  std::vector<Weight> weights_;
  bool has_states_ = false;
  int64_t layers_ = 0;
};

}  // namespace

Result<std::vector<TargetFile>> LayOutMegatronRank(const std::vector<TargetTensor>& table, const MegatronTarget& target,
                                                   const std::string& folder) {
  return RankMaker(table, target).Make(folder);
}

}  // namespace aoa::formats
