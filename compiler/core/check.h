// Our own bugs. A check that fails throws `InternalError`; the driver's `main` is the only place that catches it,
// removes what is half-written, and prints what was expected together with the command that reproduces it.
#pragma once

#include <stdexcept>
#include <string>

namespace aoa {

class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] inline void FailCheck(const char* file, int line, const char* condition, const std::string& what) {
  throw InternalError(std::string(file) + ":" + std::to_string(line) + ": " + condition +
                      (what.empty() ? "" : ": " + what));
}

#define AOA_CHECK(condition, what)                                            \
  do {                                                                        \
    if (!(condition)) ::aoa::FailCheck(__FILE__, __LINE__, #condition, what); \
  } while (false)

}  // namespace aoa
