// The text of a rule file that counts.
#pragma once

#include <string_view>

#include "compiler/core/source.h"

namespace aoa::parse {

inline constexpr size_t kLongestFile = size_t{16} << 20;

// Past the byte order mark, which some editors put before UTF-8.
inline size_t BeginOfText(const SourceFile& source) {
  return std::string_view(source.text()).starts_with("\xEF\xBB\xBF") ? 3 : 0;
}

}  // namespace aoa::parse
