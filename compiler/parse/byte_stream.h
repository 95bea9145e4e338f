// A string of bytes as the input of a generated lexer: positions are byte offsets, and broken UTF-8 is nothing special.
#pragma once

#include <string>
#include <string_view>

#include "compiler/parse/antlr.h"

namespace aoa::parse {

class ByteStream final : public antlr4::CharStream {
 public:
  explicit ByteStream(std::string bytes) : bytes_(std::move(bytes)) {}

  char At(size_t at) const { return bytes_[at]; }

  void consume() override { ++at_; }
  size_t LA(ssize_t offset) override {
    // LA(1) is the next byte, LA(-1) the last one.
    size_t at = offset > 0 ? at_ + static_cast<size_t>(offset) - 1 : at_ - static_cast<size_t>(-offset);
    return at < bytes_.size() ? static_cast<unsigned char>(bytes_[at]) : antlr4::IntStream::EOF;
  }
  ssize_t mark() override { return -1; }  // everything is in memory
  void release(ssize_t) override {}
  size_t index() override { return at_; }
  void seek(size_t at) override { at_ = at; }
  size_t size() override { return bytes_.size(); }
  std::string getSourceName() const override { return ""; }
  std::string getText(const antlr4::misc::Interval& bytes) override {
    return bytes_.substr(static_cast<size_t>(bytes.a), static_cast<size_t>(bytes.b - bytes.a + 1));
  }
  std::string toString() const override { return bytes_; }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

}  // namespace aoa::parse
