// Running a plan: files appear at the target as a whole, or not at all.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/filler.h"
#include "runtime/exec/scalars.h"

namespace aoa::exec {

// A file that travels with the tensors as it is.
struct CarriedFile {
  std::string from;  // as it can be opened
  std::string path;  // below the target folder
};

struct RunOptions {
  std::string target;
  std::string key;  // letters and digits that stand for all that decides the result and its jobs: a run resumes,
                    // and parts join, where keys are equal
  int threads = 1;
  int64_t part = 1, parts = 1;
  bool resume = false;     // trust what a killed run has left
  bool sync = false;       // survive a loss of power, not only of the process
  bool force = false;      // replace what is at the target
  bool verify = false;     // read everything again and compare
  size_t most_open = 128;  // files open at a time, of the source and of the target each
};

struct Work {
  const Plan& plan;
  Kernels kernels;  // empty: the reference
  TargetName target_name;
  ComputeScalar compute;  // for scalars that are computed
  std::vector<ExtraFile> extras;
  std::vector<CarriedFile> carried;
};

// What another thread may look at, and how it stops a run.
struct Progress {
  std::atomic<uint64_t> done = 0, total = 0;  // bytes of jobs
  std::atomic<bool> stop = false;             // jobs that have begun are finished; what is done stays for --resume
};

struct RunReport {
  uint64_t bytes_read = 0, bytes_written = 0;
  bool published = false;  // a part that is not the last publishes nothing
  bool interrupted = false;
};

// After a failure nothing of the run is left. Failures name the file, or the tensor and its element; kValue is about
// the target that the value does not fit.
Result<RunReport> Execute(const Work& work, const RunOptions& options, Progress& progress);

}  // namespace aoa::exec
