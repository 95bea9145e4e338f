// LLVM IR to machine code: verification, the passes, the object file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/codegen/target.h"
#include "compiler/core/kernel.h"

namespace llvm {
class LLVMContext;
class MemoryBuffer;
class Module;
}  // namespace llvm

namespace aoa::codegen {

// Part of every identity: raise it with any change of the code that a key becomes.
inline constexpr int kEmitterVersion = 1;

// "kernel_" and a hash of the key's text: the function's name.
std::string KernelName(const KernelKey& key);

// All that an object depends on, as text.
std::string Identity(const KernelKey& key, const Target& target);

// Not for several threads at once.
class Compiler {
 public:
  static Result<std::unique_ptr<Compiler>> Create(const Target& target);
  ~Compiler();

  // The relocatable object of one kernel.
  std::unique_ptr<llvm::MemoryBuffer> Object(const KernelKey& key);
  // One module of all kernels, for people.
  std::string Llvm(const std::vector<KernelKey>& keys);
  std::string Assembly(const std::vector<KernelKey>& keys);

 private:
  explicit Compiler(std::unique_ptr<llvm::TargetMachine> machine);
  std::unique_ptr<llvm::Module> Optimised(const std::vector<KernelKey>& keys, llvm::LLVMContext& context);

  std::unique_ptr<llvm::TargetMachine> machine_;
  unsigned vector_bytes_;  // of a register
};

}  // namespace aoa::codegen
