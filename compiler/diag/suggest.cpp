#include "compiler/diag/suggest.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace aoa::diag {
namespace {

size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// Bytes of the UTF-8 sequence at the start of `text`, 0 if there is none.
size_t Utf8Length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  size_t n = byte(0) < 0x80 ? 1 : byte(0) >> 5 == 6 ? 2 : byte(0) >> 4 == 14 ? 3 : byte(0) >> 3 == 30 ? 4 : 0;
  if (n == 0 || n > text.size()) return 0;
  for (size_t i = 1; i < n; ++i) {
    if (byte(i) >> 6 != 2) return 0;
  }
  return n;
}

}  // namespace

std::optional<std::string> Nearest(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string* best = nullptr;
  size_t best_distance = 0;
  for (const std::string& candidate : candidates) {
    size_t longer = std::max(name.size(), candidate.size());
    size_t limit = std::max<size_t>(1, longer / 3);
    size_t difference = longer - std::min(name.size(), candidate.size());
    if (candidate == name || difference > limit || longer > 4096) continue;
    size_t distance = Distance(name, candidate);
    if (distance <= limit && distance < longer && (best == nullptr || distance < best_distance)) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best ? std::optional<std::string>(*best) : std::nullopt;
}

std::string Enumerate(const std::vector<std::string>& names, size_t limit, std::string_view last) {
  std::string out;
  size_t shown = names.size() > limit ? limit : names.size();
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == names.size() ? std::string(last) : ", ";
    out += names[i];
  }
  if (shown < names.size()) out += std::string(last) + std::to_string(names.size() - shown) + " more";
  return out;
}

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t n = Utf8Length(text);
    auto first = static_cast<unsigned char>(text[0]);
    bool control = n == 1 && (first < 0x20 || first == 0x7F);
    bool c1 = n == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (n == 0 || control || c1) {
      n = std::max<size_t>(n, 1);
      for (size_t i = 0; i < n; ++i) {
        std::array<char, 8> escape{};
        std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned char>(text[i]));
        out += escape.data();
      }
    } else {
      out += text.substr(0, n);
    }
    text.remove_prefix(n);
  }
  return out;
}

}  // namespace aoa::diag
