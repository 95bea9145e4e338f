// From an index program and the layouts of both ends to a plan.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/plan.h"
#include "compiler/index/index_program.h"
#include "compiler/plan/content.h"

namespace aoa::plan {

struct Resources {
  uint64_t memory = 1ull << 30;    // what the run may use: plan, buffers, staging
  std::function<uint64_t()> held;  // asked once the plan is made: what the process holds of that; empty: the plan alone
  int threads = 1;                 // at most; fewer where the memory does not hold a job for each
  bool check_replicas = false;
  WantedCuts cuts = WantedCuts::kNone;
  bool in_order = false;        // the output is a stream (a digest), so jobs are ranges, never tiles
  int64_t part = 1, parts = 1;  // --part i/n: this run does the i-th share of the jobs
};

// Lays out the target: gives the writer's answer to a content. Failures are the writer's own (Status texts).
using LayOut = std::function<std::optional<TargetLayout>(const TargetContent&)>;

// Builds the plan. `ranks`: those to write, all if empty. Nothing if a diagnostic was reported: a cut that does not
// divide, scales that cannot follow their blocks, more memory needed than allowed (with the least figure that would
// do).
std::optional<Plan> BuildPlan(const bind::Program& program, const index::IndexProgram& index, const Schema& source,
                              const LayOut& lay_out, const std::vector<int64_t>& ranks, const Resources& resources,
                              diag::Diagnostics& diagnostics);

// Bytes that the plan itself takes in memory.
uint64_t MemoryOf(const Plan& plan);

// The plan as text: files, programs with their moves, jobs. `--emit=plan`.
std::string Dump(const Plan& plan);

// Checks the laws of a plan: every byte of every file is written once, no read leaves its file, boxes lie inside their
// blocks. Returns what is broken, or an empty text.
std::string Verify(const Plan& plan);

}  // namespace aoa::plan
