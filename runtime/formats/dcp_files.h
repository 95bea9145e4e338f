// The files of torch.distributed.checkpoint, for the formats that hold such a folder.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/schema.h"
#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/format.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

// Adds the chunks of a folder's tensors to a schema: one file of rank 0 for each file of the folder. `keep` says which
// tensors, and how they are called; an empty name leaves one out.
using DcpName = std::function<std::string(const DcpTensor&)>;
Status ReadDcpFiles(const std::string& folder, const DcpMetadata& metadata, int threads, const DcpName& keep,
                    Schema& schema);

// Where a chunk's bytes lie: the tensor in the file with its offset.
struct DcpStoredChunk {
  std::string path;
  uint64_t size = 0;  // of the file
  TorchTensor stored;
};
// The chunks of one tensor, in the order of the metadata.
Result<std::vector<DcpStoredChunk>> LocateDcpChunks(const std::string& folder, const DcpTensor& tensor, int threads);

// That an item lies within its file, whose size is said.
Status CheckDcpItem(const std::string& path, const DcpItem& item, uint64_t& size);
// An object of the folder that is no tensor.
Result<TorchFile> OpenDcpObject(const std::string& folder, const DcpItem& item);

// The rows of a tensor that a rank of several stores, as torch.chunk deals them: [first, first + count).
struct RowRange {
  int64_t first = 0, count = 0;
};
RowRange RowsOf(const Shape& shape, int64_t rank, int64_t ranks);

// The files `__R_0.distcp` for all ranks of a content whose tensors are whole, each rank with its rows of every tensor
// and the metadata of all. `folder` is put in front of their names; empty or ending in a slash. `rename` gives the
// names in the metadata.
using DcpRename = std::function<std::string(const TargetTensor&)>;
Result<TargetLayout> LayOutDcpFiles(const TargetContent& content, const std::string& folder, const DcpRename& rename);

}  // namespace aoa::formats
