// Copies that must agree: replicas of a block, and tensors that are tied.
#pragma once

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/filler.h"

namespace aoa::exec {

// Compares what plan.agreements[index] names. A difference is kInvalid and says which element is the first.
Status CheckAgreement(const FillContext& context, const Plan::Agreement& agreement, Filler& filler);

}  // namespace aoa::exec
