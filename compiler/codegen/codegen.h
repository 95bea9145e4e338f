// Kernel keys to native code. The only folder that sees LLVM.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/core/kernel.h"
#include "compiler/core/status.h"

namespace aoa::codegen {

struct Options {
  std::string cache_folder = "";  // compiled objects by content; empty: nothing is kept
  int threads = 1;                // kernels compiled side by side
  std::string cpu = "";           // the processor to compile for, by LLVM's name ("x86-64-v3"); empty: this one
};

// The kernels of a plan. Compilation starts in the background at once, in the order of `keys`, which is that of first
// use.
class KernelTable {
 public:
  static std::unique_ptr<KernelTable> Start(std::vector<KernelKey> keys, const Options& options);
  virtual ~KernelTable() = default;

  // The code for keys[index]; waits until it is there. Safe from any thread. The table must outlive its functions.
  virtual Result<KernelFunction> Get(size_t index) = 0;

  struct Statistics {
    int compiled = 0;    // by LLVM, in this run
    int loaded = 0;      // from the cache
    double seconds = 0;  // spent compiling or loading, over all threads
  };
  virtual Statistics statistics() const = 0;  // complete once every kernel has been asked for
};

// The kernels as LLVM IR (after optimisation) and as assembly: `--emit=llvm`, `--emit=asm`. `cpu` is LLVM's name
// for a processor of this architecture, or empty for this machine.
Result<std::string> EmitLlvm(const std::vector<KernelKey>& keys, const std::string& cpu = {});
Result<std::string> EmitAssembly(const std::vector<KernelKey>& keys, const std::string& cpu = {});

// "19.1.7"
std::string LlvmVersion();

}  // namespace aoa::codegen
