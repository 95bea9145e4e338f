// Objects to executable memory, by ORC and JITLink.
#pragma once

#include <memory>
#include <string>

#include "compiler/core/kernel.h"
#include "compiler/core/status.h"

namespace llvm {
class MemoryBuffer;
}

namespace aoa::codegen {

// Owns the code that it loaded. Safe from several threads.
class Loader {
 public:
  static Result<std::unique_ptr<Loader>> Create();
  virtual ~Loader() = default;
  // The function `name` of `object`.
  virtual Result<KernelFunction> Load(std::unique_ptr<llvm::MemoryBuffer> object, const std::string& name) = 0;
};

}  // namespace aoa::codegen
