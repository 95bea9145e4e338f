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

class Writer {
 public:
  Writer(const TargetContent& content, const WriteOptions& options)
      : content_(content),
        options_(options),
        preserved_(dynamic_cast<const MegatronPreserved*>(options.preserved.get())) {}

  Result<TargetLayout> LayOut() {
    AOA_ASSIGN_OR_RETURN(axes_, FindMegatronAxes(content_.axes));
    mesh_ = axes_.SizesIn(content_.axes);
    mesh_.vpp = content_.rounds;
    iteration_ = MegatronIteration(options_);
    for (const auto& table : content_.tables) {
      for (const TargetTensor& tensor : table) {
        if (tensor.role.empty() && tensor.shape.size() == 2 && IsMegatronEmbedding(tensor.name))
          vocabulary_ = tensor.shape[0] * mesh_.tp;
      }
    }
    TargetLayout layout;
    for (auto [rank, table] : content_.ranks) {
      const std::vector<int64_t> coordinates = content_.axes.Coordinates(rank);
      if (MegatronAxes::At(axes_.dp, coordinates) == 0) AOA_RETURN_IF_ERROR(AddRank(rank, table, coordinates, layout));
    }
    layout.extras.push_back({std::string(kTracker), std::to_string(iteration_)});
    return layout;
  }

 private:
  Status AddRank(int64_t rank, uint32_t table, const std::vector<int64_t>& coordinates, TargetLayout& layout) {
    MegatronTarget target;
    target.mesh = mesh_;
    target.tp = MegatronAxes::At(axes_.tp, coordinates);
    target.pp = MegatronAxes::At(axes_.pp, coordinates);
    target.rank = rank;
    target.iteration = iteration_;
    target.vocabulary = vocabulary_;
    target.distributed = options_.variant == "legacy_distopt";
    target.config = options_.config;
    if (preserved_) {
      const bool same = preserved_->HasRanksOf(mesh_);
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
  MegatronAxes axes_;
  MegatronMesh mesh_;
  int64_t iteration_ = 1;
  int64_t vocabulary_ = 0;
};

}  // namespace

MegatronMesh MegatronAxes::SizesIn(const Mesh& mesh) const {
  auto size = [&](const std::optional<size_t>& axis) { return axis ? mesh.axes[*axis].size : 1; };
  return {size(tp), size(pp), size(dp), 1};
}

Result<MegatronAxes> FindMegatronAxes(const Mesh& mesh) {
  for (const Mesh::Axis& axis : mesh.axes) {
    if (axis.name != "tp" && axis.name != "pp" && axis.name != "dp")
      return Status::Invalid(fmt::format("Megatron's files know nothing of a mesh axis {}", Quote(axis.name)));
  }
  return MegatronAxes{mesh.Find("tp"), mesh.Find("pp"), mesh.Find("dp")};
}

int64_t MegatronIteration(const WriteOptions& options) {
  constexpr int64_t kFirst = 1;  // Megatron refuses to load iteration 0
  auto* preserved = dynamic_cast<const MegatronPreserved*>(options.preserved.get());
  auto iteration = preserved ? preserved->ranks[0].iteration : std::nullopt;
  return std::max(iteration.value_or(options.iteration.value_or(kFirst)), kFirst);
}

Result<TargetLayout> LayOutMegatron(const TargetContent& content, const WriteOptions& options) {
  return Writer(content, options).LayOut();
}

}  // namespace aoa::formats
