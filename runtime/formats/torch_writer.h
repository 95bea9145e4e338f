// Files that torch.load reads, with its restricted loader too: all bytes but those of the storages.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "runtime/formats/pickle_writer.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

// The storages of a file that is made, and the values that stand for tensors on them.
class TorchStorages {
 public:
  TorchStorages(TorchFile::Container container, pickle::Tree& tree) : container_(container), tree_(tree) {}

  // A storage of so many elements of a type; its number.
  uint32_t Add(DType dtype, int64_t elements);
  // A storage that holds these bytes, which are a whole number of elements.
  uint32_t AddContent(DType dtype, std::string bytes);

  // A row-major tensor that begins at element `first` of a storage; `trained`: it asks for gradients.
  const pickle::Value* Tensor(uint32_t storage, const Shape& shape, int64_t first = 0, bool trained = false);
  // A tensor on a storage of its own, which has the next number.
  const pickle::Value* Tensor(DType dtype, const Shape& shape);

  TorchFile::Container container() const { return container_; }
  size_t count() const { return storages_.size(); }
  DType dtype(uint32_t storage) const { return storages_[storage].dtype; }
  int64_t elements(uint32_t storage) const { return storages_[storage].elements; }
  // Null for a storage whose bytes come later.
  const std::shared_ptr<const std::string>& content(uint32_t storage) const { return storages_[storage].content; }

 private:
  struct Storage {
    DType dtype;
    int64_t elements;
    const pickle::Value* id = nullptr;
    std::shared_ptr<const std::string> content = {};
  };

  TorchFile::Container container_;
  pickle::Tree& tree_;
  std::vector<Storage> storages_;
};

struct TorchLayout {
  std::vector<uint64_t> storages;   // where each begins
  std::vector<Insert> inserts;      // all other bytes
  std::vector<Checksum> checksums;  // of the storages whose bytes come later, in archives
  uint64_t size = 0;
};

// Lays out a file that holds `object`. `name` is that of the file; archives call their folder after it.
Result<TorchLayout> LayOutTorch(const std::string& name, const pickle::Value& object, const TorchStorages& storages);

// The file that is laid out so: tensors and further inserts in any order.
TargetFile TorchTargetFile(const std::string& path, TorchLayout layout, std::vector<PlacedTensor> tensors,
                           std::vector<Insert> inserts = {});

// The folder in the archive of a file of this name: "model" for "out/model.pt".
std::string ArchiveFolder(const std::string& name);

}  // namespace aoa::formats
