// The same work on many things by a few threads, each with its own state.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "compiler/core/status.h"

namespace aoa::exec {

// Runs work(stop) on `threads` threads, the caller's among them, until all have returned. `stop` becomes true when one
// of them has failed. Returns the first failure; an exception is thrown on, but for a lack of memory, which is kSystem.
template <class Work>
Status RunWorkers(int threads, const Work& work) {
  std::atomic<bool> stop = false;
  std::mutex mutex;
  Status failure;
  std::exception_ptr exception;
  auto run = [&] {
    Status status;
    std::exception_ptr thrown;
    try {
      status = work(stop);
    } catch (const std::bad_alloc&) {
      status = Status::System("out of memory");
    } catch (...) {
      thrown = std::current_exception();
    }
    if (status.ok() && !thrown) return;
    stop = true;
    std::lock_guard lock(mutex);
    if (failure.ok()) failure = std::move(status);
    if (!exception) exception = thrown;
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(run);
    run();
  }
  if (exception) std::rethrow_exception(exception);
  return failure;
}

}  // namespace aoa::exec
