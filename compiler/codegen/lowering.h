// Kernel keys to LLVM IR.
#pragma once

#include <string>

#include "compiler/codegen/loops.h"
#include "compiler/core/kernel.h"

namespace llvm {
class Function;
class Module;
}  // namespace llvm

namespace aoa::codegen {

// Adds to `module` the function `name` for `key`, as KernelFunction describes it. `vector_bytes` is the width of the
// target's vector registers.
llvm::Function* LowerKernel(llvm::Module& module, const KernelKey& key, const std::string& name, unsigned vector_bytes);

// What the handlers of innermost loops share.
struct Lowering {
  Builder& b;
  const KernelKey& key;
  const Nest& nest;
  unsigned vector_bytes;

  // An integer of `bytes`, or a vector of two where no register holds it.
  llvm::Type* Element(int64_t bytes) const;
  // Memory of the function, uninitialised.
  llvm::Value* Scratch(llvm::Type* type, const char* name) const;
};

}  // namespace aoa::codegen
