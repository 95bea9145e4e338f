#include "runtime/formats/internevo_writer.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/formats/internevo_files.h"
#include "runtime/formats/internevo_state.h"
#include "runtime/formats/internevo_target.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_target_object.h"

namespace aoa::formats {
namespace {

using pickle::Tree;
using pickle::Value;

constexpr std::string_view kCutByRows = "word_embeddings.weight";  // of an embedding that is cut by the vocabulary

Result<InternEvoMesh> MeshOf(const TargetContent& content, const std::string& variant) {
  InternEvoMesh out;
  out.variant = variant.empty() ? "tp" : variant;
  out.vpp = content.rounds;
  bool weights = false;
  const Mesh& mesh = content.axes;
  for (size_t i = 0; i < mesh.axis_count(); ++i) {
    const Mesh::Axis& axis = mesh.axis(i);
    const bool of_ranks = i < mesh.axes.size();
    if (of_ranks && axis.name == "pp")
      out.pp = axis.size;
    else if (of_ranks && axis.name == "dp")
      out.dp = axis.size;
    else if (of_ranks && axis.name == "tp")
      out.tp = axis.size;
    else if (of_ranks && axis.size != 1)
      return Status::Usage(
          fmt::format("InternEvo's ranks lie on the mesh axes pp, dp and tp, not {}", Quote(axis.name)));
    else if (axis.name == "zo")
      out.zo = axis.size;
    else if (axis.name == "wp")
      out.wp = axis.size;
    weights |= axis.name == "wp";
  }
  if (weights == out.weight_parallel()) return out;
  return Status::Usage(fmt::format(
      "the files of variant {} are {} weight parallelism, and the side's mesh has {} axis `wp`: take variant "
      "{} or another side",
      out.variant, weights ? "without" : "of", weights ? "an" : "no", weights ? "tp_wp or wp" : "tp"));
}

// A rank by its stage, and its number there.
struct Place {
  int64_t p = 0, r = 0;
};

class Writer {
 public:
  Writer(const TargetContent& content, const WriteOptions& options, InternEvoMesh mesh)
      : content_(content),
        mesh_(std::move(mesh)),
        dtype_(ModelDType(content)),
        states_(HasStates(content)),
        state_(mesh_, dtype_, options) {}

  Result<TargetLayout> Write() {
    AOA_RETURN_IF_ERROR(CheckKept());
    for (auto [rank, number] : content_.ranks) {
      AOA_ASSIGN_OR_RETURN(Place place, PlaceOf(rank));
      AOA_ASSIGN_OR_RETURN(const InternEvoTable* sorted, Sorted(number, place));
      rank_ = rank;
      number_ = number;
      if (place.r < mesh_.model_ranks()) AOA_RETURN_IF_ERROR(Model(*sorted, place));
      if (!states_) continue;
      if (place.r < mesh_.optimizer_ranks()) AOA_RETURN_IF_ERROR(Optimizer(*sorted, place));
      AOA_RETURN_IF_ERROR(Plan(*sorted, place));
    }
    AOA_ASSIGN_OR_RETURN(auto run, state_.Files());
    for (ExtraFile& file : run) layout_.extras.push_back(std::move(file));
    return std::move(layout_);
  }

 private:
  const std::vector<TargetTensor>& table() const { return content_.tables[number_]; }

  Result<Place> PlaceOf(int64_t rank) const {
    const std::vector<int64_t> coordinates = content_.axes.Coordinates(rank);
    auto on = [&](std::string_view axis) {
      auto index = content_.axes.Find(axis);
      return index ? coordinates[*index] : 0;
    };
    const Place place{on("pp"), on("dp") * mesh_.tp + on("tp")};
    if (place.p * mesh_.stage_ranks() + place.r != rank || (mesh_.weight_parallel() && place.r % mesh_.wp != on("wp")))
      return Status::Usage("InternEvo counts its ranks by pp, dp, tp, and those of a stage by wdp, wp: " +
                           content_.mesh + " has them otherwise");
    return place;
  }

  Result<const InternEvoTable*> Sorted(uint32_t number, const Place& place) {
    auto it = sorted_.find(number);
    if (it == sorted_.end()) {
      AOA_ASSIGN_OR_RETURN(auto made,
                           SortInternEvoTable(content_.tables[number], dtype_, mesh_, place.p == 0, states_));
      it = sorted_.emplace(number, std::move(made)).first;
    }
    return &it->second;
  }

  // Files of variant `wp` are called by the rank of weight parallelism alone: some ranks' would not be kept.
  Status CheckKept() const {
    if (mesh_.variant != "wp") return Status();
    if (mesh_.wp < mesh_.tp)
      return Status::Usage(fmt::format(
          "variant wp keeps a file for each of wp = {} ranks, which are too few for tp = {}", mesh_.wp, mesh_.tp));
    if (!states_ || mesh_.optimizer_ranks() == mesh_.stage_ranks()) return Status();
    return Status::Usage(fmt::format(
        "variant wp keeps the optimizer of wp * zo = {} ranks, and the embedding's is shared out over the {} "
        "of a stage: take zo = {}, or variant tp_wp",
        mesh_.optimizer_ranks(), mesh_.stage_ranks(), mesh_.stage_ranks() / mesh_.wp));
  }

  Status Add(TorchTargetObject& file, const std::string& path, const Value& object) {
    AOA_ASSIGN_OR_RETURN(TargetFile made, file.End(path, object, rank_, number_));
    layout_.files.push_back(std::move(made));
    return Status();
  }

  Status AddExtra(const std::string& path, const Value& object, Tree& tree) {
    AOA_ASSIGN_OR_RETURN(ExtraFile made, MakeTorchFile(path, object, {TorchFile::Container::kZip, tree}));
    layout_.extras.push_back(std::move(made));
    return Status();
  }

  // ---------------------------------------------------------------- weights

  Status Model(const InternEvoTable& sorted, const Place& place) {
    TorchTargetObject file(table());
    Value* weights = file.tree().Call("collections OrderedDict", {});
    Value* topology = file.tree().Dict();
    for (const InternEvoWeight& weight : sorted.weights) {
      file.tree().Set(weights, weight.name, file.Whole(weight.weight));
      if (!weight.name.ends_with(kCutByRows)) continue;
      Value* axis = file.tree().Dict();
      file.tree().Set(axis, "dim", file.tree().Int(0));
      file.tree().Set(topology, weight.name.substr(0, weight.name.rfind('.')), axis);
    }
    AOA_RETURN_IF_ERROR(Add(file, mesh_.ModelName(place.p, place.r), *weights));
    return AddExtra(mesh_.TopologyName(place.p, place.r), *topology, file.tree());
  }

  // ---------------------------------------------------------------- optimizers

  const Value* PlanValue(const InternEvoTable& sorted, Tree& tree) const {
    std::vector<const Value*> groups;
    for (const auto& group : sorted.plan) {
      std::vector<const Value*> ranks;
      for (const auto& rank : group) {
        std::vector<const Value*> entries;
        for (const std::string& entry : rank) entries.push_back(tree.Text(entry));
        ranks.push_back(tree.List(std::move(entries)));
      }
      groups.push_back(tree.List(std::move(ranks)));
    }
    return tree.List(std::move(groups));
  }

  Status Plan(const InternEvoTable& sorted, const Place& place) {
    Tree tree;
    return AddExtra(mesh_.PlanName(place.p, place.r), *PlanValue(sorted, tree), tree);
  }

  // The rank's number among those that share the group.
  int64_t ShareOf(InternEvoGroup group, const Place& place) const {
    return group == InternEvoGroup::kEmbedHead ? place.r / mesh_.tp : place.r / mesh_.stride() % mesh_.zo;
  }

  // A role of several weights, one behind the other.
  const Value* Flat(TorchTargetObject& file, const InternEvoTable& sorted, const std::vector<size_t>& share,
                    std::optional<uint32_t> InternEvoWeight::*role, bool trained) const {
    std::vector<TorchTargetObject::Window> windows;
    int64_t length = 0;
    for (size_t i : share) {
      const InternEvoWeight& weight = sorted.weights[i];
      const int64_t count = ElementCount(table()[weight.weight].shape);
      windows.push_back({*(weight.*role), 0, count, length});
      length += count;
    }
    return file.Flat(DType::kF32, length, windows, trained);
  }

  const Value* Step(TorchTargetObject& file, const InternEvoWeight& weight) const {
    if (weight.step) return file.Scalar(*weight.step);
    const auto step = static_cast<float>(state_.steps());
    std::string bytes(sizeof(step), '\0');
    std::memcpy(bytes.data(), &step, sizeof(step));
    return file.storages().Tensor(file.storages().AddContent(DType::kF32, std::move(bytes)), {});
  }

  // The inner optimizer has one flat parameter for each group. Where a rank has no part of a group, it has the group's
  // own parameters, without states: they are counted all the same.
  Status Optimizer(const InternEvoTable& sorted, const Place& place) {
    TorchTargetObject file(table());
    Tree& tree = file.tree();
    Value *states = tree.Dict(), *masters = tree.Dict();
    std::vector<const Value*> groups;
    int64_t next = 0;
    const std::vector<InternEvoGroup> names = GroupsOf(mesh_.weight_parallel());
    for (size_t g = 0; g < names.size(); ++g) {
      const auto& members = sorted.members[g];
      const auto& share = sorted.shares[g][static_cast<size_t>(ShareOf(names[g], place))];
      std::vector<int64_t> numbers;
      if (share.empty()) {
        for (size_t i = 0; i < members.size(); ++i) numbers.push_back(next++);
      } else {
        masters->entries.insert(masters->entries.end(), {tree.Int(static_cast<int64_t>(g)),
                                                         Flat(file, sorted, share, &InternEvoWeight::master, true)});
        const InternEvoWeight& first = sorted.weights[share.front()];
        if (first.HasMoments()) {
          Value* state = tree.Dict();
          tree.Set(state, "step", Step(file, first));
          tree.Set(state, "exp_avg", Flat(file, sorted, share, &InternEvoWeight::exp_avg, false));
          tree.Set(state, "exp_avg_sq", Flat(file, sorted, share, &InternEvoWeight::exp_avg_sq, false));
          states->entries.insert(states->entries.end(), {tree.Int(next), state});
        }
        numbers.push_back(next++);
      }
      const DType* dtype = members.empty() ? nullptr : &table()[sorted.weights[members.front()].weight].dtype;
      AOA_ASSIGN_OR_RETURN(const Value* group, state_.Group(names[g], dtype, numbers, tree));
      groups.push_back(group);
    }
    Value *base = tree.Dict(), *object = tree.Dict();
    tree.Set(base, "state", states);
    tree.Set(base, "param_groups", tree.List(std::move(groups)));
    AOA_ASSIGN_OR_RETURN(const Value* scaler, state_.GradScaler(file.storages(), tree));
    tree.Set(object, "grad_scaler", scaler);
    tree.Set(object, "base_optim_states", base);
    tree.Set(object, "flat_fp32_weights", masters);
    tree.Set(object, kInternEvoPlan, PlanValue(sorted, tree));
    return Add(file, mesh_.OptimizerName(place.p, place.r), *object);
  }

  const TargetContent& content_;
  InternEvoMesh mesh_;
  DType dtype_;
  bool states_;  // there are some
  InternEvoState state_;
  std::map<uint32_t, InternEvoTable> sorted_;  // by table
  TargetLayout layout_;
  int64_t rank_ = 0;     // that is being written
  uint32_t number_ = 0;  // of its table
};

}  // namespace

Result<TargetLayout> LayOutInternEvo(const TargetContent& content, const WriteOptions& options) {
  AOA_ASSIGN_OR_RETURN(InternEvoMesh mesh, MeshOf(content, options.variant));
  return Writer(content, options, std::move(mesh)).Write();
}

}  // namespace aoa::formats
