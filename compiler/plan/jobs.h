// Cutting the work of a plan into jobs.
#pragma once

#include <cstdint>

#include "compiler/core/plan.h"

namespace aoa::plan {

// Fills plan.jobs: ranges of at most about `chunk_bytes` (a shard's own chunk where that is larger), cut where the
// shards' programs allow; tiles for programs that need them. A few files are taken at a time. Sets the range of the
// part-th share of the bytes, in whole jobs.
void MakeJobs(Plan& plan, uint64_t chunk_bytes, int64_t part, int64_t parts);

// How many tiles a tiled move has, and the indices of one of them.
int64_t TileCount(const Plan& plan, const Plan::Move& move);

}  // namespace aoa::plan
