// Laying out InternEvo's checkpoints.
#pragma once

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/format.h"

namespace aoa::formats {

Result<TargetLayout> LayOutInternEvo(const TargetContent& content, const WriteOptions& options);

}  // namespace aoa::formats
