#include "compiler/codegen/target.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Host.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace aoa::codegen {

Target Target::Named(const std::string& cpu) { return {llvm::sys::getProcessTriple(), cpu, ""}; }

Target Target::Host() {
  std::vector<std::string> features;
  for (const auto& feature : llvm::sys::getHostCPUFeatures()) {
    features.push_back((feature.second ? "+" : "-") + feature.first().str());
  }
  std::ranges::sort(features, {}, [](const std::string& feature) { return feature.substr(1); });
  Target target = Named(llvm::sys::getHostCPUName().str());
  for (const std::string& feature : features) target.features += (target.features.empty() ? "" : ",") + feature;
  return target;
}

Result<std::unique_ptr<llvm::TargetMachine>> CreateMachine(const Target& target) {
  static std::once_flag registered;  // in LLVM's table of targets, which is the process's
  std::call_once(registered, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  std::string error;
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(target.triple, error);
  if (!found) return Status::System("compiling kernels: " + error);
  // Asked first, because a machine for an unknown processor complains on the terminal and goes on.
  std::unique_ptr<llvm::MCSubtargetInfo> known(found->createMCSubtargetInfo(target.triple, "", ""));
  if (!known->isCPUStringValid(target.cpu)) return Status::Usage("LLVM knows no processor `" + target.cpu + "`");
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(
      found->createTargetMachine(target.triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
                                 llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default, /*JIT=*/true));
}

}  // namespace aoa::codegen
