// What the target's files hold: for every rank the tensors with their names inside the file, types and local shapes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/index/index_program.h"
#include "compiler/plan/layouts.h"

namespace aoa::plan {

// What an entry of a TargetContent table is made from.
struct ContentEntry {
  enum class Kind : uint8_t { kTensor, kScalar, kBlocks };
  Kind kind = Kind::kTensor;
  uint32_t index = 0;  // in IndexProgram::targets, scalars or blocks
};

struct Content {
  TargetContent target;                            // what the writer is asked to lay out
  std::vector<std::vector<ContentEntry>> entries;  // beside target.tables
};

// The content of the target for these ranks (all if empty). Nothing if a diagnostic was reported. Deterministic;
// tensors of consecutive declarations with the same name variables are ordered by their numbers first (layer by layer).
// `cuts`: the content says how each tensor is cut.
std::optional<Content> MakeContent(const bind::Program& program, const index::IndexProgram& index, const Schema& source,
                                   Layouts& layouts, const std::vector<int64_t>& ranks, WantedCuts cuts,
                                   diag::Diagnostics& diagnostics);

// The shape of the block scales of a weight's block.
Shape ScaleShape(const Shape& weight, const std::vector<int64_t>& blocks);

}  // namespace aoa::plan
