#include "compiler/codegen/loader.h"

#include <llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h>
#include <llvm/ExecutionEngine/Orc/Core.h>
#include <llvm/ExecutionEngine/Orc/ExecutorProcessControl.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/Support/MemoryBuffer.h>

#include <cstring>

namespace aoa::codegen {
namespace {

Status Failure(llvm::Error error) { return Status::System("loading a kernel: " + llvm::toString(std::move(error))); }

class OrcLoader : public Loader {
 public:
  explicit OrcLoader(std::unique_ptr<llvm::orc::ExecutorProcessControl> process)
      : session_(std::move(process)), layer_(session_), library_(session_.createBareJITDylib("kernels")) {}
  ~OrcLoader() override { llvm::cantFail(session_.endSession()); }

  Status DefineRuntime() {
    llvm::orc::SymbolMap symbols;
    symbols[session_.intern("memcpy")] = {llvm::orc::ExecutorAddr::fromPtr(&std::memcpy), llvm::JITSymbolFlags::Exported};
    if (llvm::Error error = library_.define(llvm::orc::absoluteSymbols(std::move(symbols)))) return Failure(std::move(error));
    return {};
  }

  Result<KernelFunction> Load(std::unique_ptr<llvm::MemoryBuffer> object, const std::string& name) override {
    if (llvm::Error error = layer_.add(library_, std::move(object))) return Failure(std::move(error));
    auto symbol = session_.lookup({&library_}, name);
    if (!symbol) return Failure(symbol.takeError());
    return symbol->getAddress().toPtr<KernelFunction>();
  }

 private:
  llvm::orc::ExecutionSession session_;
  llvm::orc::ObjectLinkingLayer layer_;
  llvm::orc::JITDylib& library_;
};

}  // namespace

Result<std::unique_ptr<Loader>> Loader::Create() {
  auto process = llvm::orc::SelfExecutorProcessControl::Create();
  if (!process) return Failure(process.takeError());
  auto loader = std::make_unique<OrcLoader>(std::move(*process));
  AOA_RETURN_IF_ERROR(loader->DefineRuntime());
  return std::unique_ptr<Loader>(std::move(loader));
}

}  // namespace aoa::codegen
