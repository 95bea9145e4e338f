// How the programs of a plan are carried out in the memory that a job may use.
//
// A job fills a chunk of a shard: an output buffer, and a staging buffer for what goes through a kernel. Chunks are cut
// where the moves allow, and are as long as the reads of the staged moves need to be worth their calls. Where no chunk
// does both (the transpose of a matrix larger than the memory), jobs are tiles of single moves, which are written run
// by run.
#pragma once

#include <cstdint>

#include "compiler/core/plan.h"

namespace aoa::plan {

struct Budget {
  uint64_t job_bytes = 64 << 20;      // output buffer and staging of one job, at most
  uint64_t stream_bytes = 256 << 20;  // the same where the output is a stream, which tiles cannot fill
  uint64_t chunk_bytes = 8 << 20;     // output of a job, if nothing asks for more or less
};

// Chooses chunks, tiles, places in the staging buffers, and kernels for all programs. May be called again.
void Schedule(Plan& plan, const Budget& budget);

}  // namespace aoa::plan
