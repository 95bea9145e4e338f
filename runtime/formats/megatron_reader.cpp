#include "runtime/formats/megatron_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "compiler/core/text.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/megatron_folder.h"
#include "runtime/formats/megatron_rank.h"
#include "runtime/formats/megatron_states.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_files.h"

namespace aoa::formats {
namespace {

constexpr size_t kMostNamed = 20;

std::string Enumerate(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < kMostNamed; ++i) text += (i > 0 ? ", " : "") + Quote(names[i]);
  return names.size() > kMostNamed ? text + fmt::format(" and {} more", names.size() - kMostNamed) : text;
}

Result<std::vector<MegatronRank>> ReadRanks(const MegatronFolder& folder, int threads) {
  std::vector<std::optional<Result<MegatronRank>>> read(folder.ranks.size());
  ParallelFor(read.size(), threads, [&](size_t i) { read[i] = ReadMegatronRank(folder.path, folder.ranks[i].name); });
  std::vector<MegatronRank> ranks;
  for (auto& rank : read) {
    if (!rank->ok()) return std::move(*rank).status();
    ranks.push_back(*std::move(*rank));
  }
  return ranks;
}

// What all ranks must say alike.
template <class Say>
Status CheckAgreement(const MegatronFolder& folder, const std::vector<MegatronRank>& ranks, const char* what, Say say) {
  const std::string first = say(ranks[0]);
  for (const MegatronRank& rank : ranks) {
    std::string own = say(rank);
    if (own == first) continue;
    return Status::Invalid(fmt::format("{}: ranks disagree about {}: {} says {}, {} says {}", Printable(folder.path),
                                       what, Quote(ranks[0].folder), first, Quote(rank.folder), own));
  }
  return Status();
}

Status CheckAgreements(const MegatronFolder& folder, const std::vector<MegatronRank>& ranks) {
  AOA_RETURN_IF_ERROR(CheckAgreement(folder, ranks, "the mesh", [](const MegatronRank& rank) {
    return rank.arguments.is_object() ? ToString(rank.mesh) : "nothing";
  }));
  AOA_RETURN_IF_ERROR(CheckAgreement(folder, ranks, "the iteration", [](const MegatronRank& rank) {
    return rank.iteration ? std::to_string(*rank.iteration) : "nothing";
  }));
  AOA_RETURN_IF_ERROR(CheckAgreement(folder, ranks, "the checkpoint version",
                                     [](const MegatronRank& rank) { return fmt::format("{}", rank.version); }));
  AOA_RETURN_IF_ERROR(CheckAgreement(folder, ranks, "the number of virtual stages",
                                     [](const MegatronRank& rank) { return std::to_string(rank.chunks); }));
  return CheckAgreement(folder, ranks, "the distributed optimizer", [](const MegatronRank& rank) {
    return std::string(rank.buffers ? kMegatronBuffers : "nothing");
  });
}

// Without arguments the folders say what there is.
MegatronMesh MeshOfFolders(const MegatronFolder& folder) {
  MegatronMesh mesh;
  for (const MegatronRankFolder& rank : folder.ranks) {
    mesh.tp = std::max(mesh.tp, rank.numbers[0] + 1);
    if (rank.numbers.size() > 1) mesh.pp = std::max(mesh.pp, rank.numbers[1] + 1);
  }
  return mesh;
}

// Puts the ranks into the order of the mesh, stages slowest, and checks that they are all there.
Status OrderRanks(const MegatronFolder& folder, const MegatronMesh& mesh, std::vector<MegatronRank>& ranks) {
  std::vector<MegatronRank> ordered;
  std::vector<std::string> missing;
  for (int64_t pp = 0; pp < mesh.pp; ++pp) {
    for (int64_t tp = 0; tp < mesh.tp && missing.size() <= kMostNamed; ++tp) {
      const std::string name = RankFolderName(tp, pp, mesh.pp);
      auto it = std::find_if(ranks.begin(), ranks.end(), [&](const auto& rank) { return rank.folder == name; });
      if (it == ranks.end()) {
        missing.push_back(name);
      } else {
        ordered.push_back(std::move(*it));
        ranks.erase(it);
      }
    }
  }
  if (!missing.empty())
    return Status::Invalid(fmt::format("{}: the mesh {} has {} ranks; missing: {}", Printable(folder.path),
                                       ToString(mesh), mesh.pp * mesh.tp, Enumerate(missing)));
  std::vector<std::string> beyond;
  for (const MegatronRank& rank : ranks) beyond.push_back(rank.folder);
  if (!beyond.empty())
    return Status::Invalid(
        fmt::format("{}: the mesh {} has no ranks {}", Printable(folder.path), ToString(mesh), Enumerate(beyond)));
  ranks = std::move(ordered);
  return Status();
}

void SetMesh(const MegatronMesh& mesh, Schema& schema) {
  schema.has_mesh = true;
  schema.mesh = {{"pp", mesh.pp}, {"dp", mesh.dp}, {"tp", mesh.tp}};
  if (mesh.vpp > 1) schema.mesh.emplace_back("vpp", mesh.vpp);
}

void NoteIteration(const MegatronFolder& folder, const MegatronRank& rank, Schema& schema) {
  if (!rank.iteration || !folder.name.starts_with("iter_") || folder.name == IterationFolderName(*rank.iteration))
    return;
  schema.notes.push_back(fmt::format("{}: its files are of iteration {}", Printable(folder.path), *rank.iteration));
}

}  // namespace

Status ReadMegatron(const std::string& path, int threads, Schema& schema) {
  AOA_ASSIGN_OR_RETURN(MegatronFolder folder, FindMegatronFolder(path));
  if (folder.ranks.empty())
    return Status::Invalid(fmt::format("{} holds no folder of a rank (`mp_rank_00`)", Printable(folder.path)));
  AOA_ASSIGN_OR_RETURN(std::vector<MegatronRank> ranks, ReadRanks(folder, threads));
  AOA_RETURN_IF_ERROR(CheckAgreements(folder, ranks));
  MegatronMesh mesh = ranks[0].arguments.is_object() ? ranks[0].mesh : MeshOfFolders(folder);
  mesh.vpp = static_cast<int64_t>(ranks[0].chunks);
  AOA_RETURN_IF_ERROR(OrderRanks(folder, mesh, ranks));
  SetMesh(mesh, schema);
  schema.variant = ranks[0].buffers ? "legacy_distopt" : "legacy";
  if (ranks[0].arguments.is_object()) schema.config = ranks[0].arguments.dump();
  schema.iteration = ranks[0].iteration;
  NoteIteration(folder, ranks[0], schema);
  CompositeSchema composite(schema);
  for (size_t i = 0; i < ranks.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    NoteSuspicions(ranks[i].file, schema);
    composite.Begin(ranks[i].file.path(), number / mesh.tp * mesh.dp * mesh.tp + number % mesh.tp);
    AOA_RETURN_IF_ERROR(AddMegatronTensors(ranks[i], composite, schema.notes));
    composite.End();
  }
  auto preserved = std::make_shared<MegatronPreserved>();
  preserved->mesh = mesh;
  preserved->ranks = std::move(ranks);
  schema.preserved = std::move(preserved);
  return Status();
}

}  // namespace aoa::formats
