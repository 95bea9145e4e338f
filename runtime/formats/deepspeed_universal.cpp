// Universal checkpoints: a folder for each parameter, whose files hold the whole tensor, in f32, whatever the mesh was.
//
//   zero/NAME/fp32.pt, exp_avg.pt, exp_avg_sq.pt     {"param": tensor, "cat_dim": 0, ...}, or after ZeRO-3 a flat
//   tensor zero/NAME/step.pt                                a number mp_rank_TT_model_states.pt as it was: the 16-bit
//   weights, if one rank has them all
//
// Source: deepspeed/checkpoint/ds_to_universal.py and its output in 0.19.8.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "compiler/core/text.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/deepspeed_reader.h"
#include "runtime/formats/deepspeed_values.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_files.h"
#include "runtime/formats/torch_json.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using pickle::Value;

constexpr std::string_view kMaster = "fp32";

class UniversalReader {
 public:
  UniversalReader(const DeepSpeedFiles& files, int threads, Schema& schema)
      : files_(files), threads_(threads), schema_(schema), composite_(schema) {}

  Status Read() {
    schema_.variant = "universal";
    schema_.has_mesh = true;
    AOA_RETURN_IF_ERROR(OpenModels());
    AOA_RETURN_IF_ERROR(OpenOptimizer());
    composite_.Begin(files_.folder, 0);
    AOA_RETURN_IF_ERROR(AddWeights());
    std::vector<std::string> paths;
    std::vector<std::pair<std::string, std::string>> names;  // parameter, role
    for (const std::string& parameter : files_.parameters) {
      if (!IsUtf8(parameter)) return Status::Invalid(fmt::format("the name {} is not UTF-8", Quote(parameter)));
      const fs::path folder = fs::path(files_.folder) / "zero" / parameter;
      AOA_ASSIGN_OR_RETURN(auto files, io::ListFolder(folder.native()));
      if (std::find(files.begin(), files.end(), "fp32.pt") == files.end())
        return Status::Invalid(fmt::format("{}: `fp32.pt` is missing", Printable(folder.native())));
      for (const std::string& file : files) {
        if (!file.ends_with(".pt")) continue;
        paths.push_back((folder / file).native());
        names.emplace_back(parameter, file.substr(0, file.size() - 3));
      }
    }
    AOA_ASSIGN_OR_RETURN(auto opened, OpenTorchFiles(paths, threads_));
    for (size_t i = 0; i < opened.size(); ++i) {
      NoteSuspicions(opened[i], schema_);
      Status status = AddFile(opened[i], names[i].first, names[i].second);
      if (!status.ok()) return std::move(status).WithContext(Printable(paths[i]));
    }
    composite_.End();
    Keep();
    return Status();
  }

 private:
  Status OpenModels() {
    std::vector<std::string> paths;
    for (const auto& [rank, path] : files_.models) paths.push_back(path);
    for (const auto& [rank, path] : files_.shards) paths.push_back(path);
    AOA_ASSIGN_OR_RETURN(models_, OpenTorchFiles(paths, threads_));
    for (const TorchFile& file : models_) {
      NoteSuspicions(file, schema_);
      AOA_ASSIGN_OR_RETURN(auto groups, ShapesOf(file.root().Find("param_shapes")));
      for (const auto& group : groups) {
        for (const NamedShape& s : group) shapes_.try_emplace(s.name, s.shape);
      }
      lists_.push_back(std::move(groups));
    }
    return Status();
  }

  // The state of the optimizer that is no parameter's. Some tools leave it out.
  Status OpenOptimizer() {
    const fs::path path = fs::path(files_.folder) / "zero" / kUniversalOptimizer;
    std::error_code error;
    if (!fs::exists(path, error)) return Status();
    AOA_ASSIGN_OR_RETURN(auto opened, OpenTorchFiles({path.native()}, 1));
    optimizer_ = std::move(opened[0]);
    NoteSuspicions(*optimizer_, schema_);
    return Status();
  }

  // The 16-bit weights, of a model on one rank.
  Status AddWeights() {
    const bool one = files_.models.size() == 1 || models_.size() == 1;
    const Value* module = one ? models_[0].root().Find("module") : nullptr;
    if (!module) return Status();
    const TorchFile& file = models_[0];
    Status status = EachLeaf(*module, [&](const std::string& name, const Value& value) -> Status {
      AOA_ASSIGN_OR_RETURN(auto tensor, file.TensorOf(value, name));
      if (!tensor) return Status();
      types_[name] = tensor->dtype;
      auto shape = shapes_.find(name);
      if (!tensor->row_major || !IsUtf8(name) || (shape != shapes_.end() && shape->second != tensor->shape))
        return Status();
      weights_.insert(name);
      const StoredPart part{composite_.StoreOf(file.path(), file.size()), tensor->offset, tensor->bytes};
      return composite_.Add(name, tensor->dtype, tensor->shape, std::span(&part, 1));
    });
    return std::move(status).WithContext(Printable(file.path()));
  }

  Status AddFile(const TorchFile& file, const std::string& parameter, const std::string& role) {
    const Value* value = file.root().Find("param");
    AOA_ASSIGN_OR_RETURN(auto tensor, file.TensorOf(value ? *value : file.root(), role));
    if (!tensor) {
      if (role == "step" && file.root().AsInt()) return AddStep(parameter, static_cast<float>(*file.root().AsInt()));
      return Status::Invalid("it holds no tensor");
    }
    if (!tensor->row_major) return Status::Invalid("its tensor is not row-major");
    const StoredPart part{composite_.StoreOf(file.path(), file.size()), tensor->offset, tensor->bytes};
    const std::span parts(&part, 1);
    if (role == "step") return composite_.Add(parameter + ".step", tensor->dtype, tensor->shape, parts);
    Shape shape = tensor->shape;
    if (auto known = shapes_.find(parameter);
        known != shapes_.end() && shape.size() == 1 && ElementCount(known->second) == ElementCount(shape))
      shape = known->second;
    const DType dtype = DTypeOf(parameter);
    if (role == kMaster) {
      if (!weights_.contains(parameter))
        AOA_RETURN_IF_ERROR(composite_.Add(parameter, dtype, shape, parts, tensor->dtype));
      if (dtype == tensor->dtype) return Status();
    }
    return composite_.Add(parameter + "." + role, tensor->dtype, shape, parts);
  }

  Status AddStep(const std::string& parameter, float step) {
    return composite_.AddNumber(parameter + ".step", DType::kF32, std::bit_cast<uint32_t>(step));
  }

  DType DTypeOf(const std::string& parameter) const {
    if (auto it = types_.find(parameter); it != types_.end()) return it->second;
    return models_.empty() ? DType::kF32 : RunDType(models_[0].root()).value_or(DType::kF32);
  }

  void Keep() {
    auto kept = KeepDeepSpeed(files_);
    const Value* state = optimizer_ ? OptimizerIn(optimizer_->root()) : nullptr;
    kept->groups = GroupsOf(lists_, state ? ParamGroupsIn(*state) : nullptr);
    kept->optimizer = std::move(optimizer_);
    if (!models_.empty()) {
      if (const Value* args = models_[0].root().Find("args")) schema_.config = JsonOf(*args).dump();
      kept->model = std::move(models_[0]);
    }
    schema_.preserved = std::move(kept);
  }

  const DeepSpeedFiles& files_;
  int threads_;
  Schema& schema_;
  CompositeSchema composite_;
  std::vector<TorchFile> models_;
  std::optional<TorchFile> optimizer_;
  std::vector<std::vector<std::vector<NamedShape>>> lists_;  // `param_shapes`, by file of model states
  std::unordered_map<std::string, Shape> shapes_;            // of parameters, by `param_shapes`
  std::unordered_map<std::string, DType> types_;             // of the model's weights
  std::unordered_set<std::string> weights_;                  // those that are stored as such
};

}  // namespace

Status ReadUniversal(const DeepSpeedFiles& files, int threads, Schema& schema) {
  return UniversalReader(files, threads, schema).Read();
}

}  // namespace aoa::formats
