#include "runtime/formats/megatron_args.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

using nlohmann::json;
using pickle::Value;
using Kind = Value::Kind;

constexpr int kDeepest = 16;
constexpr int64_t kMostRanks = 1'000'000;
constexpr std::string_view kTypePrefix = "torch.", kGlobalPrefix = "torch ";

// A container may hold another many times over: what it comes to is bounded.
class JsonMaker {
 public:
  json Entries(const Value& value, int depth) {
    json out = json::object();
    for (size_t i = 0; i + 1 < value.entries.size(); i += 2) {
      const Value& key = *value.entries[i];
      if (key.kind != Kind::kText || key.outside || !IsUtf8(key.text)) continue;
      left_ -= static_cast<int64_t>(key.text.size()) / kValueBytes;
      if (auto made = Make(*value.entries[i + 1], depth + 1)) out[key.text] = *std::move(made);
    }
    return out;
  }

 private:
  // Nothing for values that JSON does not have.
  std::optional<json> Make(const Value& value, int depth) {
    if (depth > kDeepest || value.outside || --left_ < 0) return std::nullopt;
    switch (value.kind) {
      case Kind::kNone:
        return json(nullptr);
      case Kind::kBool:
        return json(value.integer != 0);
      case Kind::kInt:
        return json(value.integer);
      case Kind::kFloat:
        return std::isfinite(value.number) ? std::optional<json>(value.number) : std::nullopt;
      case Kind::kText:
        left_ -= static_cast<int64_t>(value.text.size()) / kValueBytes;
        return left_ >= 0 && IsUtf8(value.text) ? std::optional<json>(value.text) : std::nullopt;
      case Kind::kList:
      case Kind::kTuple:
        return List(value, depth);
      case Kind::kDict:
        return Entries(value, depth);
      case Kind::kGlobal:
        if (!TorchDType(value.text)) return std::nullopt;
        return json(std::string(kTypePrefix) + value.text.substr(kGlobalPrefix.size()));
      default:
        return std::nullopt;
    }
  }

  std::optional<json> List(const Value& value, int depth) {
    json out = json::array();
    for (const Value* item : value.items) {
      auto made = Make(*item, depth + 1);
      if (!made) return std::nullopt;
      out.push_back(*std::move(made));
    }
    return out;
  }

  static constexpr int64_t kValueBytes = 32;  // texts count as values of so many bytes
  int64_t left_ = 100'000;
};

const Value* FromJson(const json& value, pickle::Tree& tree) {
  switch (value.type()) {
    case json::value_t::boolean:
      return tree.Bool(value.get<bool>());
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return tree.Int(value.get<int64_t>());
    case json::value_t::number_float:
      return tree.Float(value.get<double>());
    case json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      const std::string type =
          text.starts_with(kTypePrefix) ? std::string(kGlobalPrefix) + text.substr(kTypePrefix.size()) : "";
      return !type.empty() && TorchDType(type) ? tree.Global(type) : tree.Text(text);
    }
    case json::value_t::array: {
      std::vector<const Value*> items;
      for (const json& item : value) items.push_back(FromJson(item, tree));
      return tree.List(std::move(items));
    }
    case json::value_t::object: {
      Value* out = tree.Dict();
      for (const auto& [key, item] : value.items()) tree.Set(out, key, FromJson(item, tree));
      return out;
    }
    default:
      return tree.None();
  }
}

// A size that is not said is 1.
Result<int64_t> Size(const json& arguments, const char* key) {
  auto it = arguments.find(key);
  if (it == arguments.end() || it->is_null()) return 1;
  if (it->is_number_integer()) {
    const auto size = it->get<int64_t>();
    if (size >= 1 && size <= kMostRanks) return size;
  }
  return Status::Invalid(fmt::format("`args.{}` is {}, no size of a mesh", key, Printable(it->dump())));
}

}  // namespace

std::string ToString(const MegatronMesh& mesh) {
  std::string text = fmt::format("pp={}, dp={}, tp={}", mesh.pp, mesh.dp, mesh.tp);
  return mesh.vpp > 1 ? text + fmt::format(", vpp={}", mesh.vpp) : text;
}

json MegatronArguments(const Value& args) {
  if (!args.state || args.state->kind != Kind::kDict) return nullptr;
  json out = JsonMaker().Entries(*args.state, 0);
  auto is_true = [&](const char* key) { return out.contains(key) && out[key] == json(true); };
  if (!is_true("group_query_attention") && out.contains("group_query_attention"))
    out["num_query_groups"] = out.value("num_attention_heads", json());
  if (!out.contains("untie_embeddings_and_output_weights")) out["untie_embeddings_and_output_weights"] = false;
  return out;
}

Result<MegatronMesh> MegatronMeshOf(const json& arguments) {
  MegatronMesh mesh;
  AOA_ASSIGN_OR_RETURN(mesh.tp, Size(arguments, "tensor_model_parallel_size"));
  AOA_ASSIGN_OR_RETURN(mesh.pp, Size(arguments, "pipeline_model_parallel_size"));
  AOA_ASSIGN_OR_RETURN(mesh.dp, Size(arguments, "data_parallel_size"));
  AOA_ASSIGN_OR_RETURN(mesh.vpp, Size(arguments, "virtual_pipeline_model_parallel_size"));
  AOA_ASSIGN_OR_RETURN(int64_t experts, Size(arguments, "expert_model_parallel_size"));
  if (experts > 1)
    return Status::Invalid(
        fmt::format("`args.expert_model_parallel_size` is {}: files of experts on ranks of their own "
                    "cannot be read",
                    experts));
  if (mesh.tp * mesh.pp > kMostRanks || mesh.tp * mesh.pp * mesh.dp > kMostRanks * kMostRanks / mesh.tp)
    return Status::Invalid(fmt::format("`args` speak of a mesh of {}", ToString(mesh)));
  return mesh;
}

const Value* MakeMegatronArguments(const json& arguments, const Value* like, pickle::Tree& tree) {
  Value* entries = tree.Dict();
  if (like && like->state) {
    for (size_t i = 0; i + 1 < like->state->entries.size(); i += 2) {
      const Value* key = like->state->entries[i];
      if (key->kind == Kind::kText && !key->outside && arguments.contains(key->text)) continue;
      entries->entries.insert(entries->entries.end(), {key, like->state->entries[i + 1]});
    }
  }
  for (const auto& [key, value] : arguments.items()) tree.Set(entries, key, FromJson(value, tree));
  Value* out = tree.Call("argparse Namespace", {});
  out->state = entries;
  return out;
}

}  // namespace aoa::formats
