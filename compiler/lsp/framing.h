// Messages as they travel: a header of lines `Name: value`, an empty line, and as many bytes of JSON as Content-Length
// says. https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aoa::lsp {

struct Frame {
  std::string body;
  std::string problem;  // what is wrong with the header; then there is no body
};

// Takes bytes as they come and gives messages. After a header that cannot be understood it goes on behind it, so that
// one bad message does not end the conversation. What it keeps is bounded.
class FrameReader {
 public:
  static constexpr size_t kLongestHeader = 4096;
  static constexpr uint64_t kLongestBody = 64 << 20;

  void Feed(std::string_view bytes);
  // The next message, if all of it is there.
  std::optional<Frame> Next();
  // Whether a message has begun whose end has not come.
  bool Inside() const { return at_ < buffer_.size() || skip_ > 0 || body_.has_value(); }

 private:
  std::optional<Frame> ReadHeader();
  std::string_view rest() const { return std::string_view(buffer_).substr(at_); }

  std::string buffer_;
  size_t at_ = 0;                 // where in buffer_ the next byte stands
  uint64_t skip_ = 0;             // bytes of a body that is too long to read
  std::optional<uint64_t> body_;  // the length of the body that comes next
};

// The message with its header.
std::string Framed(std::string_view body);

}  // namespace aoa::lsp
