// Characters and short pieces of rule files, as plain functions over text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace aoa::parse {

bool IsLetter(char c);  // of an identifier: A-Z a-z _
bool IsDigit(char c);
bool IsNameCharacter(char c);  // of a bare tensor name, without `$` and braces: letters, digits, _ . - / *
// Letters, digits and _, not beginning with a digit.
bool IsIdentifier(std::string_view text);

// The ends of what starts at `at`: past the closing quote, or the end of the line where there is none; the line end.
size_t EndOfString(std::string_view text, size_t at);
size_t EndOfQuotedValue(std::string_view text, size_t at);
size_t EndOfLine(std::string_view text, size_t at);
// Past the `$v` or `${...}` at `at`, past the `$` alone where that is none. Up to *unclosed_until no `${` has its `}`;
// a caller that goes through a text keeps it from call to call.
size_t EndOfVariable(std::string_view text, size_t at, size_t* unclosed_until);

// Past blanks and tabs.
size_t SkipBlanks(std::string_view text, size_t at);
// Past blanks, tabs, line ends and comments.
size_t SkipToToken(std::string_view text, size_t at);

// The code point at `at` and the bytes it takes; `size` is 0 where the bytes are not UTF-8.
struct CodePoint {
  uint32_t value = 0;
  size_t size = 0;
};
CodePoint DecodeUtf8(std::string_view text, size_t at);
void AppendUtf8(std::string& out, uint32_t code_point);

}  // namespace aoa::parse
