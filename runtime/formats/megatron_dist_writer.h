// Laying out Megatron Core's distributed checkpoints (megatron_dist.h).
#pragma once

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/format.h"

namespace aoa::formats {

// Chunks are those of Megatron's own ranks: one for each layer and each piece that tensor parallelism cuts, in the file
// of the first data-parallel rank; buckets in the files of all. The content needs its shardings. kInvalid for cuts that
// Megatron's ranks do not have, and for buckets of a model whose order of parameters is not known.
Result<TargetLayout> LayOutMegatronDist(const TargetContent& content, const WriteOptions& options);

}  // namespace aoa::formats
