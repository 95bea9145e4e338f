#include "runtime/formats/megatron_dist_model.h"

#include <algorithm>
#include <span>
#include <utility>

namespace aoa::formats {
namespace {

constexpr std::string_view kLayers = "layers.", kDecoderLayers = "decoder.layers.";
constexpr std::string_view kEmbedding = "embedding.word_embeddings.weight", kHead = "output_layer.weight";

constexpr std::string_view kBefore[] = {kEmbedding, "embedding.position_embeddings.weight",
                                        "embedding.tokentype_embeddings.weight"};
constexpr std::string_view kBehind[] = {"decoder.final_layernorm.weight", "decoder.final_layernorm.bias", kHead,
                                        "output_layer.bias"};
constexpr std::string_view kFirstNorm[] = {"input_layernorm.weight", "input_layernorm.bias",
                                           "self_attention.linear_qkv.layer_norm_weight",
                                           "self_attention.linear_qkv.layer_norm_bias"};
constexpr std::string_view kProjection[] = {"self_attention.linear_proj.weight", "self_attention.linear_proj.bias"};
constexpr std::string_view kOthers[] = {"self_attention.linear_qkv.weight",
                                        "self_attention.linear_qkv.bias",
                                        "self_attention.q_layernorm.weight",
                                        "self_attention.q_layernorm.bias",
                                        "self_attention.k_layernorm.weight",
                                        "self_attention.k_layernorm.bias",
                                        "pre_mlp_layernorm.weight",
                                        "pre_mlp_layernorm.bias",
                                        "mlp.linear_fc1.layer_norm_weight",
                                        "mlp.linear_fc1.layer_norm_bias",
                                        "mlp.linear_fc1.weight",
                                        "mlp.linear_fc1.bias",
                                        "mlp.linear_fc2.weight",
                                        "mlp.linear_fc2.bias"};

std::vector<std::string_view> LayerOrder(DistOrder order) {
  std::vector<std::string_view> out;
  auto add = [&](std::span<const std::string_view> names) { out.insert(out.end(), names.begin(), names.end()); };
  const bool local = order == DistOrder::kLocal;
  if (local) add(kFirstNorm);
  if (!local) add(std::span(kFirstNorm).first(2));
  add(kProjection);
  if (!local) add(std::span(kFirstNorm).subspan(2));
  add(kOthers);
  return out;
}

class Lister {
 public:
  explicit Lister(const std::vector<DistTensor>& tensors) : tensors_(tensors), used_(tensors.size()) {}

  // The numbers of the tensors with these names, in the order of the names.
  std::vector<size_t> Find(std::string_view prefix, std::span<const std::string_view> names, bool stacked) {
    std::vector<size_t> out;
    for (std::string_view name : names) {
      for (size_t i = 0; i < tensors_.size(); ++i) {
        const std::string_view own = tensors_[i].name;
        if (tensors_[i].stacked != stacked || !own.starts_with(prefix) || own.substr(prefix.size()) != name) continue;
        used_[i] = true;
        out.push_back(i);
      }
    }
    return out;
  }

  bool AllFound() const {
    return std::all_of(used_.begin(), used_.end(), [](bool used) { return used; });
  }

 private:
  const std::vector<DistTensor>& tensors_;
  std::vector<bool> used_;
};

}  // namespace

bool IsStackedName(std::string_view name) {
  const size_t at = name.starts_with(kLayers) ? 0 : name.find(std::string(".") + std::string(kLayers));
  if (at == std::string_view::npos) return false;
  const size_t behind = name.find(kLayers, at) + kLayers.size();
  return behind < name.size() && (name[behind] < '0' || name[behind] > '9');
}

int64_t ParameterElements(const DistTensor& tensor, int64_t tp) {
  int64_t elements = ElementCount(tensor.whole);
  if (tensor.stacked) elements = tensor.whole[0] > 0 ? elements / tensor.whole[0] : 0;
  return tensor.axis == DistTensor::kWhole ? elements : elements / tp;
}

std::vector<DistBox> BoxesOf(const DistTensor& tensor, int64_t layer, int64_t t, int64_t tp) {
  DistBox box;
  box.at.assign(tensor.whole.size(), 0);
  box.shape = tensor.whole;
  if (tensor.stacked) {
    box.at[0] = layer;
    box.shape[0] = 1;
  }
  if (tensor.axis == DistTensor::kWhole) {
    box.count = ElementCount(box.shape);
    return {box};
  }
  const int64_t part = tensor.whole[tensor.axis] / tensor.parts, own = part / tp;
  box.shape[tensor.axis] = own;
  box.count = ElementCount(box.shape);
  std::vector<DistBox> boxes;
  for (int64_t k = 0; k < tensor.parts; ++k) {
    box.at[tensor.axis] = k * part + t * own;
    box.first = k * box.count;
    boxes.push_back(box);
  }
  return boxes;
}

std::optional<std::vector<DistParameter>> ParametersOf(const std::vector<DistTensor>& tensors, const DistStage& stage,
                                                       DistOrder order) {
  Lister lister(tensors);
  const std::vector<size_t> before = lister.Find("", kBefore, false), behind = lister.Find("", kBehind, false),
                            inside = lister.Find(kDecoderLayers, LayerOrder(order), true);
  if (!lister.AllFound()) return std::nullopt;
  const bool tied = std::none_of(behind.begin(), behind.end(), [&](size_t i) { return tensors[i].name == kHead; });
  const bool shared = tied && stage.first != stage.last;
  std::vector<DistParameter> out;
  if (stage.first) {
    for (size_t i : before) out.push_back({i, 0, shared && tensors[i].name == kEmbedding, false});
  }
  for (int64_t layer = stage.begin; layer < stage.end; ++layer) {
    for (size_t i : inside) out.push_back({i, layer, false, false});
  }
  if (!stage.last) return out;
  for (size_t i : behind) out.push_back({i, 0, false, false});
  if (!shared) return out;
  for (size_t i : before) {
    if (tensors[i].name == kEmbedding) out.push_back({i, 0, true, true});
  }
  return out;
}

}  // namespace aoa::formats
