// What a plan and its run take in memory, and jobs that fit into what is left.
//
// A run holds what the process has made until then (headers, the program, the plan itself), then one job for each
// thread. How jobs are cut depends on the allowed memory and on the plan alone, never on the number of threads or on
// what the process happens to hold: all parts of a run and whoever resumes it must cut alike. What the process holds
// decides how many threads may work, and whether the run is refused.
#pragma once

#include "compiler/diag/diagnostic.h"
#include "compiler/plan/build_plan.h"

namespace aoa::plan {

// Schedules the programs, makes the jobs, and fills in the plan's costs. `tensors`: of both ends, for an estimate of
// what the plan was made from. False, and a diagnostic with the least figure that would do, if that is more than is
// allowed.
bool Fit(Plan& plan, const Resources& resources, uint64_t tensors, diag::Diagnostics& diagnostics);

}  // namespace aoa::plan
