// The single numbers of a run: steps, beta powers.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/sources.h"

namespace aoa::exec {

// Computes plan.scalars[index] from the values of its inputs, in their order.
using ComputeScalar = std::function<Result<double>(uint32_t index, const std::vector<double>& inputs)>;

// The bits of plan.scalars, in their own types. All places that a number is read from must agree; a difference is
// kDisagreement and names both.
Result<std::vector<uint64_t>> ReadScalars(const Plan& plan, Sources& sources, const ComputeScalar& compute);

}  // namespace aoa::exec
