#include "compiler/driver/contents.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diag/suggest.h"
#include "compiler/driver/memory.h"
#include "compiler/plan/plain.h"
#include "runtime/exec/agreements.h"
#include "runtime/exec/elements.h"

namespace aoa::driver {
namespace {

constexpr size_t kMostOpen = 256;

}  // namespace

std::unique_ptr<Contents> Contents::Read(const std::string& path, const Options& options, Session& session) {
  std::unique_ptr<Contents> out(new Contents);
  auto schema = ReadAnyCheckpoint(path, options.threads, session);
  if (!schema) return nullptr;
  out->source_.schema = *std::move(schema);
  const Schema& read = out->source_.schema;
  std::vector<plan::PlainTensor> tensors;
  uint64_t chunk = std::clamp<uint64_t>(options.memory / 16, 64 << 10, 8 << 20);
  out->plan_ = plan::PlainPlan(read, chunk, tensors);
  out->plan_.threads = out->ThreadsFor(out->plan_.job_memory, options);
  for (uint64_t s = 0; s < out->plan_.out_shards.size(); ++s) {
    const plan::PlainTensor& t = tensors[out->plan_.out_shards[s].target];
    std::string name = read.has_mesh ? fmt::format("rank {}: {}", t.rank, read.names[t.name]) : read.names[t.name];
    out->tensors_.push_back({{std::move(name), t.dtype, read.shapes[t.shape]}, s, std::nullopt});
  }
  Status status = out->Prepare(options, {});
  if (status.ok()) return out;
  session.Fail(status);
  return nullptr;
}

std::unique_ptr<Contents> Contents::ReadAs(const bind::Unit& unit, const SideSpec& spec, const std::string& as,
                                           const Options& options, Session& session) {
  std::unique_ptr<Contents> out(new Contents);
  auto source = ReadSource(unit, spec, options, session);
  if (!source) return nullptr;
  out->source_ = std::move(*source);
  bind::Request request = MakeRequest(unit, options, out->source_, spec.side, as, session);
  if (session.diagnostics.HasErrors()) return nullptr;
  request.whole = true;
  auto compiled = driver::Compile(unit, out->source_, request, session);
  if (!compiled) return nullptr;
  out->compiled_.emplace(std::move(*compiled));
  plan::Resources resources;
  resources.memory = options.memory;
  resources.held = HeldMemory;
  resources.threads = options.threads;
  resources.in_order = true;
  auto planned = MakePlan(*out->compiled_, out->source_, {as, "", ""}, resources, options, session);
  if (!planned) return nullptr;
  out->plan_ = std::move(planned->plan);
  Status status = out->Prepare(options, ScalarsOf(*out->compiled_));
  if (status.ok()) return out;
  session.Fail(status);
  return nullptr;
}

// Starts the kernels, checks what must agree, and lists the tensors of a compiled side.
Status Contents::Prepare(const Options& options, const exec::ComputeScalar& compute) {
  sources_ = std::make_unique<exec::Sources>(plan_, kMostOpen);
  exec::Kernels kernels;
  if (options.backend == Backend::kCpu) {
    codegen::Options codegen_options;
    codegen_options.threads = options.threads;
    if (!plan_.kernels.empty()) kernels_ = codegen::KernelTable::Start(plan_.kernels, codegen_options);
    kernels = [this](uint32_t index) { return kernels_->Get(index); };
  }
  context_.reset(
      new exec::FillContext{plan_,
                            *sources_,
                            kernels,
                            [this](uint32_t target) { return compiled_ ? TargetNameOf(*compiled_, target) : ""; },
                            {}});
  AOA_ASSIGN_OR_RETURN(context_->norms, exec::ReadNorms(plan_, *sources_));
  AOA_ASSIGN_OR_RETURN(auto scalars, exec::ReadScalars(plan_, *sources_, compute));
  AOA_RETURN_IF_ERROR(exec::CheckAgreements(*context_, plan_.threads, false));
  if (compiled_) {
    std::vector<bool> listed(compiled_->index.targets.size() + compiled_->index.blocks.size(), false);
    for (uint64_t s = 0; s < plan_.out_shards.size(); ++s) {
      uint32_t target = plan_.out_shards[s].target;
      tensors_.push_back({TargetHeadOf(*compiled_, target), s, std::nullopt});
      listed[target] = true;
    }
    for (uint32_t t = 0; t < listed.size(); ++t) {  // tensors without elements have no shard
      if (!listed[t]) tensors_.push_back({TargetHeadOf(*compiled_, t), std::nullopt, std::nullopt});
    }
    for (const Plan::ScalarShard& shard : plan_.scalar_shards) {
      const Plan::Scalar& scalar = plan_.scalars[shard.scalar];
      tensors_.push_back({{scalar.name, scalar.dtype, {}}, std::nullopt, scalars[shard.scalar]});
    }
  }
  std::sort(tensors_.begin(), tensors_.end(),
            [](const Tensor& a, const Tensor& b) { return a.head.name < b.head.name; });
  return Status();
}

int Contents::ThreadsFor(uint64_t job_memory, const Options& options) {
  uint64_t held = HeldMemory(), room = options.memory > held ? options.memory - held : 0;
  return static_cast<int>(
      std::clamp<uint64_t>(room / std::max<uint64_t>(job_memory, 1), 1, static_cast<uint64_t>(options.threads)));
}

int Contents::ThreadsForBoth(const Contents& a, const Contents& b, const Options& options) {
  return ThreadsFor(a.plan_.job_memory + b.plan_.job_memory, options);
}

Result<std::string> Contents::Digest(const Tensor& tensor) const {
  if (tensor.scalar) return exec::DigestScalar(*tensor.scalar, tensor.head);
  if (!tensor.shard) return exec::DigestEmpty(tensor.head);
  return exec::DigestShard(*context_, shard(tensor), tensor.head);
}

}  // namespace aoa::driver
