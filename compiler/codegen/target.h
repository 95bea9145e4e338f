// The machine that kernels are compiled for. Today a CPU; PTX is the same loop nests with another triple, another leaf
// for rows and another loader, and would be chosen here.
#pragma once

#include <memory>
#include <string>

#include "compiler/core/status.h"

namespace llvm {
class TargetMachine;
}

namespace aoa::codegen {

struct Target {
  std::string triple;
  std::string cpu;
  std::string features;  // "+avx2,-avx512f,...": what the processor has, whatever its model usually has

  // This machine, or a processor of its architecture by LLVM's name for it ("x86-64-v3").
  static Target Host();
  static Target Named(const std::string& cpu);
  // All of it, as a part of a cache key.
  std::string ToString() const { return triple + " " + cpu + " " + features; }
};

// The code generator for a target. Fails where this LLVM does not know the processor.
Result<std::unique_ptr<llvm::TargetMachine>> CreateMachine(const Target& target);

}  // namespace aoa::codegen
