// The half of the pickle machine that makes numbers, texts and bytes. Included by pickle_reader.cpp alone.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "runtime/formats/pickle.h"
#include "runtime/formats/pickle_source.h"
#include "runtime/formats/pickle_stack.h"
#include "runtime/formats/quote.h"

namespace aoa::formats::pickle {

class ValueMachine {
 protected:
  using Kind = Value::Kind;
  static constexpr uint64_t kLongestNumber = 4096;  // bytes of an integer

  ValueMachine(const Stream& stream, Tree& tree) : in_(stream), tree_(tree) {}

  Status Push(Value* value) {
    stack_.Push(value);
    return Status();
  }

  // ---------------------------------------------------------------- numbers

  // What many places hold is one node: none, truth values, small integers.
  template <Kind kKind, int kInteger>
  Status Constant() {
    Value*& node = constants_[kKind == Kind::kNone ? 2 : kInteger];
    if (!node) node = NewInt(kKind, kInteger);
    return Push(node);
  }

  Value* NewInt(Kind kind, int64_t integer) {
    Value* out = tree_.New(kind);
    out->integer = integer;
    return out;
  }

  Status PushInt(int64_t value) {
    if (value < 0 || value >= static_cast<int64_t>(small_.size())) return Push(NewInt(Kind::kInt, value));
    Value*& node = small_[static_cast<size_t>(value)];
    if (!node) node = NewInt(Kind::kInt, value);
    return Push(node);
  }

  template <class T>
  Status FixedInt() {
    T value = 0;
    AOA_RETURN_IF_ERROR(in_.Number(value));
    return PushInt(value);
  }

  template <class T>
  Status LongInt() {
    T length = 0;
    AOA_RETURN_IF_ERROR(in_.Number(length));
    if (std::is_signed_v<T> && length < 0) return Status::Invalid("a negative length");
    if (static_cast<uint64_t>(length) > kLongestNumber) return Status::Invalid("an integer of too many bytes");
    std::string digits;
    AOA_RETURN_IF_ERROR(in_.Text(static_cast<uint64_t>(length), digits));
    return PushLong(std::move(digits));
  }

  // Little-endian two's complement.
  Status PushLong(std::string digits) {
    const bool negative = !digits.empty() && digits.back() < 0;
    const char sign = negative ? '\xFF' : '\0';
    size_t size = digits.size();
    while (size > 8 && digits[size - 1] == sign && (digits[size - 2] < 0) == negative) --size;
    if (size > 8) {
      Value* out = tree_.New(Kind::kInt);
      out->outside = true;
      out->text = std::move(digits);
      return Push(out);
    }
    uint64_t bits = negative ? ~uint64_t{0} : 0;
    std::memcpy(&bits, digits.data(), size);
    return PushInt(static_cast<int64_t>(bits));
  }

  // A line that is a number and nothing else.
  template <class T>
  Status NumberLine(T& out) {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    return ParseLine(out);
  }

  template <class T>
  Status ParseLine(T& out) const {
    auto [end, error] = std::from_chars(line_.data(), line_.data() + line_.size(), out);
    if (error == std::errc() && end == line_.data() + line_.size()) return Status();
    return Status::Invalid(
        fmt::format("{} is no number{}", Quote(line_), std::is_floating_point_v<T> ? "" : " that fits its place"));
  }

  Status IntLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    if (line_ == "00") return Constant<Kind::kBool, 0>();
    if (line_ == "01") return Constant<Kind::kBool, 1>();
    return PushLine();
  }

  Status LongLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    if (line_.ends_with('L')) line_.pop_back();
    return PushLine();
  }

  Status PushLine() {
    int64_t value = 0;
    AOA_RETURN_IF_ERROR(ParseLine(value));
    return PushInt(value);
  }

  Status PushFloat(double value) {
    Value* out = tree_.New(Kind::kFloat);
    out->number = value;
    return Push(out);
  }

  Status Float() {
    uint64_t bits = 0;
    AOA_RETURN_IF_ERROR(in_.Number(bits));
    return PushFloat(std::bit_cast<double>(__builtin_bswap64(bits)));
  }

  Status FloatLine() {
    double value = 0;
    AOA_RETURN_IF_ERROR(NumberLine(value));
    return PushFloat(value);
  }

  // ---------------------------------------------------------------- texts and bytes

  // With a length in front.
  template <Kind kKind, class Length>
  Status Text() {
    Length announced = 0;
    AOA_RETURN_IF_ERROR(in_.Number(announced));
    if (std::is_signed_v<Length> && announced < 0)
      return Status::Invalid(fmt::format("a negative length, {}", announced));
    const auto length = static_cast<uint64_t>(announced);
    const uint64_t at = in_.at();
    if (length > kLongestInside) {
      AOA_RETURN_IF_ERROR(in_.Skip(length));
      Value* out = NewInt(kKind, static_cast<int64_t>(length));
      out->offset = at;
      out->outside = true;
      return Push(out);
    }
    std::string text;
    AOA_RETURN_IF_ERROR(in_.Text(length, text));
    return PushText(kKind, std::move(text), at);
  }

  Status PushText(Kind kind, std::string text, uint64_t at) {
    if (kind == Kind::kText && !IsUtf8WithSurrogates(text))
      return Status::Invalid(fmt::format("the text {} is not UTF-8", Quote(text)));
    Value* out = NewInt(kind, static_cast<int64_t>(text.size()));
    out->text = std::move(text);
    out->offset = at;
    return Push(out);
  }

  // Strings of Python 2 are texts where they are ASCII, and bytes else.
  template <class Length>
  Status OldString() {
    AOA_RETURN_IF_ERROR((Text<Kind::kBytes, Length>()));
    if (!stack_.Top().outside && IsAscii(stack_.Top().text)) stack_.Top().kind = Kind::kText;
    return Status();
  }

  Status StringLine() {
    std::string out;
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    AOA_RETURN_IF_ERROR(DecodeStringLine(line_, out));
    const Kind kind = IsAscii(out) ? Kind::kText : Kind::kBytes;
    return PushText(kind, std::move(out), opcode_at_);
  }

  Status UnicodeLine() {
    std::string out;
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    AOA_RETURN_IF_ERROR(DecodeUnicodeLine(line_, out));
    return PushText(Kind::kText, std::move(out), opcode_at_);
  }

  ByteReader in_;
  Tree& tree_;
  uint64_t opcode_at_ = 0;
  Stack stack_;
  std::string line_;

 private:
  static bool IsAscii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
  }

  std::array<Value*, 3> constants_{};  // false, true, none
  std::array<Value*, 256> small_{};    // integers
};

}  // namespace aoa::formats::pickle
