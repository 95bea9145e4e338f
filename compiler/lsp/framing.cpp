#include "compiler/lsp/framing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace aoa::lsp {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeaderEnd = "\r\n\r\n";
constexpr std::string_view kLength = "content-length";

bool SameWord(std::string_view text, std::string_view lower_case) {
  auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b; };
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(), same);
}

std::optional<uint64_t> Number(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The length that a header gives, or what is wrong with it.
std::optional<uint64_t> LengthIn(std::string_view header, std::string& problem) {
  std::optional<uint64_t> length;
  while (!header.empty()) {
    std::string_view line = header.substr(0, header.find(kLineEnd));
    header.remove_prefix(std::min(line.size() + kLineEnd.size(), header.size()));
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      problem = "a line of the header has no colon";
      return std::nullopt;
    }
    if (!SameWord(line.substr(0, colon), kLength)) continue;
    length = Number(line.substr(colon + 1));
    if (!length) {
      problem = "Content-Length is no number";
      return std::nullopt;
    }
  }
  if (!length) problem = "a header without Content-Length";
  return length;
}

}  // namespace

void FrameReader::Feed(std::string_view bytes) {
  size_t skipped = static_cast<size_t>(std::min<uint64_t>(skip_, bytes.size()));
  skip_ -= skipped;
  bytes.remove_prefix(skipped);
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_ += bytes;
}

std::optional<Frame> FrameReader::Next() {
  if (!body_) {
    if (auto wrong = ReadHeader()) return wrong;
  }
  if (!body_ || rest().size() < *body_) return std::nullopt;
  Frame frame{std::string(rest().substr(0, *body_)), ""};
  at_ += *body_;
  body_.reset();
  return frame;
}

// A frame if the header is wrong. Otherwise body_ is set, or the header is not there yet.
std::optional<Frame> FrameReader::ReadHeader() {
  size_t end = rest().substr(0, kLongestHeader + kHeaderEnd.size()).find(kHeaderEnd);
  if (end == std::string_view::npos) {
    if (rest().size() <= kLongestHeader) return std::nullopt;
    at_ += kLongestHeader;
    return Frame{"", fmt::format("a header of more than {} bytes", kLongestHeader)};
  }
  std::string problem;
  auto length = LengthIn(rest().substr(0, end), problem);
  at_ += end + kHeaderEnd.size();
  if (!length) return Frame{"", problem};
  if (*length <= kLongestBody) {
    body_ = *length;
    return std::nullopt;
  }
  size_t here = static_cast<size_t>(std::min<uint64_t>(*length, rest().size()));
  at_ += here;
  skip_ = *length - here;
  return Frame{"", fmt::format("a message of {} bytes; at most {} are read", *length, kLongestBody)};
}

std::string Framed(std::string_view body) { return fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body); }

}  // namespace aoa::lsp
