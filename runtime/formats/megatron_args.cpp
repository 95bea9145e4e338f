#include "runtime/formats/megatron_args.h"

#include <fmt/format.h>

#include "runtime/formats/quote.h"
#include "runtime/formats/torch_json.h"

namespace aoa::formats {
namespace {

using nlohmann::json;
using pickle::Value;
using Kind = Value::Kind;

constexpr int64_t kMostRanks = 1'000'000;

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
  json out = JsonOf(args);
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
  for (const auto& [key, value] : arguments.items()) tree.Set(entries, key, ValueOf(value, tree));
  Value* out = tree.Call("argparse Namespace", {});
  out->state = entries;
  return out;
}

}  // namespace aoa::formats
