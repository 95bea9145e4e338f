// System calls that fail, move less than asked, or are the last thing a process does. faults.cpp defines the functions
// of the C library that runtime/io calls; in a program that it is linked into, they do what is arranged here and else
// what they always do.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace aoa::testing {

// What a call is to do in place of what it was asked.
struct Fault {
  int error = 0;       // fail with this errno, or
  size_t at_most = 0;  // move no more than so many bytes
};

// Asked before every call with its name and, where it has one, the path it is given. No fault lets it pass.
using FaultPlan = std::function<const Fault*(std::string_view call, std::string_view path)>;

// While it lives, calls go by its plan.
class ScopedFaults {
 public:
  explicit ScopedFaults(FaultPlan plan);
  ScopedFaults(const ScopedFaults&) = delete;
  ~ScopedFaults();
};

// Fails every call of this name.
FaultPlan FailAll(std::string call, int error);
// Fails the first `count` calls of this name.
FaultPlan FailFirst(std::string call, int count, int error);

// Notes each call in `log` ("fsync", "renameat2 new") and lets it pass.
FaultPlan LogInto(std::vector<std::string>& log);

// Forks a child that does `work` and dies by SIGKILL before its `last`-th call, counted from 1. Whether it got through.
bool RunUntilCall(int last, const std::function<void()>& work);

}  // namespace aoa::testing
