#include "compiler/plan/absent.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "compiler/diag/suggest.h"

namespace aoa::plan {
namespace {

class Absent {
 public:
  Absent(const Schema& source, Plan& plan) : source_(source), plan_(plan) {}

  bool IsAbsent(const Plan::InShard& shard) const {
    return shard.file != Plan::kNoFile && source_.files[shard.file].absent;
  }

  // Notes the ranks that a program reads and that are absent. Whether there are any.
  bool Note(uint32_t number, uint32_t first_slot, std::set<uint32_t>& files) const {
    const Plan::BlockProgram& program = plan_.programs[number];
    bool found = false;
    for (uint32_t m = program.first_move; m < program.first_move + program.moves; ++m) {
      const Plan::Move& move = plan_.moves[m];
      if (move.how == Plan::How::kFill) continue;
      const Plan::InShard& shard = plan_.in_shards[plan_.slots[first_slot + move.slot] + move.block];
      if (!IsAbsent(shard)) continue;
      files.insert(shard.file);
      found = true;
    }
    return found;
  }

  void LeaveComparisonsOut() {
    std::set<uint32_t> ignored;
    std::erase_if(plan_.agreements, [&](const Plan::Agreement& agreement) {
      if (IsAbsent(agreement.b)) return true;
      if (agreement.program == Plan::kNoProgram) return IsAbsent(agreement.a);
      return Note(agreement.program, agreement.first_slot, ignored);
    });
  }

  // Numbers that are copied need one place.
  void LeavePlacesOut(std::vector<Plan::Places>& sources, std::set<uint32_t>& needed) const {
    for (Plan::Places& places : sources) {
      const auto here =
          std::count_if(places.all.begin(), places.all.end(), [&](const auto& s) { return !IsAbsent(s); });
      if (here == 0 && !places.all.empty()) needed.insert(places.all[0].file);
      if (here > 0) std::erase_if(places.all, [&](const auto& s) { return IsAbsent(s); });
    }
  }

  // What is read from absent files.
  std::set<uint32_t> Needed() {
    std::set<uint32_t> needed;
    for (const Plan::OutShard& shard : plan_.out_shards) Note(shard.program, shard.first_slot, needed);
    for (const Plan::Norm& norm : plan_.norms) Note(norm.program, norm.first_slot, needed);
    for (const Plan::Replicas& replicas : plan_.replicas) {
      for (const Plan::InShard& shard : replicas.all) {
        if (IsAbsent(shard)) needed.insert(shard.file);
      }
    }
    for (const Plan::ScalarShard& shard : plan_.scalar_shards) {
      Plan::Scalar& scalar = plan_.scalars[shard.scalar];
      LeavePlacesOut(scalar.sources, needed);
      for (auto& input : scalar.inputs) LeavePlacesOut(input.sources, needed);
    }
    return needed;
  }

 private:
  const Schema& source_;
  Plan& plan_;
};

}  // namespace

bool LeaveAbsentOut(const Schema& source, Plan& plan, diag::Diagnostics& diagnostics) {
  const bool all = std::none_of(source.files.begin(), source.files.end(), [](const auto& file) { return file.absent; });
  if (all) return true;
  Absent absent(source, plan);
  absent.LeaveComparisonsOut();
  std::vector<std::string> paths;
  for (uint32_t file : absent.Needed()) paths.push_back(diag::Printable(source.files[file].path));
  if (paths.empty()) return true;
  diagnostics.Error(diag::Code::kRanks, {}, "the ranks that --ranks names need files of the source that are not here")
      .Expected(diag::Enumerate(paths, 30))
      .Help(
          "`aoac layouts --needs RANKS --layout-from PATH --layout-to PATH` lists the ranks whose files must be here");
  return false;
}

}  // namespace aoa::plan
