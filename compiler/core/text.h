// Text of unknown origin: what is well-formed in it, and how to show it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace aoa {

// Bytes of the well-formed UTF-8 sequence at the start of `text`, which is not empty; 0 if there is none. Overlong
// forms, surrogates and numbers above U+10FFFF are not well-formed (The Unicode Standard, table 3-7).
size_t Utf8Length(std::string_view text);

// Whether all of it is well-formed.
bool IsUtf8(std::string_view text);

// `text` made safe to print: control characters and broken UTF-8 become escapes like \x1b.
std::string Printable(std::string_view text);

// Python's json module writes NaN, Infinity and -Infinity, which JSON has not: the text with `null` in their place,
// outside of strings.
std::string WithoutNonFinite(std::string_view json);

}  // namespace aoa
