#include "compiler/core/coverage.h"

#include <algorithm>

namespace aoa {

void Coverage::Add(Span run) { runs_.push_back(run); }

void Coverage::Add(int64_t base, std::vector<FormDigit> digits) {
  for (const FormDigit& digit : digits) {
    if (digit.extent <= 0) return;
  }
  std::erase_if(digits, [](const FormDigit& digit) { return digit.extent == 1; });
  std::sort(digits.begin(), digits.end(), [](const auto& a, const auto& b) { return a.stride > b.stride; });
  int64_t length = 1;  // of a run: the innermost digits that lie dense
  while (!digits.empty() && digits.back().stride == length) {
    length *= digits.back().extent;
    digits.pop_back();
  }
  std::vector<int64_t> index(digits.size(), 0);
  for (int64_t at = base;;) {
    runs_.push_back({at, at + length - 1});
    size_t i = digits.size();
    while (i-- > 0) {
      at += digits[i].stride;
      if (++index[i] < digits[i].extent) break;
      at -= digits[i].stride * digits[i].extent;
      index[i] = 0;
    }
    if (i == SIZE_MAX) return;
  }
}

std::vector<Span> Coverage::Sorted() const {
  std::vector<Span> sorted = runs_;
  std::sort(sorted.begin(), sorted.end(), [](const Span& a, const Span& b) { return a.first < b.first; });
  return sorted;
}

std::vector<Span> Coverage::Runs() const {
  std::vector<Span> joined;
  for (const Span& run : Sorted()) {
    if (!joined.empty() && run.first <= joined.back().last + 1)
      joined.back().last = std::max(joined.back().last, run.last);
    else
      joined.push_back(run);
  }
  return joined;
}

std::optional<int64_t> Coverage::Twice() const {
  int64_t end = INT64_MIN;
  for (const Span& run : Sorted()) {
    if (run.first < end) return run.first;
    end = std::max(end, run.last + 1);
  }
  return std::nullopt;
}

std::string Coverage::CheckSame(const Coverage& wanted) const {
  if (auto twice = Twice()) return "number " + std::to_string(*twice) + " is there twice";
  std::vector<Span> have = Runs(), want = wanted.Runs();
  for (size_t i = 0; i < std::max(have.size(), want.size()); ++i) {
    if (i >= want.size()) return "number " + std::to_string(have[i].first) + " has no place";
    if (i >= have.size()) return "number " + std::to_string(want[i].first) + " is not there";
    if (have[i].first < want[i].first) return "number " + std::to_string(have[i].first) + " has no place";
    if (have[i].first > want[i].first) return "number " + std::to_string(want[i].first) + " is not there";
    if (have[i].last < want[i].last) return "number " + std::to_string(have[i].last + 1) + " is not there";
    if (have[i].last > want[i].last) return "number " + std::to_string(want[i].last + 1) + " has no place";
  }
  return "";
}

}  // namespace aoa
