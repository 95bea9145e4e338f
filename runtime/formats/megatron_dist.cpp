#include "runtime/formats/megatron_dist.h"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>

#include "compiler/core/text.h"
#include "runtime/formats/dcp_files.h"
#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/megatron_args.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCommon = "common.pt";
constexpr std::string_view kStates = "optimizer.state.", kBuckets = "optimizer.distributed.";

struct State {
  std::string_view key, ending;
};
constexpr State kRoles[] = {
    {"exp_avg.", ".exp_avg"}, {"exp_avg_sq.", ".exp_avg_sq"}, {"fp32_param.", ".master"}, {"param.", ".master"}};

// The name of a tensor among weights and their states; empty for what is neither.
std::string NameOf(std::string_view key) {
  if (!key.starts_with("optimizer.")) return std::string(key);
  if (!key.starts_with(kStates)) return "";
  key.remove_prefix(kStates.size());
  for (const State& role : kRoles) {
    if (key.starts_with(role.key)) return std::string(key.substr(role.key.size())) + std::string(role.ending);
  }
  return "";
}

std::string_view VariantOf(const DcpMetadata& metadata) {
  for (const DcpTensor& tensor : metadata.tensors) {
    if (tensor.name.starts_with(kBuckets)) return "dist_dp_reshardable";
    if (tensor.name.starts_with("optimizer.state.param.")) return "dist_fully_reshardable";
  }
  return "dist";
}

}  // namespace

bool IsMegatronDist(const std::string& folder) {
  std::error_code error;
  return fs::exists(fs::path(folder) / kDcpMetadata, error) && fs::exists(fs::path(folder) / "metadata.json", error);
}

Status ReadMegatronDist(const std::string& folder, int threads, Schema& schema) {
  AOA_ASSIGN_OR_RETURN(DcpMetadata metadata, ReadDcpMetadata(folder));
  AOA_ASSIGN_OR_RETURN(TorchFile common, TorchFile::Open((fs::path(folder) / kCommon).native()));
  const pickle::Value* args = common.root().Find("args");
  nlohmann::json arguments = args ? MegatronArguments(*args) : nlohmann::json();
  if (!arguments.is_object()) return Status::Invalid(fmt::format("{}: it holds no `args`", Printable(common.path())));
  AOA_ASSIGN_OR_RETURN(MegatronMesh mesh, MegatronMeshOf(arguments));
  schema.config = arguments.dump();
  schema.has_mesh = true;
  schema.mesh = {{"pp", mesh.pp}, {"dp", mesh.dp}, {"tp", mesh.tp}};
  schema.variant = VariantOf(metadata);
  if (schema.variant == "dist_dp_reshardable")
    schema.notes.push_back("the optimizer's states lie in buckets of a data-parallel group and are left behind");
  return ReadDcpFiles(
      folder, metadata, threads, [](const DcpTensor& t) { return NameOf(t.name); }, schema);
}

}  // namespace aoa::formats
