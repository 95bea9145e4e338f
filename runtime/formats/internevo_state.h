// The state of a run that InternEvo's files hold beside tensors: kept from a source in the same format where it still
// holds for the target's mesh, else as a run has it that begins with this model.
//
// Source: internlm/checkpoint/checkpoint_manager.py and components.py, internlm/data/batch_sampler.py, and the settings
// of InternEvo's own examples.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/format.h"
#include "runtime/formats/internevo_reader.h"
#include "runtime/formats/internevo_target.h"
#include "runtime/formats/pickle.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {

class InternEvoState {
 public:
  // `dtype` is the model's.
  InternEvoState(const InternEvoMesh& mesh, DType dtype, const WriteOptions& options);

  int64_t steps() const { return steps_; }

  // model_config.pt, context.pt, schedulder.pt, sampler.pt and STEP.step, in the order in which they are written.
  Result<std::vector<ExtraFile>> Files() const;

  // Of an optimizer's file, whose storages these are.
  Result<const pickle::Value*> GradScaler(TorchStorages& storages, pickle::Tree& tree) const;
  // A group of parameters with its settings. `dtype` is that of its parameters; null if it has none.
  Result<const pickle::Value*> Group(InternEvoGroup group, const DType* dtype, const std::vector<int64_t>& numbers,
                                     pickle::Tree& tree) const;

 private:
  const ExtraFile* Kept(std::string_view name) const;
  Result<ExtraFile> Configuration() const;
  Result<ExtraFile> Context() const;
  Result<ExtraFile> Scheduler() const;
  Result<ExtraFile> Sampler() const;
  const pickle::Value* KeptGroup(InternEvoGroup group) const;

  InternEvoMesh mesh_;
  DType dtype_;
  const std::string& config_;  // the target's, as JSON, or empty
  const InternEvoKept* kept_;  // may be null
  int64_t steps_;
};

// A small file of torch.save that holds this value, whose storages have their content.
Result<ExtraFile> MakeTorchFile(const std::string& name, const pickle::Value& value, const TorchStorages& storages);

}  // namespace aoa::formats
