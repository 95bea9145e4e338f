// DeepSpeed checkpoints that are written: which files there are, what objects they hold, and which windows of the
// ranks' blocks lie in them.
#pragma once

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/format.h"

namespace aoa::formats {

// `options.variant`: zero1, zero2, zero3, universal, pipeline or mp.
Result<TargetLayout> LayOutDeepSpeed(const TargetContent& content, const WriteOptions& options);

}  // namespace aoa::formats
