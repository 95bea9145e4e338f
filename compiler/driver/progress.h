// A line on the terminal while a run goes on, and Ctrl-C.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/exec/executor.h"

namespace aoa::driver {

// Shows bytes, rate and time left on stderr as long as it lives, if that is a terminal and `quiet` is not set. The
// first SIGINT or SIGTERM in its life stops the run in good order, the second kills it.
class ProgressLine {
 public:
  ProgressLine(exec::Progress& progress, bool quiet);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;

  // The signal that stopped the run, or 0.
  int signal() const;

 private:
  void Loop();

  exec::Progress& progress_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool end_ = false;
  std::thread thread_;
};

}  // namespace aoa::driver
