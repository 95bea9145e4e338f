// Files of torch.save: a pickle whose tensors point into storages, in a zip archive or (before torch 1.6, and where
// asked for) one behind the other in a stream.
//
// Source: torch/serialization.py and torch/_utils.py, and files written with torch 1.13 and 2.15.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/pickle.h"
#include "runtime/formats/zip.h"
#include "runtime/io/file.h"

namespace aoa::formats {

struct TorchTensor {
  DType dtype = DType::kF32;
  Shape shape;
  Shape strides;          // in elements
  std::string storage;    // its key
  int64_t first = 0;      // its first element in the storage
  uint64_t offset = 0;    // of that element, in the file
  uint64_t bytes = 0;     // from there to the end of its last element
  bool row_major = true;  // elements lie densely in their order
};

class TorchFile {
 public:
  enum class Container { kZip, kLegacy };

  // Reads the pickle of the file, or of the part [begin, end) of one. Executes nothing. kInvalid names the byte and the
  // reason; the caller puts the path in front.
  static Result<TorchFile> Open(const std::string& path);
  static Result<TorchFile> OpenPart(const std::string& path, uint64_t begin, uint64_t end);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // of the whole file
  Container container() const { return container_; }
  const pickle::Value& root() const { return *root_; }
  // What of the pickle looks like an attack: functions of the system that it would call. Nothing is called here.
  std::vector<std::string> Suspicions() const;

  // The tensor that a value is; nothing if it is none. kInvalid where it is one that cannot be read: `name` says which.
  Result<std::optional<TorchTensor>> TensorOf(const pickle::Value& value, std::string_view name) const;

 private:
  struct Storage {
    DType dtype = DType::kU8;
    bool untyped = false;  // its count is in bytes, and the tensor says its type
    uint64_t offset = 0, bytes = 0;
  };

  Status Read(uint64_t begin, uint64_t end);
  Status ReadArchive(uint64_t begin, uint64_t end);
  Status ReadStream(uint64_t begin, uint64_t end);
  Status CheckRecords(const std::map<std::string, ZipEntry>& records) const;
  Status FindStorages(const std::map<std::string, ZipEntry>& records);
  Status ReadStorage(const pickle::Value& id, std::string& key, Storage& storage) const;
  Status PlaceStorages(const pickle::Value& keys, uint64_t at, uint64_t end);
  Result<std::optional<TorchTensor>> Rebuild(std::string_view callable, const pickle::Value& arguments,
                                             std::string_view name, int depth) const;
  Result<TorchTensor> Strided(const pickle::Value& arguments, bool typed_by_argument) const;

  std::string path_;
  std::shared_ptr<const io::File> file_;
  uint64_t size_ = 0;
  Container container_ = Container::kZip;
  pickle::Tree tree_;
  const pickle::Value* root_ = nullptr;
  std::map<std::string, Storage, std::less<>> storages_;  // by key
};

// Calls visit(dotted path, value) for everything below dictionaries, lists, tuples and namespaces that is itself none
// of these. A container that is met again is passed over.
template <class Visit>
Status EachLeaf(const pickle::Value& root, Visit visit);

}  // namespace aoa::formats

#include "runtime/formats/torch_walk.h"
