// Names from files in messages.
#pragma once

#include <string>
#include <string_view>

#include "compiler/core/text.h"

namespace aoa::formats {

// `name` in backticks, printable, and cut where it would fill the screen.
inline std::string Quote(std::string_view name) {
  constexpr size_t kLongest = 300;
  std::string shown = Printable(name.substr(0, kLongest));
  return "`" + shown + (name.size() > kLongest ? "..." : "") + "`";
}

}  // namespace aoa::formats
