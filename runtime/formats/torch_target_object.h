// A torch file that is made of tensors of a table, whole or in windows of flat ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/pickle.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {

// A file that is being made: an object, and tensors of a table in storages.
class TorchTargetObject {
 public:
  explicit TorchTargetObject(const std::vector<TargetTensor>& table)
      : table_(table), storages_(TorchFile::Container::kZip, tree_) {}

  pickle::Tree& tree() { return tree_; }
  TorchStorages& storages() { return storages_; }

  // A tensor of the table, whole.
  const pickle::Value* Whole(uint32_t member);
  // One without elements, which stands for a tensor that is elsewhere.
  const pickle::Value* Placeholder(DType dtype) { return storages_.Tensor(dtype, {0}); }
  // A flat tensor of `length` elements, zeros where no window is; `trained`: one that asks for gradients.
  struct Window {
    uint32_t member = 0;
    int64_t first = 0, count = 0, at = 0;
  };
  const pickle::Value* Flat(DType dtype, int64_t length, const std::vector<Window>& windows, bool trained = false);
  // A scalar of the table as a tensor of no axis.
  const pickle::Value* Scalar(uint32_t member);

  // The file, which holds `object`.
  Result<TargetFile> End(const std::string& path, const pickle::Value& object, int64_t rank, uint32_t table);

 private:
  struct Piece {
    uint32_t storage = 0;
    Window window;
    bool whole = false;
  };

  const std::vector<TargetTensor>& table_;
  pickle::Tree tree_;
  TorchStorages storages_;
  std::vector<Piece> pieces_;
};

}  // namespace aoa::formats
