// Sides at their place in a run: meshes with sizes, placements, roles.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/bind/program.h"
#include "compiler/core/status.h"

namespace aoa::bind {

// The sides of a run, source first, and the maps between them: the shortest way, the first in the file among equals.
struct Path {
  std::vector<const Side*> sides;
  std::vector<const Map*> maps;  // one less; empty for a side to itself
  std::vector<bool> backwards;   // the map's right is the step's source
};
// Nothing, and a diagnostic, if a side does not exist (kCommandLine) or no maps connect them.
std::optional<Path> FindPath(const Unit& unit, const std::string& from, const std::string& to,
                             diag::Diagnostics& diagnostics);

// The sizes of all mesh axes of the source, from its files and from `--mesh-from`, which must agree.
std::map<std::string, int64_t> SourceMeshSizes(const Side& side, const Schema& schema, const MeshSizes& asked,
                                               diag::Diagnostics& diagnostics);
// Those of the target, from `--mesh-to`; axes that are not named have size 1.
std::map<std::string, int64_t> TargetMeshSizes(const Side& side, const MeshSizes& asked,
                                               diag::Diagnostics& diagnostics);
// All of size 1.
std::map<std::string, int64_t> UnitMeshSizes(const Side& side);

// Fills mesh, placements, roles, format and zero of `end`. `schema` is that of the source, or null. With `whole` the
// end has no mesh: what lies between two maps, or is only looked at, is never cut.
void ResolveEnd(End& end, size_t index, Dimensions& dimensions, const std::map<std::string, int64_t>& sizes,
                const MeshSizes& asked, const Schema* schema, bool whole, diag::Diagnostics& diagnostics);
// The same where a layout says how tensors are cut: nothing of the side cuts or places them.
void ResolveSharded(End& end, size_t index, Dimensions& dimensions, const std::map<std::string, int64_t>& sizes,
                    std::shared_ptr<const Shardings> shardings, diag::Diagnostics& diagnostics);
// The mesh sizes that a layout stands for, of axes that the side has.
MeshSizes MeshSizesOf(const Side& side, const Shardings& shardings);

// How the placement deals `extent` indices. Nothing, and a diagnostic, if it cannot.
std::optional<Deal> MakeDeal(const Placement& placement, int64_t extent, size_t end, Dimensions& dimensions,
                             diag::Diagnostics& diagnostics);

// A cut of `tensor`, of this type, that does not divide: which, of what, and the sizes that would do.
void ReportCut(const CutProblem& problem, const TensorType& type, const Mesh& mesh, const std::string& tensor,
               SourceRange where, diag::Diagnostics& diagnostics);

}  // namespace aoa::bind
