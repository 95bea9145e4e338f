#include "runtime/formats/megatron_dist_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compiler/core/sharding.h"
#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/dcp_target.h"
#include "runtime/formats/megatron_dist.h"
#include "runtime/formats/megatron_dist_buckets.h"
#include "runtime/formats/megatron_dist_model.h"
#include "runtime/formats/megatron_dist_objects.h"
#include "runtime/formats/megatron_folder.h"
#include "runtime/formats/megatron_rank.h"
#include "runtime/formats/megatron_weights.h"
#include "runtime/formats/megatron_writer.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

constexpr const char* kConfigText =
    R"({"sharded_backend": "torch_dist", "sharded_backend_version": 1, "common_backend": "torch", )"
    R"("common_backend_version": 1})";

// How tensor-parallel ranks share a tensor, by the cuts of its side.
Result<DistTensor> TensorOf(const TargetTensor& block, const Shardings& shardings, const Mesh& mesh) {
  DistTensor out{block.name, block.dtype, block.shape, IsStackedName(block.name)};
  const uint32_t number = shardings.Find(block.name);
  const Sharding* sharding = number == Shardings::kNone ? nullptr : shardings.At(number, 0);
  const auto tp = mesh.Find("tp");
  const size_t outermost = out.stacked ? 1 : 0;
  bool fits = !out.stacked || !out.whole.empty();
  for (size_t axis = 0; sharding && axis < sharding->cuts.size(); ++axis) {
    const int64_t parts = sharding->parts.empty() ? 1 : sharding->parts[axis];
    if (sharding->cuts[axis].empty() && parts == 1) continue;
    fits &= out.axis == DistTensor::kWhole && axis >= outermost && (parts == 1 || axis == outermost);
    for (size_t by : sharding->cuts[axis]) fits &= tp && by == *tp;
    out.axis = axis;
    out.parts = parts;
    if (!sharding->cuts[axis].empty()) out.whole[axis] *= mesh.axes[*tp].size;
  }
  if (fits) return out;
  return Status::Invalid(
      fmt::format("{} is cut in another way than over tensor-parallel ranks along one axis behind "
                  "that of layers, which is all that Megatron's checkpoints know",
                  Quote(block.name)));
}

// A piece of a bucket: elements [begin, end) of it, and whose they are; nobody's between parameters.
struct Piece {
  int64_t begin = 0, end = 0;
  std::optional<size_t> parameter;
  int64_t first = 0;  // in the parameter
};

// The pieces of [begin, end) of a bucket. Parameters are in the order of the model, the reverse of the bucket's.
std::vector<Piece> PiecesOf(const BufferBucket& bucket, const std::vector<int64_t>& begins,
                            const std::vector<int64_t>& elements, int64_t begin, int64_t end) {
  std::vector<Piece> pieces;
  int64_t at = begin;
  for (size_t i = begins.size(); i-- > 0;) {
    const int64_t own = begins[i] - bucket.begin, lo = std::max(own, at), hi = std::min(own + elements[i], end);
    if (own < 0 || hi <= lo) continue;
    if (lo > at) pieces.push_back({at, lo, std::nullopt, 0});
    pieces.push_back({lo, hi, i, lo - own});
    at = hi;
  }
  if (end > at) pieces.push_back({at, end, std::nullopt, 0});
  return pieces;
}

class Writer {
 public:
  Writer(const TargetContent& content, const WriteOptions& options)
      : content_(content),
        options_(options),
        preserved_(dynamic_cast<const MegatronPreserved*>(options.preserved.get())) {}

  Result<TargetLayout> LayOut() {
    AOA_ASSIGN_OR_RETURN(axes_, FindMegatronAxes(content_.axes));
    mesh_ = axes_.SizesIn(content_.axes);
    AOA_RETURN_IF_ERROR(FindTensors());
    AOA_RETURN_IF_ERROR(MakeRun());
    AOA_RETURN_IF_ERROR(DealLayers());
    const std::string folder = IterationFolderName(run_.target.iteration) + "/";
    auto [first, table] = content_.ranks.front();
    TargetLayout layout;
    AOA_ASSIGN_OR_RETURN(layout.files.emplace_back(),
                         LayOutDistCommon(run_, folder + std::string(kDistCommon), first, table));
    metadata_.paths = false;
    size_t next = 0;
    for (int64_t rank = 0; rank < content_.axes.ranks(); ++rank) {  // of ranks that are not written the metadata speak
      DcpTargetFile file(fmt::format("{}__{}_0.distcp", folder, rank), rank);
      AOA_RETURN_IF_ERROR(AddRank(rank, file));
      while (next < content_.ranks.size() && content_.ranks[next].first < rank) ++next;
      if (!file.empty() && next < content_.ranks.size() && content_.ranks[next].first == rank)
        layout.files.push_back(std::move(file).Finish(content_.ranks[next].second));
    }
    AOA_ASSIGN_OR_RETURN(std::string text, DcpMetadataText(metadata_));
    layout.extras.push_back({folder + std::string(kDcpMetadata), std::move(text)});
    layout.extras.push_back({folder + std::string(kDistConfig), kConfigText});
    layout.extras.push_back({std::string(kTracker), std::to_string(run_.target.iteration)});
    return layout;
  }

 private:
  const std::vector<TargetTensor>& table() const { return content_.tables[content_.ranks.front().second]; }

  // ---------------------------------------------------------------- what there is

  Status FindTensors() {
    if (!content_.shardings)
      return Status::Invalid(
          "a tensor of this side is cut, or kept on stages, in a way that Megatron's distributed "
          "checkpoints do not know");
    for (const auto& other : content_.tables) {
      if (other.size() != table().size())
        return Status::Invalid("ranks of a distributed checkpoint hold different tensors");
    }
    AOA_ASSIGN_OR_RETURN(weights_, FindMegatronWeights(table()));
    for (const MegatronTargetWeight& weight : weights_) {
      AOA_ASSIGN_OR_RETURN(DistTensor tensor, TensorOf(table()[weight.number], *content_.shardings, content_.axes));
      tensors_.push_back(std::move(tensor));
    }
    return Status();
  }

  Status MakeRun() {
    MegatronTarget target;
    target.mesh = mesh_;
    target.iteration = MegatronIteration(options_);
    target.config = options_.config;
    target.dist = true;
    if (preserved_) target.like = &preserved_->ranks[0];
    for (const DistTensor& tensor : tensors_) {
      if (tensor.whole.size() == 2 && IsMegatronEmbedding(tensor.name)) target.vocabulary = tensor.whole[0];
    }
    const DType dtype = tensors_.empty() ? DType::kF32 : tensors_[0].dtype;
    AOA_ASSIGN_OR_RETURN(run_, MakeDistRun(std::move(target), options_.variant, dtype));
    for (std::string_view ending : {kMaster, kExpAvg, kExpAvgSq}) run_.has_states |= HasState(weights_, ending);
    run_.has_masters = HasState(weights_, kMaster);
    run_.step = StepOf(weights_);
    if (run_.step) run_.step_dtype = table()[*run_.step].dtype;
    for (const DistTensor& tensor : tensors_) {
      const Shape own(tensor.whole.begin() + (tensor.stacked ? 1 : 0), tensor.whole.end());
      run_.groups[DecaysInMegatron(tensor.name, own) ? 0 : 1] = true;
      if (run_.distributed() && tensor.dtype != dtype)
        return Status::Invalid("the distributed optimizer's checkpoints are of weights of one element type");
    }
    return Status();
  }

  // Stages have equal parts of the layers; where only files are divided, the last ones may have fewer.
  Status DealLayers() {
    for (const DistTensor& tensor : tensors_) {
      if (!tensor.stacked) continue;
      if (layers_ > 0 && tensor.whole[0] != layers_)
        return Status::Invalid(
            fmt::format("{} has {} layers, others have {}", Quote(tensor.name), tensor.whole[0], layers_));
      layers_ = tensor.whole[0];
    }
    if (InBuckets() && layers_ % mesh_.pp != 0)
      return Status::Invalid(
          fmt::format("{} layers do not divide into {} stages, whose buckets the variant `{}` stores", layers_,
                      mesh_.pp, kDpReshardable));
    return Status();
  }

  DistStage StageOf(int64_t pp) const {
    const int64_t each = (layers_ + mesh_.pp - 1) / mesh_.pp, begin = std::min(layers_, pp * each);
    return {begin, std::min(layers_, begin + each), pp == 0, pp == mesh_.pp - 1};
  }

  bool InBuckets() const { return run_.has_states && run_.variant == kDpReshardable; }

  // ---------------------------------------------------------------- metadata

  void Note(const std::string& name, DType dtype, const Shape& whole, DcpChunk chunk) {
    auto [it, added] = numbers_.try_emplace(name, metadata_.tensors.size());
    if (added) metadata_.tensors.push_back({name, dtype, whole, {}});
    metadata_.tensors[it->second].chunks.push_back(std::move(chunk));
  }

  // ---------------------------------------------------------------- ranks

  Status AddRank(int64_t rank, DcpTargetFile& file) {
    const std::vector<int64_t> coordinates = content_.axes.Coordinates(rank);
    const int64_t t = MegatronAxes::At(axes_.tp, coordinates), d = MegatronAxes::At(axes_.dp, coordinates),
                  pp = MegatronAxes::At(axes_.pp, coordinates);
    const DistStage stage = StageOf(pp);
    if (rank == 0) KeepRandom(file);
    if (d == 0) {
      if (t == 0) AOA_RETURN_IF_ERROR(AddExtraStates(stage, file));
      for (size_t i = 0; i < weights_.size(); ++i) AOA_RETURN_IF_ERROR(AddWeight(i, stage, t, file));
    }
    return InBuckets() ? AddBuckets(stage, pp * mesh_.tp + t, d, file) : Status();
  }

  // The states of random generators, where there are the same ranks to have them.
  void KeepRandom(DcpTargetFile& file) {
    if (!preserved_ || !preserved_->distributed || preserved_->mesh.tp != mesh_.tp || preserved_->mesh.pp != mesh_.pp)
      return;
    for (const auto& [name, bytes] : preserved_->objects) metadata_.bytes[name] = file.AddBytes(bytes);
  }

  // Linear layers, Megatron's own too, ask for what they keep beside their tensors.
  Status AddExtraStates(const DistStage& stage, DcpTargetFile& file) {
    constexpr std::string_view kWeight = ".weight", kLinear = ".linear_";
    for (const DistTensor& tensor : tensors_) {
      if (!tensor.stacked || !tensor.name.ends_with(kWeight) || tensor.name.find(kLinear) == std::string::npos)
        continue;
      const std::string layer = tensor.name.substr(0, tensor.name.size() - kWeight.size());
      for (int64_t l = stage.begin; l < stage.end; ++l) {
        AOA_ASSIGN_OR_RETURN(DcpItem item, AddNoExtraState(file));
        metadata_.bytes[fmt::format("{}._extra_state/shard_{}_{}", layer, l, layers_)] = std::move(item);
      }
    }
    return Status();
  }

  Status AddWeight(size_t i, const DistStage& stage, int64_t t, DcpTargetFile& file) {
    const DistTensor& tensor = tensors_[i];
    if (tensor.axis == DistTensor::kWhole && t > 0) return Status();
    if (!tensor.stacked) {
      const bool here = tensor.name.starts_with("embedding.") ? stage.first : stage.last;
      return here ? AddLayer(i, 0, t, file) : Status();
    }
    for (int64_t layer = stage.begin; layer < stage.end; ++layer) AOA_RETURN_IF_ERROR(AddLayer(i, layer, t, file));
    return Status();
  }

  // A layer of a weight, and of its states if they have its shape.
  Status AddLayer(size_t i, int64_t layer, int64_t t, DcpTargetFile& file) {
    const MegatronTargetWeight& weight = weights_[i];
    AOA_RETURN_IF_ERROR(AddBoxes(i, tensors_[i].name, weight.number, layer, t, file));
    if (!run_.has_states || InBuckets()) return Status();
    const bool reshardable = run_.variant == kFullyReshardable;
    for (const DistState& state : kDistStates) {
      const bool master = state.ending == kMaster;
      auto number = StateOf(i, state.ending);
      if (!number || (master && *number == weight.number && !reshardable)) continue;
      const std::string_view key = master && !reshardable ? "fp32_param" : state.key;
      AOA_RETURN_IF_ERROR(
          AddBoxes(i, fmt::format("{}{}.{}", kDistStatePrefix, key, tensors_[i].name), *number, layer, t, file));
    }
    return Status();
  }

  // The number of a state; an f32 weight is its own master.
  std::optional<uint32_t> StateOf(size_t i, std::string_view ending) const {
    auto it = weights_[i].states.find(ending);
    if (it != weights_[i].states.end()) return it->second;
    if (ending == kMaster && tensors_[i].dtype == DType::kF32) return weights_[i].number;
    return std::nullopt;
  }

  Status AddBoxes(size_t i, const std::string& name, uint32_t number, int64_t layer, int64_t t, DcpTargetFile& file) {
    const int64_t before = layer * ParameterElements(tensors_[i], mesh_.tp);
    const DType dtype = table()[number].dtype;
    for (const DistBox& box : BoxesOf(tensors_[i], layer, t, mesh_.tp)) {
      const DcpRun run{number, before + box.first, box.count, 0};
      DcpChunk chunk{box.at, box.shape, {}};
      AOA_ASSIGN_OR_RETURN(chunk.item, file.AddChunk(dtype, box.shape, std::span(&run, 1)));
      Note(name, dtype, tensors_[i].whole, std::move(chunk));
    }
    return Status();
  }

  // ---------------------------------------------------------------- buckets

  // One buffer for each stage, in one bucket: what runs write that do not overlap the reduction of gradients. An
  // embedding that two stages share has a bucket of its own.
  Status AddBuckets(const DistStage& stage, int64_t group, int64_t d, DcpTargetFile& file) {
    auto parameters = ParametersOf(tensors_, stage, run_.order);
    if (!parameters)
      return Status::Invalid(
          fmt::format("the variant `{}` keeps states by the order of the model's parameters, which is "
                      "known here for decoders of dense layers",
                      kDpReshardable));
    std::vector<BufferParameter> sizes;
    std::vector<int64_t> elements;
    for (const DistParameter& parameter : *parameters) {
      elements.push_back(ParameterElements(tensors_[parameter.tensor], mesh_.tp));
      sizes.push_back({elements.back(), parameter.alone});
    }
    const BufferLayout layout = LayOutBuffer(sizes, {0, 64, mesh_.dp, false});
    if (d == 0) AOA_RETURN_IF_ERROR(AddGroupObjects(layout, group, file));
    for (size_t k = 0; k < layout.buckets.size(); ++k) {
      const BufferBucket& bucket = layout.buckets[k];
      const int64_t share = bucket.padded / mesh_.dp;
      const std::vector<Piece> pieces = PiecesOf(bucket, layout.begins, elements, std::min(d * share, bucket.elements),
                                                 std::min((d + 1) * share, bucket.elements));
      const std::string prefix = DistBucketPrefix(group, 0, BufferTypes(run_), static_cast<int64_t>(k));
      for (const DistState& state : kDistStates) {
        const bool there = state.ending == kMaster || HasState(weights_, state.ending);
        if (there) AOA_RETURN_IF_ERROR(AddPieces(prefix, state, pieces, *parameters, bucket.elements, file));
      }
    }
    return Status();
  }

  Status AddGroupObjects(const BufferLayout& layout, int64_t group, DcpTargetFile& file) {
    const std::string prefix = DistGroupPrefix(group);
    std::vector<int64_t> lengths, padded;
    for (const BufferBucket& bucket : layout.buckets) {
      lengths.push_back(bucket.elements);
      padded.push_back(bucket.padded);
    }
    auto object = [&](const char* name) -> DcpItem& { return metadata_.bytes[prefix + name + "/shard_0_1"]; };
    AOA_ASSIGN_OR_RETURN(object("optimizer"), AddDistGroups(run_, file));
    AOA_ASSIGN_OR_RETURN(auto scaler, AddDistScaler(run_, file));
    if (scaler) object("grad_scaler") = *std::move(scaler);
    AOA_ASSIGN_OR_RETURN(object("per_bucket_numel"), AddBucketLengths(run_, {padded}, file));
    AOA_ASSIGN_OR_RETURN(object("per_bucket_numel_unpadded"), AddBucketLengths(run_, {lengths}, file));
    return Status();
  }

  Status AddPieces(const std::string& prefix, const DistState& state, const std::vector<Piece>& pieces,
                   const std::vector<DistParameter>& parameters, int64_t length, DcpTargetFile& file) {
    const std::string name = prefix + std::string(state.key);
    for (const Piece& piece : pieces) {
      const Shape shape = {piece.end - piece.begin};
      DcpChunk chunk{{piece.begin}, shape, {}};
      std::vector<DcpRun> runs;
      if (piece.parameter) {
        const DistParameter& parameter = parameters[*piece.parameter];
        const DistTensor& tensor = tensors_[parameter.tensor];
        auto number = StateOf(parameter.tensor, state.ending);
        if (!number)
          return Status::Invalid(
              fmt::format("{} has no state `{}`, which others have", Quote(tensor.name), state.ending));
        const int64_t before = parameter.layer * ParameterElements(tensor, mesh_.tp);
        runs.push_back({*number, before + piece.first, shape[0], 0});
      }
      AOA_ASSIGN_OR_RETURN(chunk.item, file.AddChunk(DType::kF32, shape, runs));
      Note(name, DType::kF32, {length}, std::move(chunk));
    }
    return Status();
  }

  const TargetContent& content_;
  const WriteOptions& options_;
  const MegatronPreserved* preserved_;
  MegatronAxes axes_;
  MegatronMesh mesh_;
  std::vector<MegatronTargetWeight> weights_;
  std::vector<DistTensor> tensors_;  // of the weights
  DistRun run_;
  int64_t layers_ = 0;
  DcpMetadata metadata_;
  std::map<std::string, size_t> numbers_;  // of its tensors, by name
};

}  // namespace

Result<TargetLayout> LayOutMegatronDist(const TargetContent& content, const WriteOptions& options) {
  return Writer(content, options).LayOut();
}

}  // namespace aoa::formats
