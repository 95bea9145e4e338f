#include "compiler/parse/characters.h"

namespace aoa::parse {

bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsNameCharacter(char c) { return IsLetter(c) || IsDigit(c) || c == '.' || c == '-' || c == '/' || c == '*'; }

bool IsIdentifier(std::string_view text) {
  if (text.empty() || !IsLetter(text[0])) return false;
  for (char c : text) {
    if (!IsLetter(c) && !IsDigit(c)) return false;
  }
  return true;
}

namespace {

bool EndsLine(std::string_view text, size_t at) { return at >= text.size() || text[at] == '\n' || text[at] == '\r'; }

}  // namespace

size_t EndOfString(std::string_view text, size_t at) {
  for (++at; !EndsLine(text, at); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\' && !EndsLine(text, at + 1)) ++at;
  }
  return at;
}

size_t EndOfQuotedValue(std::string_view text, size_t at) {
  for (++at; !EndsLine(text, at); ++at) {
    if (text[at] == '\'') return at + 1;
  }
  return at;
}

size_t EndOfLine(std::string_view text, size_t at) {
  while (!EndsLine(text, at)) ++at;
  return at;
}

size_t EndOfVariable(std::string_view text, size_t at, size_t* unclosed_until) {
  size_t end = at + 1;
  if (end < text.size() && text[end] == '{') {
    if (at < *unclosed_until) return at + 1;
    while (!EndsLine(text, end) && text[end] != '}') ++end;
    if (!EndsLine(text, end)) return end + 1;
    *unclosed_until = end;
    return at + 1;
  }
  while (end < text.size() && (IsLetter(text[end]) || IsDigit(text[end]))) ++end;
  return end;
}

size_t SkipBlanks(std::string_view text, size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}

size_t SkipToToken(std::string_view text, size_t at) {
  for (; at < text.size(); ++at) {
    if (text[at] == '#') at = EndOfLine(text, at);
    if (at == text.size()) break;
    if (text[at] != ' ' && text[at] != '\t' && text[at] != '\n' && text[at] != '\r') break;
  }
  return at;
}

CodePoint DecodeUtf8(std::string_view text, size_t at) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(at);
  if (first < 0x80) return {first, 1};
  size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + size > text.size()) return {};
  uint32_t value = first & (0x7F >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(at + i) & 0x3F);
  }
  // Overlong forms and surrogates are no UTF-8, nor is what lies beyond Unicode.
  if ((size == 3 && value < 0x800) || (size == 4 && value < 0x10000) || value > 0x10FFFF) return {};
  if (value >= 0xD800 && value <= 0xDFFF) return {};
  return {value, size};
}

void AppendUtf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

}  // namespace aoa::parse
