#include "runtime/formats/megatron_dist_buckets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "compiler/core/text.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/dcp_files.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kAlignment = 64;  // of parameters in a bucket
constexpr std::string_view kGroup = "dp_group_idx_", kBuffer = "gbuf_idx_", kTypes = "dtype_", kBucket = "bucket_idx_";

struct Bucket {
  int64_t length = 0;
  std::map<std::string, const DcpTensor*, std::less<>> states;
  std::set<int64_t> bounds;  // where chunks begin and end
};

using Buffer = std::vector<Bucket>;
using Group = std::vector<Buffer>;

// Takes "PREFIX<number>" and the dot behind it from the front of a text.
std::optional<size_t> TakeNumber(std::string_view& text, std::string_view prefix) {
  constexpr size_t kMost = 1'000'000;
  if (!text.starts_with(prefix)) return std::nullopt;
  size_t number = 0;
  const char* begin = text.data() + prefix.size();
  auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != '.' || number > kMost) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  return number;
}

// Which bucket of which buffer of which group it is.
using Number = std::array<size_t, 3>;

// Puts what is numbered into lists. False if a number is missing.
bool Pack(std::map<Number, Bucket> buckets, std::vector<Group>& groups) {
  for (auto& [number, bucket] : buckets) {
    if (number[0] == groups.size()) groups.emplace_back();
    if (number[0] + 1 != groups.size()) return false;
    Group& group = groups.back();
    if (number[1] == group.size()) group.emplace_back();
    if (number[1] + 1 != group.size() || number[2] != group.back().size()) return false;
    group.back().push_back(std::move(bucket));
  }
  return true;
}

// Sorts the tensors of buckets by groups. A text says what is odd about them.
std::optional<std::string> Sort(const DcpMetadata& metadata, std::vector<Group>& groups) {
  std::map<Number, Bucket> buckets;
  std::string all;
  for (const DcpTensor& tensor : metadata.tensors) {
    std::string_view rest = tensor.name;
    if (!rest.starts_with(kDistBuckets)) continue;
    rest.remove_prefix(kDistBuckets.size());
    auto group = TakeNumber(rest, kGroup), buffer = TakeNumber(rest, kBuffer);
    const size_t types = rest.find(std::string(").") + std::string(kBucket));
    if (!group || !buffer || !rest.starts_with(kTypes) || types == std::string_view::npos || tensor.shape.size() != 1)
      return fmt::format("{} is no bucket", Quote(tensor.name));
    const auto name = std::string(rest.substr(kTypes.size(), types + 1 - kTypes.size()));
    if (!all.empty() && all != name) return "there are buffers of several element types";
    all = name;
    rest.remove_prefix(types + 2);
    auto number = TakeNumber(rest, kBucket);
    if (!number) return fmt::format("{} is no bucket", Quote(tensor.name));
    Bucket& bucket = buckets[{*group, *buffer, *number}];
    if (!bucket.states.empty() && bucket.length != tensor.shape[0])
      return fmt::format("{} is not as long as other states", Quote(tensor.name));
    bucket.length = tensor.shape[0];
    bucket.states[std::string(rest)] = &tensor;
    for (const DcpChunk& chunk : tensor.chunks) bucket.bounds.insert({chunk.at[0], chunk.at[0] + chunk.shape[0]});
  }
  if (!Pack(std::move(buckets), groups)) return "a bucket is missing";
  return std::nullopt;
}

struct Place {
  size_t bucket = 0;
  int64_t begin = 0;
};

// Where parameters of so many elements lie in the buckets of a buffer: in reverse order, each at a multiple of the
// alignment; a bucket that is full is followed by the next.
std::optional<std::vector<Place>> Fit(const std::vector<int64_t>& elements, const Buffer& buckets) {
  std::vector<Place> places(elements.size());
  size_t bucket = 0;
  int64_t end = 0;
  auto aligned = [&] { return (end + kAlignment - 1) / kAlignment * kAlignment; };
  auto full = [&] { return end == buckets[bucket].length || aligned() == buckets[bucket].length; };
  for (size_t i = elements.size(); i-- > 0;) {
    int64_t begin = aligned();
    if (begin + elements[i] > buckets[bucket].length) {
      if (!full() || ++bucket == buckets.size() || elements[i] > buckets[bucket].length) return std::nullopt;
      begin = 0;
    }
    const std::set<int64_t>& bounds = buckets[bucket].bounds;
    end = begin + elements[i];
    if (!bounds.contains(begin) || !bounds.contains(end)) return std::nullopt;
    places[i] = {bucket, begin};
  }
  return bucket + 1 == buckets.size() && full() ? std::optional(std::move(places)) : std::nullopt;
}

// A virtual stage with the places of its parameters.
struct Stage {
  std::vector<DistParameter> parameters;
  std::vector<Place> places;
  int64_t layers = 0;
};

class Reader {
 public:
  Reader(const std::string& folder, const DcpMetadata& metadata, const MegatronMesh& mesh, int threads, Schema& schema)
      : folder_(folder), metadata_(metadata), mesh_(mesh), threads_(threads), schema_(schema), composite_(schema) {}

  Status Add(DistOrder usual) {
    auto trouble = Find(usual);
    if (trouble) {
      schema_.notes.push_back(fmt::format("{}: the optimizer's states lie in buckets, and are left behind: {}",
                                          Printable(folder_), *trouble));
      return Status();
    }
    for (size_t group = 0; group < groups_.size(); ++group) {
      composite_.Begin((fs::path(folder_) / DistGroupPrefix(static_cast<int64_t>(group))).native(), 0);
      for (size_t buffer = 0; buffer < groups_[group].size(); ++buffer) AOA_RETURN_IF_ERROR(AddBuffer(group, buffer));
      composite_.End();
    }
    return Status();
  }

 private:
  // Finds what every stage holds. A text says why that is not known.
  std::optional<std::string> Find(DistOrder usual) {
    if (auto trouble = Sort(metadata_, groups_)) return trouble;
    if (static_cast<int64_t>(groups_.size()) != mesh_.pp * mesh_.tp)
      return fmt::format("there are {} groups of them, not {} for {}", groups_.size(), mesh_.pp * mesh_.tp,
                         ToString(mesh_));
    for (const Group& group : groups_) {
      if (group.size() != groups_[0].size()) return "ranks differ in the number of buffers";
    }
    for (const DcpTensor& tensor : metadata_.tensors) {
      if (tensor.name.starts_with("optimizer.")) continue;
      auto own = DistTensorOf(tensor, mesh_.tp);
      if (!own) return fmt::format("the chunks of {} are no cut over {} ranks", Quote(tensor.name), mesh_.tp);
      tensors_.push_back(*std::move(own));
    }
    const DistOrder other = usual == DistOrder::kLocal ? DistOrder::kTransformerEngine : DistOrder::kLocal;
    if (FindStages(usual) || FindStages(other)) return std::nullopt;
    return "no order of the model's parameters leads to their sizes";
  }

  int64_t Layers() const {
    int64_t layers = 0;
    for (const DistTensor& tensor : tensors_) {
      if (tensor.stacked) layers = std::max(layers, tensor.whole[0]);
    }
    return layers;
  }

  // Layers are dealt in rounds: virtual stages of all stages first, then the next ones.
  bool FindStages(DistOrder order) {
    const auto rounds = static_cast<int64_t>(groups_[0].size());
    const int64_t layers = Layers();
    stages_.assign(static_cast<size_t>(rounds * mesh_.pp), {});
    int64_t begin = 0;
    for (int64_t row = 0; row < rounds * mesh_.pp; ++row) {
      if (!FindStage(row, {begin, begin, row == 0, row == rounds * mesh_.pp - 1}, layers, order)) return false;
      begin += stages_[static_cast<size_t>(row)].layers;
    }
    return begin == layers;
  }

  // The number of layers with which a stage's parameters come to the lengths of its buckets.
  bool FindStage(int64_t row, DistStage stage, int64_t layers, DistOrder order) {
    const auto group = static_cast<size_t>(row % mesh_.pp * mesh_.tp), buffer = static_cast<size_t>(row / mesh_.pp);
    for (stage.end = stage.begin; stage.end <= layers; ++stage.end) {
      auto parameters = ParametersOf(tensors_, stage, order);
      if (!parameters) return false;
      std::vector<int64_t> elements;
      for (const DistParameter& p : *parameters) elements.push_back(ParameterElements(tensors_[p.tensor], mesh_.tp));
      auto places = Fit(elements, groups_[group][buffer]);
      if (!places) continue;
      stages_[static_cast<size_t>(row)] = {*std::move(parameters), *std::move(places), stage.end - stage.begin};
      return true;
    }
    return false;
  }

  Status AddBuffer(size_t group, size_t buffer) {
    const auto pp = static_cast<int64_t>(group) / mesh_.tp, t = static_cast<int64_t>(group) % mesh_.tp;
    const Stage& stage = stages_[buffer * static_cast<size_t>(mesh_.pp) + static_cast<size_t>(pp)];
    const Buffer& buckets = groups_[group][buffer];
    for (size_t k = 0; k < buckets.size(); ++k) {
      for (const DistState& state : kDistStates) {
        auto found = buckets[k].states.find(state.key);
        if (found == buckets[k].states.end()) continue;
        AOA_RETURN_IF_ERROR(LoadChunks(*found->second));
        for (size_t i = 0; i < stage.parameters.size(); ++i) {
          if (stage.places[i].bucket != k || stage.parameters[i].copy) continue;
          AOA_RETURN_IF_ERROR(AddState(stage.parameters[i], stage.places[i].begin, state, t, found->second->dtype));
        }
      }
    }
    return Status();
  }

  Status LoadChunks(const DcpTensor& tensor) {
    AOA_ASSIGN_OR_RETURN(std::vector<DcpStoredChunk> chunks, LocateDcpChunks(folder_, tensor, threads_));
    chunks_.clear();
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (!chunks[i].stored.row_major)
        return Status::Invalid(
            fmt::format("{}: a chunk of {} has gaps", Printable(chunks[i].path), Quote(tensor.name)));
      chunks_[tensor.chunks[i].at[0]] = std::move(chunks[i]);
    }
    return Status();
  }

  Status AddState(const DistParameter& parameter, int64_t begin, const DistState& state, int64_t t, DType dtype) {
    const DistTensor& tensor = tensors_[parameter.tensor];
    if (state.ending == "master" && tensor.dtype == dtype) return Status();  // the weight itself, once more
    for (const DistBox& box : BoxesOf(tensor, parameter.layer, t, mesh_.tp)) {
      AOA_RETURN_IF_ERROR(composite_.AddChunk(fmt::format("{}.{}", tensor.name, state.ending), dtype, box.shape,
                                              PartsOf(begin + box.first, box.count, dtype), tensor.whole, box.at));
    }
    return Status();
  }

  // Where elements of the bucket whose chunks are loaded lie.
  std::vector<StoredPart> PartsOf(int64_t begin, int64_t count, DType dtype) {
    std::vector<StoredPart> parts;
    const int64_t width = Width(dtype), end = begin + count;
    for (auto it = std::prev(chunks_.upper_bound(begin)); it != chunks_.end() && it->first < end; ++it) {
      const int64_t lo = std::max(begin, it->first),
                    hi = std::min(end, it->first + ElementCount(it->second.stored.shape));
      if (hi <= lo) continue;
      const uint32_t store = composite_.StoreOf(it->second.path, it->second.size);
      parts.push_back({store, it->second.stored.offset + static_cast<uint64_t>((lo - it->first) * width),
                       static_cast<uint64_t>((hi - lo) * width)});
    }
    return parts;
  }

  const std::string& folder_;
  const DcpMetadata& metadata_;
  const MegatronMesh& mesh_;
  int threads_;
  Schema& schema_;
  CompositeSchema composite_;
  std::vector<Group> groups_;
  std::vector<DistTensor> tensors_;
  std::vector<Stage> stages_;                 // rounds slowest
  std::map<int64_t, DcpStoredChunk> chunks_;  // of one tensor, by where they begin
};

}  // namespace

std::string DistGroupPrefix(int64_t group) { return fmt::format("{}{}{}.", kDistBuckets, kGroup, group); }

std::string DistBucketPrefix(int64_t group, int64_t buffer, std::string_view types, int64_t bucket) {
  return fmt::format("{}{}{}.{}{}.{}{}.", DistGroupPrefix(group), kBuffer, buffer, kTypes, types, kBucket, bucket);
}

std::optional<DistTensor> DistTensorOf(const DcpTensor& tensor, int64_t tp) {
  DistTensor out{tensor.name, tensor.dtype, tensor.shape, IsStackedName(tensor.name)};
  auto pieces = [&](size_t axis) {
    std::set<int64_t> begins;
    for (const DcpChunk& chunk : tensor.chunks) begins.insert(chunk.at[axis]);
    return static_cast<int64_t>(begins.size());
  };
  if (out.stacked && (out.whole.empty() || pieces(0) != out.whole[0])) return std::nullopt;
  if (tp == 1) return out;
  for (size_t axis = out.stacked ? 1 : 0; axis < tensor.shape.size(); ++axis) {
    const int64_t count = pieces(axis);
    if (count <= 1) continue;
    if (out.axis != DistTensor::kWhole || count % tp != 0 || tensor.shape[axis] % count != 0) return std::nullopt;
    out.axis = axis;
    out.parts = count / tp;
  }
  const size_t outermost = out.stacked ? 1 : 0;
  return out.parts > 1 && out.axis != outermost ? std::nullopt : std::optional(std::move(out));
}

Status AddDistBuckets(const std::string& folder, const DcpMetadata& metadata, const MegatronMesh& mesh, DistOrder usual,
                      int threads, Schema& schema) {
  return Reader(folder, metadata, mesh, threads, schema).Add(usual);
}

}  // namespace aoa::formats
