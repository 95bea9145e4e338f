#include "compiler/codegen/compile.h"

#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/SmallVectorMemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Support/xxhash.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>

#include <cstdio>

#include "compiler/codegen/lowering.h"
#include "compiler/core/check.h"

namespace aoa::codegen {
namespace {

void Verify(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  AOA_CHECK(!llvm::verifyModule(module, &stream), text);
}

// The emitter leaves little to do: its loops are rotated, vectorised and unrolled as they should be. What remains is to
// put the flags into registers, to fold what conversions leave behind, and to hoist addresses and constants.
void Optimise(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  for (llvm::Function& function : module) {
    if (!function.isDeclaration()) passes.run(function, functions);
  }
}

void Generate(llvm::TargetMachine& machine, llvm::Module& module, llvm::CodeGenFileType type,
              llvm::SmallVectorImpl<char>& to) {
  llvm::raw_svector_ostream stream(to);
  llvm::legacy::PassManager passes;
  AOA_CHECK(!machine.addPassesToEmitFile(passes, stream, nullptr, type, /*DisableVerify=*/true),
            "the target emits no code");
  passes.run(module);
}

// Which function is which key, as comments.
std::string Index(const std::vector<KernelKey>& keys, const char* comment) {
  std::string text;
  for (const KernelKey& key : keys) text += comment + KernelName(key) + ": " + ToString(key) + "\n";
  return text;
}

}  // namespace

std::string KernelName(const KernelKey& key) {
  char name[32];
  std::snprintf(name, sizeof name, "kernel_%016llx", static_cast<unsigned long long>(llvm::xxh3_64bits(ToString(key))));
  return name;
}

std::string Identity(const KernelKey& key, const Target& target) {
  return "emitter " + std::to_string(kEmitterVersion) + ", LLVM " LLVM_VERSION_STRING ", " + target.ToString() + ": " +
         ToString(key);
}

Compiler::Compiler(std::unique_ptr<llvm::TargetMachine> machine) : machine_(std::move(machine)) {
  llvm::LLVMContext context;  // the width of registers can only be asked for a function
  llvm::Module module("probe", context);
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, "probe", module);
  auto registers = llvm::TargetTransformInfo::RGK_FixedWidthVector;
  vector_bytes_ = machine_->getTargetTransformInfo(*function).getRegisterBitWidth(registers).getFixedValue() / 8;
}

Compiler::~Compiler() = default;

Result<std::unique_ptr<Compiler>> Compiler::Create(const Target& target) {
  AOA_ASSIGN_OR_RETURN(std::unique_ptr<llvm::TargetMachine> machine, CreateMachine(target));
  return std::unique_ptr<Compiler>(new Compiler(std::move(machine)));
}

std::unique_ptr<llvm::Module> Compiler::Optimised(const std::vector<KernelKey>& keys, llvm::LLVMContext& context) {
  auto module = std::make_unique<llvm::Module>("kernels", context);
  module->setTargetTriple(machine_->getTargetTriple().str());
  module->setDataLayout(machine_->createDataLayout());
  for (const KernelKey& key : keys) LowerKernel(*module, key, KernelName(key), vector_bytes_);
  Verify(*module);
  Optimise(*module, *machine_);
  return module;
}

std::unique_ptr<llvm::MemoryBuffer> Compiler::Object(const KernelKey& key) {
  llvm::LLVMContext context;
  llvm::SmallVector<char, 0> object;
  Generate(*machine_, *Optimised({key}, context), llvm::CodeGenFileType::ObjectFile, object);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(object), /*RequiresNullTerminator=*/false);
}

std::string Compiler::Llvm(const std::vector<KernelKey>& keys) {
  llvm::LLVMContext context;
  std::string text;
  llvm::raw_string_ostream stream(text);
  Optimised(keys, context)->print(stream, nullptr);
  return Index(keys, "; ") + text;
}

std::string Compiler::Assembly(const std::vector<KernelKey>& keys) {
  llvm::LLVMContext context;
  llvm::SmallString<0> text;
  Generate(*machine_, *Optimised(keys, context), llvm::CodeGenFileType::AssemblyFile, text);
  return Index(keys, "# ") + text.str().str();
}

}  // namespace aoa::codegen
