// Targets of format mindspore: see mindspore.h for the files.
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

Result<TargetLayout> LayOutMindSpore(const TargetContent& content, const WriteOptions& options);

}  // namespace aoa::formats
