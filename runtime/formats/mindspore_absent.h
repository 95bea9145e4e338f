// Ranks of a checkpoint of MindSpore whose files are on another host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/sharding.h"

namespace aoa::formats {

// Adds files of these ranks that are absent to a schema of the others. Ranks of a stage hold the same tensors, in equal
// blocks, so a table of another rank of the stage is theirs. Where none is here, the layout gives the names; shapes
// are unknown, and element types those of the tensors whose names begin most alike.
void AddAbsentRanks(const std::string& path, const std::vector<int64_t>& ranks, const Shardings& layout,
                    Schema& schema);

}  // namespace aoa::formats
