#include "compiler/codegen/loader.h"

#include <llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h>
#include <llvm/ExecutionEngine/Orc/Core.h>
#include <llvm/ExecutionEngine/Orc/ExecutorProcessControl.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/Support/MemoryBuffer.h>

#include <cstring>

#include <mutex>

namespace aoa::codegen {
namespace {

class OrcLoader : public Loader {
 public:
  explicit OrcLoader(std::unique_ptr<llvm::orc::ExecutorProcessControl> process)
      : session_(std::move(process)), layer_(session_), library_(session_.createBareJITDylib("kernels")) {
    session_.setErrorReporter([this](llvm::Error error) {
      std::lock_guard lock(mutex_);
      reason_ = llvm::toString(std::move(error));
    });
  }
  ~OrcLoader() override { llvm::consumeError(session_.endSession()); }

  // What kernels call: nothing but the C library's memcpy.
  Status DefineRuntime() {
    llvm::orc::SymbolMap symbols;
    auto address = llvm::orc::ExecutorAddr::fromPtr(&std::memcpy);
    symbols[session_.intern("memcpy")] = {address, llvm::JITSymbolFlags::Exported};
    llvm::Error error = library_.define(llvm::orc::absoluteSymbols(std::move(symbols)));
    return error ? Failure(std::move(error)) : Status();
  }

  Result<KernelFunction> Load(std::unique_ptr<llvm::MemoryBuffer> object, const std::string& name) override {
    if (llvm::Error error = layer_.add(library_, std::move(object))) return Failure(std::move(error));
    auto symbol = session_.lookup({&library_}, name);
    if (!symbol) return Failure(symbol.takeError());
    return symbol->getAddress().toPtr<KernelFunction>();
  }

 private:
  // The error of a lookup says only that there was one; why, the session has reported before.
  Status Failure(llvm::Error error) {
    std::string text = llvm::toString(std::move(error));
    std::lock_guard lock(mutex_);
    return Status::System("loading a kernel: " + (reason_.empty() ? text : reason_));
  }

  std::mutex mutex_;
  std::string reason_;
  llvm::orc::ExecutionSession session_;
  llvm::orc::ObjectLinkingLayer layer_;
  llvm::orc::JITDylib& library_;
};

}  // namespace

Result<std::unique_ptr<Loader>> Loader::Create() {
  auto process = llvm::orc::SelfExecutorProcessControl::Create();
  if (!process) return Status::System("loading kernels: " + llvm::toString(process.takeError()));
  auto loader = std::make_unique<OrcLoader>(std::move(*process));
  AOA_RETURN_IF_ERROR(loader->DefineRuntime());
  return std::unique_ptr<Loader>(std::move(loader));
}

}  // namespace aoa::codegen
