// The same checkpoints as formats scatter them: sources whose tensors lie strided, in stretches of other files; targets
// whose tensors are placed in parts, with a checksum behind them.
#pragma once

#include <cstdint>
#include <string>

#include "compiler/core/layout.h"
#include "compiler/core/schema.h"

namespace aoa::property {

// Moves the bytes of a source into stores below `folder`, in random pieces, some tensors with their axes permuted.
void ScatterSource(Schema& schema, const std::string& folder, uint64_t seed);

// Cuts placed tensors into parts that follow each other, and puts a checksum of all of them behind each file.
void ScatterTarget(TargetLayout& layout, const TargetContent& content, uint64_t seed);

// Takes the checksums away again. What is wrong with them, or an empty text.
std::string TakeChecksums(const std::string& folder);

}  // namespace aoa::property
