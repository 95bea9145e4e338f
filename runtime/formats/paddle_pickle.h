// Files of paddle.save that are being made (paddle_file.h): a pickle with arrays of tensors, whose bytes come later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/paddle_partition.h"
#include "runtime/formats/pickle.h"

namespace aoa::formats {

class PaddlePickle {
 public:
  explicit PaddlePickle(const std::vector<TargetTensor>& table) : table_(table) {}

  pickle::Tree tree;

  // numpy's array of what a share is of a tensor of the table: the tensor itself, or a line of `length` elements, which
  // begins with the window and goes on with zeros. Scalars are arrays of one element. The tensor's type is Paddle's.
  const pickle::Value* Array(uint32_t tensor, const PaddleShare& share);

  // The file, but for its path, rank and table.
  Result<TargetFile> Finish(const pickle::Value& root);

 private:
  struct Piece {
    PlacedTensor placed;
    uint64_t bytes = 0;  // of the window
  };

  const pickle::Value* Type(std::string_view name);

  const std::vector<TargetTensor>& table_;
  std::unordered_map<const pickle::Value*, Piece> pieces_;
  std::unordered_map<std::string, const pickle::Value*> types_;
};

}  // namespace aoa::formats
