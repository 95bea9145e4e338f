#include "runtime/formats/pickle_source.h"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <optional>
#include <span>

#include "runtime/formats/quote.h"

namespace aoa::formats::pickle {
namespace {

constexpr size_t kWindow = 256 << 10;
constexpr size_t kLongestLine = 64 << 10;

void AppendUtf8(std::string& out, uint32_t c) {
  auto last = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    last(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    last(6);
    last(0);
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    last(12);
    last(6);
    last(0);
  }
}

std::optional<uint32_t> Hexadecimal(std::string_view digits, size_t count) {
  uint32_t value = 0;
  if (digits.size() < count) return std::nullopt;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + count, value, 16);
  return error == std::errc() && end == digits.data() + count ? std::optional(value) : std::nullopt;
}

// How many bytes follow the first one of a character; nothing if it begins none.
std::optional<size_t> Followers(uint8_t first) {
  if (first < 0x80) return 0;
  if (first >= 0xC2 && first < 0xE0) return 1;
  if (first >= 0xE0 && first < 0xF0) return 2;
  if (first >= 0xF0 && first < 0xF5) return 3;
  return std::nullopt;
}

}  // namespace

Status ByteReader::TooShort(uint64_t length) const {
  return Status::Invalid(fmt::format("{} bytes are announced, {} are left", length, left()));
}

Status ByteReader::Copy(void* out, size_t length) {
  if (length > left()) return TooShort(length);
  if (at_ < window_at_ || at_ + length > window_at_ + window_.size()) {
    window_at_ = at_;
    window_.resize(static_cast<size_t>(std::min<uint64_t>(left(), std::max(kWindow, length))));
    AOA_RETURN_IF_ERROR(file_.ReadAt(window_at_, std::as_writable_bytes(std::span(window_))));
  }
  std::memcpy(out, window_.data() + (at_ - window_at_), length);
  at_ += length;
  return Status();
}

Status ByteReader::Text(uint64_t length, std::string& out) {
  if (length > left()) return TooShort(length);
  out.resize(static_cast<size_t>(length));
  return Copy(out.data(), out.size());
}

Status ByteReader::Skip(uint64_t length) {
  if (length > left()) return TooShort(length);
  at_ += length;
  return Status();
}

Status ByteReader::Line(std::string& out) {
  out.clear();
  for (;;) {
    char c = 0;
    AOA_RETURN_IF_ERROR(Number(c));
    if (c == '\n') return Status();
    if (out.size() == kLongestLine) return Status::Invalid("a line of too many bytes");
    out += c;
  }
}

bool IsUtf8WithSurrogates(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto byte = [&](size_t k) { return static_cast<uint8_t>(text[i + k]); };
    const auto more = Followers(byte(0));
    if (!more || text.size() - i <= *more) return false;
    for (size_t k = 1; k <= *more; ++k) {
      if ((byte(k) & 0xC0) != 0x80) return false;
    }
    // Longer than they need be, or beyond the last character.
    if ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xF0 && byte(1) < 0x90) ||
        (byte(0) == 0xF4 && byte(1) > 0x8F))
      return false;
    i += *more + 1;
  }
  return true;
}

Status DecodeUnicodeLine(std::string_view line, std::string& out) {
  for (size_t i = 0; i < line.size();) {
    const char kind = line[i] == '\\' && i + 1 < line.size() ? line[i + 1] : '\0';
    const size_t digits = kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits == 0) {
      AppendUtf8(out, static_cast<uint8_t>(line[i++]));
      continue;
    }
    auto c = Hexadecimal(line.substr(i + 2), digits);
    if (!c || *c > 0x10FFFF) return Status::Invalid("a broken escape in a text");
    AppendUtf8(out, *c);
    i += 2 + digits;
  }
  return Status();
}

Status DecodeStringLine(std::string_view line, std::string& out) {
  const bool quoted = line.size() >= 2 && (line[0] == '\'' || line[0] == '"') && line.back() == line[0];
  if (!quoted) return Status::Invalid("a string without quotes");
  constexpr std::string_view kEscapes = "\\\\''\"\"n\nt\tr\r";  // letter, character
  line = line.substr(1, line.size() - 2);
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      out += line[i];
      continue;
    }
    const char letter = i + 1 < line.size() ? line[i + 1] : '\0';
    size_t found = 0;
    while (found < kEscapes.size() && kEscapes[found] != letter) found += 2;
    if (auto c = letter == 'x' ? Hexadecimal(line.substr(i + 2), 2) : std::nullopt) {
      out += static_cast<char>(*c);
      i += 3;
    } else if (found < kEscapes.size()) {
      out += kEscapes[found + 1];
      ++i;
    } else {
      return Status::Invalid(fmt::format("a broken escape {} in a string", Quote(line.substr(i, 2))));
    }
  }
  return Status();
}

}  // namespace aoa::formats::pickle
