// Plans over a source of which some ranks' files are absent.
#pragma once

#include "compiler/core/plan.h"
#include "compiler/core/schema.h"
#include "compiler/diag/diagnostic.h"

namespace aoa::plan {

// Takes out of a plan what only compares with files that are absent. What must be read from one is an error, which
// names the ranks. False if there is one.
bool LeaveAbsentOut(const Schema& source, Plan& plan, diag::Diagnostics& diagnostics);

}  // namespace aoa::plan
