#include "compiler/core/text.h"

#include <algorithm>
#include <array>

namespace aoa {
namespace {

// What the second byte of a sequence may be depends on the first; all later ones are 80..BF.
struct SecondByte {
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

SecondByte SecondByteAfter(unsigned char first) {
  switch (first) {
    case 0xE0:
      return {0xA0, 0xBF};  // below: overlong
    case 0xED:
      return {0x80, 0x9F};  // above: surrogates
    case 0xF0:
      return {0x90, 0xBF};  // below: overlong
    case 0xF4:
      return {0x80, 0x8F};  // above: beyond U+10FFFF
    default:
      return {};
  }
}

size_t LengthByFirst(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

// C0 and C1 controls, and DEL.
bool IsControl(std::string_view sequence) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
  return sequence.size() == 2 && byte(0) == 0xC2 && byte(1) < 0xA0;
}

void AppendEscaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (unsigned char byte : bytes) {
    out += "\\x";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

}  // namespace

size_t Utf8Length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  size_t length = LengthByFirst(byte(0));
  if (length <= 1) return length;
  if (length > text.size()) return 0;
  SecondByte second = SecondByteAfter(byte(0));
  if (byte(1) < second.low || byte(1) > second.high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (byte(i) >> 6 != 2) return 0;
  }
  return length;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t length = Utf8Length(text);
    std::string_view sequence = text.substr(0, std::max<size_t>(length, 1));
    if (length == 0 || IsControl(sequence)) {
      AppendEscaped(out, sequence);
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

std::string WithoutNonFinite(std::string_view json) {
  std::string out;
  for (size_t at = 0; at < json.size();) {
    if (json[at] == '"') {
      size_t end = at + 1;
      while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, json.size());
      out += json.substr(at, end - at);
      at = end;
      continue;
    }
    std::string_view rest = json.substr(at), word;
    for (std::string_view name : {"NaN", "Infinity", "-Infinity"}) {
      if (rest.starts_with(name)) word = name;
    }
    out += word.empty() ? rest.substr(0, 1) : std::string_view("null");
    at += std::max<size_t>(word.size(), 1);
  }
  return out;
}

}  // namespace aoa
