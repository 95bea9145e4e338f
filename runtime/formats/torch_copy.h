// Values of one torch file in another, with the tensors below them: what is small and belongs to no model, such as the
// states of random generators.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "compiler/core/status.h"
#include "runtime/formats/torch_file.h"
#include "runtime/formats/torch_writer.h"
#include "runtime/io/file.h"

namespace aoa::formats {

class TorchCopier {
 public:
  // Nodes that hold no tensor stay those of `file`, which must live as long as `tree`.
  TorchCopier(const TorchFile& file, TorchStorages& storages, pickle::Tree& tree)
      : file_(file), storages_(storages), tree_(tree) {}

  // Null for a value that cannot be had: one with a tensor that is too large, or whose bytes are not known.
  Result<const pickle::Value*> Copy(const pickle::Value& value) { return Copy(value, 0); }

 private:
  Result<const pickle::Value*> Copy(const pickle::Value& value, int depth);
  Result<const pickle::Value*> CopyTensor(const TorchTensor& tensor);
  Result<const pickle::Value*> CopyContainer(const pickle::Value& value, int depth);
  Result<std::string> ReadBytes(uint64_t offset, uint64_t bytes);

  const TorchFile& file_;
  TorchStorages& storages_;
  pickle::Tree& tree_;
  std::optional<io::File> opened_;
  uint64_t left_ = 64 << 20;  // bytes that are read in all
  std::unordered_map<const pickle::Value*, const pickle::Value*> copies_;
};

}  // namespace aoa::formats
