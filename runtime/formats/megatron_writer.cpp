#include "runtime/formats/megatron_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/check.h"
#include "runtime/formats/megatron_folder.h"
#include "runtime/formats/megatron_object.h"
#include "runtime/formats/megatron_rank.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {
namespace {

// Megatron refuses to load iteration 0.
constexpr int64_t kFirstIteration = 1;

// Where the coordinates of Megatron's axes stand; those that a mesh lacks are 0.
struct Axes {
  std::optional<size_t> tp, pp, dp;

  static int64_t At(const std::optional<size_t>& axis, const std::vector<int64_t>& coordinates) {
    return axis ? coordinates[*axis] : 0;
  }
};

Result<Axes> FindAxes(const Mesh& mesh) {
  for (const Mesh::Axis& axis : mesh.axes) {
    if (axis.name != "tp" && axis.name != "pp" && axis.name != "dp")
      return Status::Invalid(fmt::format("Megatron's files know nothing of a mesh axis {}", Quote(axis.name)));
  }
  return Axes{mesh.Find("tp"), mesh.Find("pp"), mesh.Find("dp")};
}

class Writer {
 public:
  Writer(const TargetContent& content, const WriteOptions& options)
      : content_(content),
        options_(options),
        preserved_(dynamic_cast<const MegatronPreserved*>(options.preserved.get())) {}

  Result<TargetLayout> LayOut() {
    AOA_ASSIGN_OR_RETURN(axes_, FindAxes(content_.axes));
    auto size = [&](const std::optional<size_t>& axis) { return axis ? content_.axes.axes[*axis].size : 1; };
    mesh_ = {size(axes_.tp), size(axes_.pp), size(axes_.dp), content_.rounds};
    if (preserved_) iteration_ = std::max(preserved_->ranks[0].iteration.value_or(0), kFirstIteration);
    for (const auto& table : content_.tables) {
      for (const TargetTensor& tensor : table) {
        if (tensor.role.empty() && tensor.shape.size() == 2 && IsMegatronEmbedding(tensor.name))
          vocabulary_ = tensor.shape[0] * mesh_.tp;
      }
    }
    TargetLayout layout;
    for (auto [rank, table] : content_.ranks) {
      const std::vector<int64_t> coordinates = content_.axes.Coordinates(rank);
      if (Axes::At(axes_.dp, coordinates) == 0) AOA_RETURN_IF_ERROR(AddRank(rank, table, coordinates, layout));
    }
    layout.extras.push_back({std::string(kTracker), std::to_string(iteration_)});
    return layout;
  }

 private:
  Status AddRank(int64_t rank, uint32_t table, const std::vector<int64_t>& coordinates, TargetLayout& layout) {
    MegatronTarget target;
    target.mesh = mesh_;
    target.tp = Axes::At(axes_.tp, coordinates);
    target.pp = Axes::At(axes_.pp, coordinates);
    target.rank = rank;
    target.iteration = iteration_;
    target.vocabulary = vocabulary_;
    target.distributed = options_.variant == "legacy_distopt";
    target.config = options_.config;
    if (preserved_) {
      const bool same = preserved_->mesh.tp == mesh_.tp && preserved_->mesh.pp == mesh_.pp;
      target.like = &preserved_->ranks[same ? static_cast<size_t>(target.pp * mesh_.tp + target.tp) : 0];
      target.same_rank = same;
    }
    const std::string folder =
        IterationFolderName(iteration_) + "/" + RankFolderName(target.tp, target.pp, mesh_.pp) + "/";
    AOA_ASSIGN_OR_RETURN(auto files, LayOutMegatronRank(content_.tables[table], target, folder));
    for (TargetFile& file : files) {
      file.rank = rank;
      file.table = table;
      layout.files.push_back(std::move(file));
    }
    return Status();
  }

  const TargetContent& content_;
  const WriteOptions& options_;
  const MegatronPreserved* preserved_;
  Axes axes_;
  MegatronMesh mesh_;
  int64_t iteration_ = kFirstIteration;
  int64_t vocabulary_ = 0;
};

}  // namespace

Result<TargetLayout> LayOutMegatron(const TargetContent& content, const WriteOptions& options) {
  return Writer(content, options).LayOut();
}

}  // namespace aoa::formats
