// Copies that must agree: replicas of a block, and tensors that are tied.
#pragma once

#include <atomic>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/filler.h"

namespace aoa::exec {

// Compares what plan.agreements name. A difference is kDisagreement and says which element is the first. Returns early,
// with success, when `stop` becomes true.
Status CheckAgreements(const FillContext& context, int threads, const std::atomic<bool>& stop);

}  // namespace aoa::exec
