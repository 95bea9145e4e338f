#include "runtime/formats/megatron_rank.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using pickle::Value;
using Kind = Value::Kind;

constexpr std::string_view kLayers = "layers.";
constexpr int64_t kMostLayers = 1'000'000;

void Replace(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Releases before Core spell some names in several ways, all of which they read.
std::string UsualName(std::string name) {
  if (!name.starts_with("language_model.")) return name;
  Replace(name, "language_model.transformer.", "language_model.encoder.");
  Replace(name, ".attention.", ".self_attention.");
  Replace(name, ".input_norm.", ".input_layernorm.");
  Replace(name, ".post_attention_norm.", ".post_attention_layernorm.");
  Replace(name, ".final_norm.", ".final_layernorm.");
  return name;
}

// The values that hold weights: `model`, or `model0`, `model1`, ... of virtual stages.
Result<std::vector<const Value*>> FindChunks(const Value& root) {
  if (const Value* model = root.Find("model")) return std::vector<const Value*>{model};
  std::vector<const Value*> chunks;
  while (const Value* chunk = root.Find("model" + std::to_string(chunks.size()))) chunks.push_back(chunk);
  if (!chunks.empty()) return chunks;
  return Status::Invalid("it is no dictionary with `model` or `model0`, as Megatron writes it");
}

// Adds a virtual stage's weights; its layers come behind those of the stages before it.
Status AddChunk(const Value& model, size_t chunk, MegatronRank& rank, int64_t& layers) {
  int64_t last = -1;
  auto visit = [&](const std::string& path, const Value& value) -> Status {
    if (path.ends_with("_extra_state")) return Status();  // of the layers' libraries, and no numbers
    AOA_ASSIGN_OR_RETURN(auto tensor, rank.file.TensorOf(value, path));
    if (!tensor) return Status();
    if (!IsUtf8(path)) return Status::Invalid(fmt::format("the name {} is not UTF-8", Quote(path)));
    std::string name = UsualName(path);
    if (auto layer = FindMegatronLayer(name)) {
      last = std::max(last, layer->number);
      if (layers > 0) RenumberMegatronLayer(name, *layer, layer->number + layers);
    }
    rank.weights.push_back({std::move(name), *std::move(tensor), chunk});
    return Status();
  };
  AOA_RETURN_IF_ERROR(EachLeaf(model, visit));
  layers += last + 1;
  return Status();
}

Status ReadContent(MegatronRank& rank) {
  const Value& root = rank.file.root();
  if (const Value* args = root.Find("args")) rank.arguments = MegatronArguments(*args);
  if (rank.arguments.is_object()) {
    AOA_ASSIGN_OR_RETURN(rank.mesh, MegatronMeshOf(rank.arguments));
  }
  rank.version = NumberOf(root.Find("checkpoint_version")).value_or(0);
  if (const Value* iteration = root.Find("iteration")) rank.iteration = iteration->AsInt();
  AOA_ASSIGN_OR_RETURN(auto chunks, FindChunks(root));
  rank.chunks = chunks.size();
  int64_t layers = 0;
  for (size_t chunk = 0; chunk < chunks.size(); ++chunk)
    AOA_RETURN_IF_ERROR(AddChunk(*chunks[chunk], chunk, rank, layers));
  if (rank.weights.empty()) return Status::Invalid("`model` holds no tensor");
  return Status();
}

Result<TorchFile> OpenFile(const std::string& path) {
  auto file = TorchFile::Open(path);
  if (!file.ok()) return std::move(file).status().WithContext(Printable(path));
  return file;
}

}  // namespace

Result<MegatronRank> ReadMegatronRank(const std::string& iteration, const std::string& folder) {
  const fs::path base = fs::path(iteration) / folder;
  const std::string path = (base / kMegatronFile).native(), buffers = (base / kMegatronBuffers).native();
  std::error_code error;
  if (!fs::exists(path, error)) {
    const bool older = fs::exists(base / "model_rng.pt", error);
    return Status::Invalid(fmt::format("{} is missing{}", Printable(path),
                                       older ? ": a distributed optimizer of 2022, whose files cannot be read" : ""));
  }
  MegatronRank rank;
  rank.folder = folder;
  AOA_ASSIGN_OR_RETURN(rank.file, OpenFile(path));
  if (fs::exists(buffers, error)) {
    AOA_ASSIGN_OR_RETURN(rank.buffers, OpenFile(buffers));
  }
  if (Status status = ReadContent(rank); !status.ok()) return std::move(status).WithContext(Printable(path));
  return rank;
}

std::optional<MegatronLayer> FindMegatronLayer(const std::string& name) {
  size_t at = name.starts_with(kLayers) ? 0 : name.find(".layers.");
  if (at == std::string::npos) return std::nullopt;
  MegatronLayer layer;
  layer.begin = name.find(kLayers, at) + kLayers.size();
  layer.end = std::min(name.find('.', layer.begin), name.size());
  auto [end, error] = std::from_chars(name.data() + layer.begin, name.data() + layer.end, layer.number);
  if (error != std::errc() || end != name.data() + layer.end || layer.number < 0 || layer.number > kMostLayers)
    return std::nullopt;
  return layer;
}

void RenumberMegatronLayer(std::string& name, const MegatronLayer& layer, int64_t number) {
  name.replace(layer.begin, layer.end - layer.begin, std::to_string(number));
}

bool DecaysInMegatron(std::string_view name, const Shape& shape) {
  return shape.size() != 1 && !name.ends_with(".bias");
}

bool IsMegatronEmbedding(std::string_view name) {
  return name.ends_with("embedding.word_embeddings.weight") || name.ends_with("output_layer.weight") ||
         name == "word_embeddings_for_head.weight";
}

const Value* FindKey(const Value& dictionary, int64_t key) {
  for (size_t i = dictionary.entries.size(); i >= 2; i -= 2) {
    const Value& at = *dictionary.entries[i - 2];
    if (at.kind == Kind::kInt && at.AsInt() == key) return dictionary.entries[i - 1];
  }
  return nullptr;
}

std::optional<double> NumberOf(const Value* value) {
  if (!value) return std::nullopt;
  if (value->kind == Kind::kFloat) return value->number;
  if (auto integer = value->AsInt()) return static_cast<double>(*integer);
  return std::nullopt;
}

}  // namespace aoa::formats
