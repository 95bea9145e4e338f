// The metadata of torch.distributed.checkpoint: which tensors there are, of which chunks, and which bytes of which file
// hold each.
//
// Source: torch/distributed/checkpoint/{metadata,filesystem}.py; files of torch 1.13 and 2.15, and of Megatron Core
// 0.16.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/pickle.h"

namespace aoa::formats {

constexpr std::string_view kDcpMetadata = ".metadata";

// A stretch of a file that holds one object of torch.save.
struct DcpItem {
  std::string file;  // a plain name, below the folder
  uint64_t offset = 0, length = 0;
};

struct DcpChunk {
  Shape at, shape;
  DcpItem item;
};

struct DcpTensor {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<DcpChunk> chunks;  // they tile the tensor
};

struct DcpMetadata {
  std::vector<DcpTensor> tensors;        // in the order of the file
  std::map<std::string, DcpItem> bytes;  // other objects, by name
  bool paths = true;                     // written: the metadata say which dictionaries names lead through
};

// Reads `.metadata` of a folder, and checks that every tensor is tiled by its chunks and every chunk has its place.
// Executes nothing.
Result<DcpMetadata> ReadDcpMetadata(const std::string& folder);

// ---------------------------------------------------------------- writing

// The pickle of a checkpoint's metadata. Nodes of tensors without chunks are left out.
Result<std::string> DcpMetadataText(const DcpMetadata& metadata);

// That chunks tile a tensor: every element once. `name` is for the message.
Status CheckTiling(const std::string& name, const Shape& shape, const std::vector<DcpChunk>& chunks);

}  // namespace aoa::formats
