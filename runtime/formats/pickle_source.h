// What the pickle machine reads from: bytes of a file, front to back, and the texts of the older protocols.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "compiler/core/status.h"
#include "runtime/formats/pickle.h"

namespace aoa::formats::pickle {

// Reads through a window, so that long bytes can be passed over without being read. Lengths are held against what is
// left before anything is made of them.
class ByteReader {
 public:
  explicit ByteReader(const Stream& stream) : file_(*stream.file), at_(stream.begin), end_(stream.end) {}

  uint64_t at() const { return at_; }
  uint64_t left() const { return end_ - at_; }

  // A little-endian number.
  template <class T>
  Status Number(T& out) {
    static_assert(std::endian::native == std::endian::little);
    return Copy(&out, sizeof(T));
  }
  Status Text(uint64_t length, std::string& out);
  Status Skip(uint64_t length);
  // Up to a line feed, which is taken and left out.
  Status Line(std::string& out);

 private:
  Status TooShort(uint64_t length) const;
  Status Copy(void* out, size_t length);

  const io::File& file_;
  uint64_t at_, end_;
  uint64_t window_at_ = 0;
  std::string window_;
};

// UTF-8 as Python's pickles have it, where half of a surrogate pair is three bytes like any other character.
bool IsUtf8WithSurrogates(std::string_view text);

// The text of a line of protocol 0: characters are Latin-1, or \uXXXX and \UXXXXXXXX.
Status DecodeUnicodeLine(std::string_view line, std::string& out);

// The bytes of a quoted string of Python 2.
Status DecodeStringLine(std::string_view line, std::string& out);

}  // namespace aoa::formats::pickle
