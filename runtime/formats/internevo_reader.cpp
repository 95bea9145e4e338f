#include "runtime/formats/internevo_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/internevo_names.h"
#include "runtime/formats/internevo_partition.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_files.h"
#include "runtime/formats/torch_json.h"
#include "runtime/formats/torch_walk.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using pickle::Value;
using Kind = Value::Kind;

constexpr uint64_t kLongestAround = 64 << 20;
constexpr std::string_view kBuffer = ".rotary_emb.inv_freq";  // kept until early 2024; no optimizer has it

Status Broken(const TorchFile& file, const std::string& what) {
  return Status::Invalid(fmt::format("{}: {}", Printable(file.path()), what));
}

Result<InternEvoPlan> PlanOf(const TorchFile& file) {
  const Value* value = file.root().Find(kInternEvoPlan);
  if (!value || !value->Is(Kind::kList)) return Broken(file, fmt::format("there is no list `{}`", kInternEvoPlan));
  InternEvoPlan plan;
  uint64_t bytes = 0;  // lists may be shared, so that a plan could be longer than its file
  for (const Value* group : value->items) {
    auto& ranks = plan.emplace_back();
    bytes += sizeof(ranks);
    for (const Value* rank : group->items) {
      auto& entries = ranks.emplace_back();
      bytes += sizeof(entries);
      if (bytes > kLongestAround) return Broken(file, fmt::format("`{}` is too long", kInternEvoPlan));
      for (const Value* entry : rank->items) {
        if (!entry->Is(Kind::kText) || entry->outside)
          return Broken(file, fmt::format("`{}` holds what is no text", kInternEvoPlan));
        bytes += sizeof(std::string) + entry->text.size();
        if (bytes > kLongestAround) return Broken(file, fmt::format("`{}` is too long", kInternEvoPlan));
        entries.push_back(entry->text);
      }
    }
  }
  return plan;
}

class Reader {
 public:
  Reader(const std::string& path, int threads, Schema& schema)
      : path_(path), threads_(threads), schema_(schema), composite_(schema) {}

  Status Read() {
    AOA_ASSIGN_OR_RETURN(files_, FindInternEvoFiles(path_));
    AOA_RETURN_IF_ERROR(Open());
    schema_.variant = mesh().variant;
    schema_.has_mesh = true;
    schema_.mesh = {{"pp", mesh().pp}, {"dp", mesh().dp}, {"tp", mesh().tp}};
    if (mesh().weight_parallel()) schema_.mesh.emplace_back("wp", mesh().wp);
    schema_.mesh.emplace_back("zo", mesh().zo);
    AOA_RETURN_IF_ERROR(ReadConfiguration());
    for (int64_t p = 0; p < mesh().pp; ++p) {
      for (int64_t r = 0; r < mesh().model_ranks(); ++r) {
        Status status = ReadRank(p, r);
        if (!status.ok()) return status;
      }
    }
    if (mesh().vpp > 1) schema_.mesh.emplace_back("vpp", mesh().vpp);
    return Keep();
  }

 private:
  struct Weight {
    std::string name;
    TorchTensor tensor;
  };

  const InternEvoMesh& mesh() const { return files_.mesh; }
  const TorchFile& Opened(const std::string& name) const { return opened_[numbers_.at(name)]; }

  Status Open() {
    std::vector<std::string> paths;
    auto add = [&](const std::string& name) {
      if (numbers_.try_emplace(name, paths.size()).second) paths.push_back((fs::path(path_) / name).native());
    };
    for (int64_t p = 0; p < mesh().pp; ++p) {
      for (int64_t r = 0; r < mesh().model_ranks(); ++r) add(mesh().ModelName(p, r));
      for (int64_t r = 0; files_.optimizer && r < mesh().stage_ranks(); ++r) add(mesh().OptimizerName(p, r));
    }
    AOA_ASSIGN_OR_RETURN(opened_, OpenTorchFiles(paths, threads_));
    for (const TorchFile& file : opened_) NoteSuspicions(file, schema_);
    return Status();
  }

  Status ReadRank(int64_t p, int64_t r) {
    const TorchFile& file = Opened(mesh().ModelName(p, r));
    composite_.Begin(file.path(), p * mesh().stage_ranks() + r);
    auto weights = WeightsOf(file);
    if (!weights.ok()) return std::move(weights).status().WithContext(Printable(file.path()));
    if (!model_) {
      const bool plain = std::all_of(weights->begin(), weights->end(),
                                     [](const Weight& weight) { return weight.tensor.dtype == DType::kF32; });
      model_ = plain ? DType::kF32 : DType::kBF16;
    }
    const uint32_t store = composite_.StoreOf(file.path(), file.size());
    for (const Weight& weight : *weights) {
      const TorchTensor& tensor = weight.tensor;
      const StoredPart part{store, tensor.offset, tensor.bytes};
      AOA_RETURN_IF_ERROR(tensor.row_major
                              ? composite_.Add(weight.name, tensor.dtype, tensor.shape, std::span(&part, 1))
                              : composite_.AddStrided(weight.name, tensor.dtype, tensor.shape, tensor.strides, part));
    }
    if (files_.optimizer) AOA_RETURN_IF_ERROR(ReadStates(p, r, *weights));
    composite_.End();
    return Status();
  }

  // Called as in the stage.
  Result<std::vector<Weight>> WeightsOf(const TorchFile& file) {
    std::vector<Weight> weights;
    std::vector<std::string> names;
    AOA_RETURN_IF_ERROR(EachLeaf(file.root(), [&](const std::string& name, const Value& value) -> Status {
      AOA_ASSIGN_OR_RETURN(auto tensor, file.TensorOf(value, name));
      if (!tensor) return Status();
      if (!IsUtf8(name)) return Status::Invalid(fmt::format("the name {} is not UTF-8", Quote(name)));
      names.push_back(name);
      weights.push_back({"", *std::move(tensor)});
      return Status();
    }));
    AOA_ASSIGN_OR_RETURN(int64_t chunks, ToStageNames(names));
    if (std::exchange(chunks_, chunks).value_or(chunks) != chunks)
      return Status::Invalid(fmt::format("it has {} virtual stages, the files before it another number", chunks));
    files_.mesh.vpp = chunks;
    for (size_t i = 0; i < weights.size(); ++i) weights[i].name = std::move(names[i]);
    return weights;
  }

  // ---------------------------------------------------------------- states

  // The rank of the stage that is `member` among those that share out a group with rank `r`.
  int64_t MemberOf(InternEvoGroup group, int64_t r, int64_t member) const {
    const int64_t apart = group == InternEvoGroup::kEmbedHead ? mesh().tp : mesh().stride();
    return r % apart + member * apart;
  }

  Status ReadStates(int64_t p, int64_t r, const std::vector<Weight>& weights) {
    const TorchFile& first = Opened(mesh().OptimizerName(p, r));
    AOA_ASSIGN_OR_RETURN(InternEvoPlan plan, PlanOf(first));
    const auto groups = GroupsOf(mesh().weight_parallel());
    if (plan.size() != groups.size())
      return Broken(first, fmt::format("`{}` has {} groups, not {}", kInternEvoPlan, plan.size(), groups.size()));
    for (size_t g = 0; g < plan.size(); ++g) {
      const InternEvoGroup group = groups[g];
      std::vector<const Weight*> members;
      for (const Weight& weight : weights) {
        if (weight.name.ends_with(kBuffer)) continue;
        if (GroupOf(weight.name, weight.tensor.dtype, *model_, mesh().weight_parallel()) == group)
          members.push_back(&weight);
      }
      std::vector<int64_t> sizes;
      for (const Weight* member : members) sizes.push_back(ElementCount(member->tensor.shape));
      std::vector<const Weight*> sorted;
      std::map<std::string, const Weight*> by_entry;
      for (size_t i : BySize(sizes)) {
        by_entry[PlanEntry(sorted.size(), members[i]->tensor.shape)] = members[i];
        sorted.push_back(members[i]);
      }
      for (size_t z = 0; z < plan[g].size(); ++z) {
        if (plan[g][z].empty()) continue;
        const int64_t holder = MemberOf(group, r, static_cast<int64_t>(z));
        if (holder >= mesh().stage_ranks())
          return Broken(first,
                        fmt::format("`{}` deals {} to more ranks than there are", kInternEvoPlan, NameOf(group)));
        if (holder >= mesh().optimizer_ranks()) {
          return Broken(first,
                        fmt::format("`{}` deals {} to rank {} of the stage, and of its optimizer no file is kept: "
                                    "this part of the states is lost",
                                    kInternEvoPlan, NameOf(group), holder));
        }
        AOA_RETURN_IF_ERROR(ReadShare(Opened(mesh().OptimizerName(p, holder)), plan, g, z, by_entry));
      }
      if (by_entry.empty()) continue;
      return Broken(first, fmt::format("`{}` deals {} to no rank, which would be {}", kInternEvoPlan,
                                       Quote(by_entry.begin()->second->name), Quote(by_entry.begin()->first)));
    }
    return Status();
  }

  // What rank `z` holds of group `g`. Takes it from the entries that are left.
  Status ReadShare(const TorchFile& file, const InternEvoPlan& plan, size_t g, size_t z,
                   std::map<std::string, const Weight*>& left) {
    AOA_ASSIGN_OR_RETURN(InternEvoPlan own, PlanOf(file));
    if (own != plan) return Broken(file, fmt::format("`{}` is another than on other ranks", kInternEvoPlan));
    std::vector<const Weight*> weights;
    int64_t total = 0;
    for (const std::string& entry : plan[g][z]) {
      auto it = left.find(entry);
      if (it == left.end()) {
        return Broken(file, fmt::format("`{}` has {}, and no weight of its group is left that this could be",
                                        kInternEvoPlan, Quote(entry)));
      }
      weights.push_back(it->second);
      total += ElementCount(it->second->tensor.shape);
      left.erase(it);
    }
    const auto number = static_cast<int64_t>(g);
    const Value* masters = file.root().Find("flat_fp32_weights");
    AOA_RETURN_IF_ERROR(AddFlat(file, "master", masters ? FindNumber(*masters, number) : nullptr, weights, total));
    const Value* groups = FindPath(file.root(), {"base_optim_states", "param_groups"});
    const Value* states = FindPath(file.root(), {"base_optim_states", "state"});
    const Value* numbers = groups && g < groups->items.size() ? groups->items[g]->Find("params") : nullptr;
    const auto key = numbers && numbers->items.size() == 1 ? numbers->items[0]->AsInt() : std::nullopt;
    const Value* state = states && key ? FindNumber(*states, *key) : nullptr;
    if (!state) return Status();  // before the first step
    for (const char* moment : {"exp_avg", "exp_avg_sq"})
      AOA_RETURN_IF_ERROR(AddFlat(file, moment, state->Find(moment), weights, total));
    return AddStep(file, state->Find("step"), weights);
  }

  Status AddFlat(const TorchFile& file, std::string_view role, const Value* value,
                 const std::vector<const Weight*>& weights, int64_t total) {
    if (!value) return Broken(file, fmt::format("a group without {}", Quote(role)));
    auto tensor = file.TensorOf(*value, role);
    if (!tensor.ok()) return std::move(tensor).status().WithContext(Printable(file.path()));
    if (!*tensor || (*tensor)->shape != Shape{total} || !(*tensor)->row_major)
      return Broken(
          file, fmt::format("{} of a group is no flat tensor of {} elements, as the plan has it", Quote(role), total));
    const uint32_t store = composite_.StoreOf(file.path(), file.size());
    const DType dtype = (*tensor)->dtype;
    uint64_t offset = (*tensor)->offset;
    for (const Weight* weight : weights) {
      const uint64_t bytes =
          static_cast<uint64_t>(ElementCount(weight->tensor.shape)) * static_cast<uint64_t>(Width(dtype));
      const StoredPart part{store, offset, bytes};
      offset += bytes;
      if (role == "master" && weight->tensor.dtype == dtype) continue;  // the weight itself, once more
      AOA_RETURN_IF_ERROR(
          composite_.Add(fmt::format("{}.{}", weight->name, role), dtype, weight->tensor.shape, std::span(&part, 1)));
    }
    return Status();
  }

  Status AddStep(const TorchFile& file, const Value* value, const std::vector<const Weight*>& weights) {
    if (!value) return Status();
    auto tensor = file.TensorOf(*value, "step");
    if (!tensor.ok()) return std::move(tensor).status().WithContext(Printable(file.path()));
    if (!*tensor || ElementCount((*tensor)->shape) != 1) return Broken(file, "`step` is no tensor of one number");
    const StoredPart part{composite_.StoreOf(file.path(), file.size()), (*tensor)->offset, (*tensor)->bytes};
    for (const Weight* weight : weights)
      AOA_RETURN_IF_ERROR(composite_.Add(weight->name + ".step", (*tensor)->dtype, {}, std::span(&part, 1)));
    return Status();
  }

  // ---------------------------------------------------------------- the rest

  // kInternEvoConfig, if it is there.
  Status ReadConfiguration() {
    const auto& around = files_.around;
    if (std::find(around.begin(), around.end(), kInternEvoConfig) == around.end()) return Status();
    const std::string path = (fs::path(path_) / kInternEvoConfig).native();
    auto file = TorchFile::Open(path);
    if (!file.ok()) return std::move(file).status().WithContext(Printable(path));
    const nlohmann::json config = JsonOf(file->root());
    schema_.config = config.dump();
    for (const auto& [key, value] : config.items()) {
      if (value.is_boolean()) schema_.facts.emplace_back(key, value.get<bool>() ? 1 : 0);
    }
    if (const Value* dtype = file->root().Find("dtype")) {
      const bool plain =
          dtype->IsText("torch.float32") || dtype->IsText("torch.tf32") || dtype->IsGlobal("torch float32");
      model_ = plain ? DType::kF32 : DType::kBF16;
    }
    kept_->config = *std::move(file);
    return Status();
  }

  // A file of the run's state, if it can be read.
  std::optional<TorchFile> OpenState(const std::string& path, std::string_view what) const {
    auto file = TorchFile::Open(path);
    if (file.ok()) return *std::move(file);
    schema_.notes.push_back(fmt::format("{}: {}; without {}", Printable(path), file.status().message(), what));
    return std::nullopt;
  }

  // The number in the name of a marker, "2.step".
  static std::optional<int64_t> StepOf(const std::string& name) {
    int64_t step = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
    if (error != std::errc() || step < 0 || std::string_view(end) != ".step") return std::nullopt;
    return step;
  }

  Status Keep() {
    std::optional<int64_t> steps;
    for (const std::string& name : files_.around) {
      const std::string path = (fs::path(path_) / name).native();
      auto content = io::ReadSmallFile(path, kLongestAround);
      if (!content.ok()) return std::move(content).status();
      kept_->around.push_back({name, *std::move(content)});
      if (name == kInternEvoScheduler) kept_->scheduler = OpenState(path, "the schedule");
      if (name != kInternEvoContext) continue;
      if (auto file = OpenState(path, "the number of steps"))
        schema_.iteration = NumberIn(file->root().Find("step_count"));
    }
    if (steps) schema_.iteration = steps;
    kept_->mesh = mesh();
    if (files_.optimizer) kept_->optimizer = std::move(opened_[numbers_.at(mesh().OptimizerName(0, 0))]);
    schema_.preserved = std::move(kept_);
    return Status();
  }

  const std::string& path_;
  int threads_;
  Schema& schema_;
  CompositeSchema composite_;
  InternEvoFiles files_;
  std::map<std::string, size_t> numbers_;  // in opened_, by the file's name
  std::vector<TorchFile> opened_;
  std::optional<int64_t> chunks_;  // virtual stages
  std::optional<DType> model_;     // what the model is of: f32, or something shorter
  std::shared_ptr<InternEvoKept> kept_ = std::make_shared<InternEvoKept>();
};

}  // namespace

Result<Schema> ReadInternEvo(const std::string& path, int threads) {
  Schema schema;
  schema.path = path;
  schema.format = "internevo";
  AOA_RETURN_IF_ERROR(Reader(path, threads, schema).Read());
  return schema;
}

}  // namespace aoa::formats
