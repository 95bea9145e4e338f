// The tensors of a checkpoint, as it lies or as a side would see it: what digest and diff work on.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/driver/pipeline.h"
#include "runtime/exec/filler.h"

namespace aoa::driver {

class Contents {
 public:
  struct Tensor {
    exec::TensorHead head;
    std::optional<uint64_t> shard;   // in the plan's out_shards; neither: no elements
    std::optional<uint64_t> scalar;  // the bits of a single number
  };

  // Of the checkpoint at `path`, in any format. Names of rank files get the rank in front: "rank 3: w". Null, and a
  // diagnostic, if it cannot be read.
  static std::unique_ptr<Contents> Read(const std::string& path, const Options& options, Session& session);

  // Of a checkpoint of a side, whole and under the names of side `as`.
  static std::unique_ptr<Contents> ReadAs(const bind::Unit& unit, const SideSpec& spec, const std::string& as,
                                          const Options& options, Session& session);

  const std::vector<Tensor>& tensors() const { return tensors_; }  // by name
  // Whether the checkpoint holds optimizer states that were not asked for.
  bool leaves_states() const { return compiled_ && !compiled_->program.ends.front().roles_left.empty(); }
  // The threads that `--memory` is enough for, where each looks at a tensor of one checkpoint, or of two.
  int threads() const { return plan_.threads; }
  static int ThreadsForBoth(const Contents& a, const Contents& b, const Options& options);
  const exec::FillContext& context() const { return *context_; }
  const Plan::OutShard& shard(const Tensor& tensor) const { return plan_.out_shards[*tensor.shard]; }

  // 32 hexadecimal digits. Safe from several threads.
  Result<std::string> Digest(const Tensor& tensor) const;

 private:
  Contents() = default;
  static int ThreadsFor(uint64_t job_memory, const Options& options);
  Status Prepare(const Options& options, const exec::ComputeScalar& compute);

  Source source_;
  std::optional<Compiled> compiled_;
  Plan plan_;
  std::unique_ptr<codegen::KernelTable> kernels_;
  std::unique_ptr<exec::Sources> sources_;
  std::unique_ptr<exec::FillContext> context_;
  std::vector<Tensor> tensors_;
};

}  // namespace aoa::driver
