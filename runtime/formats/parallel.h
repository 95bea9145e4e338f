// The same work on many things by a few threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace aoa::formats {

// Calls work(i) for all i < count on up to `threads` threads, the caller's among them. An exception is thrown on, one
// of several.
template <class Work>
void ParallelFor(size_t count, int threads, const Work& work) {
  std::atomic<size_t> next = 0;
  std::atomic_flag failed;
  std::exception_ptr failure;
  auto run = [&] {
    try {
      for (size_t i; (i = next++) < count;) work(i);
    } catch (...) {
      if (!failed.test_and_set()) failure = std::current_exception();
      next = count;
    }
  };
  std::vector<std::jthread> others;
  for (size_t i = 1; i < count && static_cast<int>(i) < threads; ++i) others.emplace_back(run);
  run();
  others.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace aoa::formats
