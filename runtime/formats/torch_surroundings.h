// What a file of torch.save holds around its tensors: numbers of steps, arguments, objects of a trainer. Kept of a
// checkpoint that is read, for one that is written in its form.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/schema.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

// Of the files of a checkpoint, in rank order.
struct TorchSurroundings : Preserved {
  std::vector<TorchFile> files;
};

// Tensors by their dotted paths.
using TensorValues = std::map<std::string, const pickle::Value*, std::less<>>;

// The object of `file` with `tensors` in the places of its own; its other tensors are left out, and so is what cannot
// be without them. Null if not every one of `tensors` has a place there: then the object is another one, and nothing of
// it is kept. Values that are kept as they are stay those of `file`.
Result<const pickle::Value*> Surround(const TorchFile& file, const TensorValues& tensors, pickle::Tree& tree);

// A value of `file` without its tensors and what cannot be without them; null if it is one of these itself.
Result<const pickle::Value*> WithoutTensors(const TorchFile& file, const pickle::Value& value, pickle::Tree& tree);

}  // namespace aoa::formats
