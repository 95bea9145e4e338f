// How tensors lie in a safetensors file that we write: as the reference library would put them, so that the bytes are
// the same. Types stand in descending order (wide ones first), names of one type in the order of their bytes; the
// header is compact JSON, the metadata in front, and blanks at its end make the data begin at a multiple of 8.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/safetensors_header.h"

namespace aoa::formats {

// The tensors of a file, without its metadata: shared by the files of all ranks that store the same.
struct PlacedTable {
  std::shared_ptr<const std::vector<PlacedTensor>> tensors;
  std::shared_ptr<const std::string> entries;  // the header's text from the first tensor on, with the closing brace
  uint64_t data_bytes = 0;
};

// Places `members`, numbers of tensors of `table`. Fails for names that a header cannot hold.
Result<PlacedTable> PlaceTensors(const std::vector<TargetTensor>& table, std::span<const uint32_t> members);

// The whole file, but for its rank and table. Fails if its header would be longer than readers take.
Result<TargetFile> MakeFile(const std::string& path, const PlacedTable& placed, const Metadata& metadata);

}  // namespace aoa::formats
