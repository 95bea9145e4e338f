// Which numbers a set of strided boxes has, as sorted runs: what the laws of index programs and plans are checked with.
// Takes time and memory in the number of runs, so it is for tests and debug builds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/core/index_map.h"

namespace aoa {

class Coverage {
 public:
  // The numbers base + sum stride_i * x_i, x_i < extent_i. Strides are not negative.
  void Add(int64_t base, std::vector<FormDigit> digits);
  void Add(Span run);

  // Maximal runs in ascending order; neighbours are joined.
  std::vector<Span> Runs() const;
  // A number that was added twice, if there is one.
  std::optional<int64_t> Twice() const;

  // Whether the numbers are those of `wanted`, each once.
  std::string CheckSame(const Coverage& wanted) const;

 private:
  std::vector<Span> Sorted() const;

  std::vector<Span> runs_;
};

}  // namespace aoa
