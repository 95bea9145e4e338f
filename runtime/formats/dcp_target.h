// One file of torch.distributed.checkpoint while it is laid out: objects of torch.save, one behind the other.
//
// Source: torch/distributed/checkpoint/filesystem.py of torch 2.15.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {

// Elements of a tensor of the file's table that a chunk has, from its row-major element `at` on. Numbers are in
// elements; `first` counts in the rank's row-major block.
struct DcpRun {
  uint32_t tensor = 0;
  int64_t first = 0, count = 0, at = 0;
};

// Storages of an object whose bytes are scalars of the file's table: (storage, tensor).
using DcpScalars = std::vector<std::pair<uint32_t, uint32_t>>;

class DcpTargetFile {
 public:
  // `path` is that in the target.
  DcpTargetFile(std::string path, int64_t rank) : path_(std::move(path)), rank_(rank) {}

  // A chunk of these runs, which ascend and do not overlap; what lies between them is zero.
  Result<DcpItem> AddChunk(DType dtype, const Shape& shape, std::span<const DcpRun> runs);
  // A scalar of the table.
  Result<DcpItem> AddScalar(DType dtype, const Shape& shape, uint32_t tensor);
  // Any object. `name` is that of its archive.
  Result<DcpItem> AddObject(const pickle::Value& value, const TorchStorages& storages, const DcpScalars& scalars = {},
                            const std::string& name = "archive");
  // An object whose bytes are known.
  DcpItem AddBytes(std::string bytes);

  bool empty() const { return size_ == 0; }
  TargetFile Finish(uint32_t table) &&;

 private:
  DcpItem Append(TorchLayout layout);
  DcpItem Grow(uint64_t bytes);

  std::string path_;
  int64_t rank_;
  uint64_t size_ = 0;
  std::vector<PlacedTensor> placed_;
  std::vector<Insert> inserts_;
  std::vector<Checksum> checksums_;
};

}  // namespace aoa::formats
