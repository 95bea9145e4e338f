// Plain safetensors with a mesh: rank_00000.safetensors and so on, in rank order, one file per rank. Each says in its
// metadata where it belongs:
//
//   "aoa.mesh": "pp=2,tp=2"    axes with sizes, slowest first; overlay axes, which multiply no ranks, behind the others
//   "aoa.rank": "3"
//   "aoa.stages": "{\"vpp\":2}"    how layers are dealt to stages, where the rules leave that to the command line:
//   rounds, and
//                                 the counts of uneven stages ({"pp":[9,8,8,7]})
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/safetensors_header.h"

namespace aoa::formats {

constexpr std::string_view kMeshKey = "aoa.mesh";
constexpr std::string_view kRankKey = "aoa.rank";
constexpr std::string_view kStagesKey = "aoa.stages";

// "rank_00003.safetensors"
std::string RankFileName(int64_t rank);
// The rank of a file of exactly such a name.
std::optional<int64_t> RankOfFileName(std::string_view name);

// What a rank's file says of itself.
Metadata MetadataOf(const TargetContent& content, int64_t rank);

using MeshAxes = std::vector<std::pair<std::string, int64_t>>;

Result<MeshAxes> ParseMesh(std::string_view text);

// How many ranks a mesh has that must have more than `highest`. The text does not say where its overlays begin; but the
// axes before them multiply to the number of ranks, and each overlay multiplies to a product of some of those. Of
// several numbers that fit, the least; nothing if none does.
std::optional<int64_t> CountRanks(const MeshAxes& mesh, int64_t highest);

// That the files of `schema`, whose ranks are set from their names and ascend, and what they say of themselves make a
// whole. Sets the mesh, and how its stages are dealt.
Status CheckRanks(const std::vector<Metadata>& metadata, Schema& schema);

}  // namespace aoa::formats
