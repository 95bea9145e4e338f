#include "runtime/formats/megatron_dist.h"

#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/dcp_files.h"
#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/megatron_args.h"
#include "runtime/formats/megatron_dist_buckets.h"
#include "runtime/formats/megatron_rank.h"
#include "runtime/formats/megatron_values.h"
#include "runtime/formats/torch_file.h"
#include "runtime/formats/torch_files.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using pickle::Value;
using Kind = Value::Kind;

// Where releases after 0.16 keep what is common to all ranks, as the only item of a list.
constexpr const char* kCommonObject = "common_state/shard_0_1";
constexpr uint64_t kLargestObject = 1 << 20;  // that is kept

constexpr DistState kRoles[] = {
    {"exp_avg.", "exp_avg"}, {"exp_avg_sq.", "exp_avg_sq"}, {"fp32_param.", "master"}, {"param.", "master"}};

bool IsWeight(std::string_view key) { return !key.starts_with("optimizer.") && !key.starts_with("chained_"); }

class Reader {
 public:
  Reader(const std::string& folder, int threads, Schema& schema)
      : folder_(folder), threads_(threads), schema_(schema) {}

  Status Read() {
    AOA_ASSIGN_OR_RETURN(metadata_, ReadDcpMetadata(folder_));
    AOA_RETURN_IF_ERROR(ReadCommon());
    for (const DcpTensor& tensor : metadata_.tensors) {
      if (IsWeight(tensor.name) && tensor.dtype == DType::kF32) own_masters_.insert(tensor.name);
    }
    schema_.config = rank_.arguments.dump();
    schema_.has_mesh = true;
    schema_.mesh = {{"pp", rank_.mesh.pp}, {"dp", rank_.mesh.dp}, {"tp", rank_.mesh.tp}};
    schema_.variant = Variant();
    schema_.iteration = rank_.iteration;
    AOA_RETURN_IF_ERROR(ReadDcpFiles(
        folder_, metadata_, threads_, [&](const DcpTensor& tensor) { return NameOf(tensor.name); }, schema_));
    if (schema_.variant == kDpReshardable) {
      AOA_RETURN_IF_ERROR(ReadGroups());
      AOA_RETURN_IF_ERROR(AddDistBuckets(folder_, metadata_, rank_.mesh, Order(), threads_, schema_));
    }
    AOA_RETURN_IF_ERROR(AddSteps());
    return Preserve();
  }

 private:
  Status ReadCommon() {
    std::error_code error;
    const std::string path = (fs::path(folder_) / kDistCommon).native();
    auto object = metadata_.bytes.find(kCommonObject);
    const bool inside = !fs::exists(path, error) && object != metadata_.bytes.end();
    auto file = inside ? OpenDcpObject(folder_, object->second) : TorchFile::Open(path);
    if (!file.ok()) return std::move(file).status().WithContext(Printable(path));
    rank_.file = *std::move(file);
    NoteSuspicions(rank_.file, schema_);
    common_ = &rank_.file.root();
    if (inside && common_->kind == Kind::kList && !common_->items.empty()) common_ = common_->items[0];
    rank_.common = common_;
    const Value* args = common_->Find("args");
    rank_.arguments = args ? MegatronArguments(*args) : nlohmann::json();
    if (!rank_.arguments.is_object())
      return Status::Invalid(fmt::format("{}: it holds no `args`", Printable(rank_.file.path())));
    AOA_ASSIGN_OR_RETURN(rank_.mesh, MegatronMeshOf(rank_.arguments));
    if (const Value* iteration = common_->Find("iteration")) rank_.iteration = iteration->AsInt();
    return Status();
  }

  // The groups of parameters of the first model-parallel rank; the others' settings are the same.
  Status ReadGroups() {
    auto object = metadata_.bytes.find(DistGroupPrefix(0) + "optimizer/shard_0_1");
    if (object == metadata_.bytes.end()) return Status();
    auto file = OpenDcpObject(folder_, object->second);
    if (!file.ok()) return std::move(file).status().WithContext(object->first);
    rank_.groups = *std::move(file);
    return Status();
  }

  std::string_view Variant() const {
    for (const DcpTensor& tensor : metadata_.tensors) {
      if (tensor.name.starts_with(kDistBuckets)) return kDpReshardable;
      if (tensor.name.starts_with("optimizer.state.param.")) return kFullyReshardable;
    }
    return kDist;
  }

  DistOrder Order() const {
    return rank_.arguments.value("transformer_impl", nlohmann::json()) == "local" ? DistOrder::kLocal
                                                                                  : DistOrder::kTransformerEngine;
  }

  // The name of a tensor among weights and their states; empty for what is neither, and for a weight once more.
  std::string NameOf(std::string_view key) const {
    if (IsWeight(key)) return std::string(key);
    if (!key.starts_with(kDistStatePrefix)) return "";
    key.remove_prefix(kDistStatePrefix.size());
    for (const DistState& role : kRoles) {
      if (!key.starts_with(role.key)) continue;
      std::string weight(key.substr(role.key.size()));
      return role.ending == kMaster && own_masters_.contains(weight) ? "" : fmt::format("{}.{}", weight, role.ending);
    }
    return "";
  }

  // ---------------------------------------------------------------- steps

  // All weights share one.
  Status AddSteps() {
    const Value* optimizer = common_->Find("optimizer");
    const Value* inner = optimizer ? optimizer->Find("optimizer") : nullptr;
    if (!inner) inner = optimizer;
    const Value* state = inner ? inner->Find("state") : nullptr;
    if (const Value* step = state ? state->Find("common_step") : nullptr) return AddStep(rank_.file, *step);
    for (bool decays : {true, false}) {
      const MegatronGroup group = FindMegatronGroup(rank_, decays);
      const Value* step = group.value ? group.value->Find(kStep) : nullptr;
      if (step) return AddStep(*group.file, *step);
    }
    return Status();
  }

  // As chunks, which need not be in every file.
  Status AddStep(const TorchFile& file, const Value& step) {
    CompositeSchema composite(schema_);
    composite.Begin(file.path(), 0);
    AOA_ASSIGN_OR_RETURN(auto tensor, file.TensorOf(step, kStep));
    const auto number = NumberOf(&step);
    if (!number && (!tensor || ElementCount(tensor->shape) != 1)) return Status();
    StoredPart part;
    if (number) {
      const auto value = static_cast<float>(*number);
      std::string bytes(sizeof(value), '\0');
      std::memcpy(bytes.data(), &value, sizeof(value));
      part = {composite.StoreOf(file.path(), std::make_shared<const std::string>(std::move(bytes))), 0, sizeof(value)};
    } else {
      part = {composite.StoreOf(file.path(), file.size()), tensor->offset, tensor->bytes};
    }
    const DType dtype = number ? DType::kF32 : tensor->dtype;
    for (const DcpTensor& weight : metadata_.tensors) {
      if (!IsWeight(weight.name)) continue;
      AOA_RETURN_IF_ERROR(
          composite.AddChunk(fmt::format("{}.{}", weight.name, kStep), dtype, {}, std::span(&part, 1), {}, {}));
    }
    composite.End();
    return Status();
  }

  // ---------------------------------------------------------------- for the writer

  Status Preserve() {
    auto preserved = std::make_shared<MegatronPreserved>();
    preserved->distributed = true;
    preserved->mesh = rank_.mesh;
    for (const auto& [name, item] : metadata_.bytes) {
      if (!name.starts_with(kDistRandom) || item.length > kLargestObject) continue;
      const std::string path = (fs::path(folder_) / item.file).native();
      uint64_t size = 0;
      AOA_RETURN_IF_ERROR(CheckDcpItem(path, item, size));
      AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(path));
      std::string& bytes = preserved->objects[name];
      bytes.resize(static_cast<size_t>(item.length));
      AOA_RETURN_IF_ERROR(file.ReadAt(item.offset, std::as_writable_bytes(std::span(bytes))));
    }
    preserved->ranks.push_back(std::move(rank_));
    schema_.preserved = std::move(preserved);
    return Status();
  }

  const std::string& folder_;
  int threads_;
  Schema& schema_;
  DcpMetadata metadata_;
  MegatronRank rank_;
  const Value* common_ = nullptr;
  std::set<std::string> own_masters_;  // weights that are their own masters
};

}  // namespace

bool IsMegatronDist(const std::string& folder) {
  std::error_code error;
  return fs::exists(fs::path(folder) / kDcpMetadata, error) && fs::exists(fs::path(folder) / kDistConfig, error);
}

Status ReadMegatronDist(const std::string& folder, int threads, Schema& schema) {
  return Reader(folder, threads, schema).Read();
}

}  // namespace aoa::formats
