// What readers of many torch files share.
#pragma once

#include <string>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

// Opens files side by side, in their order.
Result<std::vector<TorchFile>> OpenTorchFiles(const std::vector<std::string>& paths, int threads);

// Notes what looks wrong in a file.
void NoteSuspicions(const TorchFile& file, Schema& schema);

}  // namespace aoa::formats
