// What an InternEvo checkpoint that is written is made of: the weights of a rank with their states, and how those are
// dealt to the ranks that share them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/internevo_files.h"
#include "runtime/formats/internevo_partition.h"

namespace aoa::formats {

// A weight with its states, as numbers in the table of its rank.
struct InternEvoWeight {
  uint32_t weight = 0;
  std::string name;                // in the file
  std::optional<uint32_t> master;  // the weight itself, if it is f32
  std::optional<uint32_t> exp_avg, exp_avg_sq, step;

  bool HasMoments() const { return exp_avg && exp_avg_sq; }
};

// The weights of a rank in the order of the modules.
struct InternEvoTable {
  std::vector<InternEvoWeight> weights;
  std::vector<std::vector<size_t>> members;  // per group, numbers in `weights`
  // What each of the ranks takes that share a group: per group and rank, numbers in `weights` in the order of the flat
  // tensor, and the same as the files spell it.
  std::vector<std::vector<std::vector<size_t>>> shares;
  InternEvoPlan plan;
};

// The element type of a model: f32 only if all of its weights are.
DType ModelDType(const TargetContent& content);

// Whether there are states beside the weights, on some rank.
bool HasStates(const TargetContent& content);

// Finds the states of each weight, which are called WEIGHT.master, WEIGHT.exp_avg, WEIGHT.exp_avg_sq and WEIGHT.step,
// and deals them; `states`: every weight must have them. kUsage for states that InternEvo does not have, and where some
// weights lack what others have.
Result<InternEvoTable> SortInternEvoTable(const std::vector<TargetTensor>& table, DType model,
                                          const InternEvoMesh& mesh, bool first_stage, bool states);

}  // namespace aoa::formats
