// LLVM IR to machine code: verification, the passes, the object file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/codegen/target.h"
#include "compiler/core/kernel.h"

namespace llvm {
class LLVMContext;
class Module;
class MemoryBuffer;
}  // namespace llvm

namespace aoa::codegen {

// "kernel_" and a hash of the key's text.
std::string KernelName(const KernelKey& key);

// Not for several threads at once.
class Compiler {
 public:
  static Result<std::unique_ptr<Compiler>> Create(const Target& target);
  ~Compiler();

  // One optimised module with a function for each key.
  std::unique_ptr<llvm::Module> Optimised(const std::vector<KernelKey>& keys, llvm::LLVMContext& context);
  // The relocatable object of one kernel.
  std::unique_ptr<llvm::MemoryBuffer> Object(const KernelKey& key);
  std::string Assembly(const std::vector<KernelKey>& keys);

 private:
  explicit Compiler(std::unique_ptr<llvm::TargetMachine> machine);
  std::string Generate(llvm::Module& module, bool assembly);

  std::unique_ptr<llvm::TargetMachine> machine_;
  unsigned vector_bytes_;  // of a register
};

}  // namespace aoa::codegen
