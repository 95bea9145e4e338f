#include "compiler/draft/literal.h"

#include <fmt/format.h>

#include "compiler/core/text.h"
#include "compiler/parse/characters.h"

namespace aoa::draft {
namespace {

using diag::Code;
using parse::IsDigit;
using parse::IsIdentifier;
using parse::IsLetter;

constexpr const char* kPrintIt =
    "let the program print the configuration, `print(json.dumps(aoa_config))`, and import that";

class Reader {
 public:
  Reader(const SourceFile& source, diag::Diagnostics& diagnostics)
      : source_(source), text_(source.text()), diagnostics_(diagnostics) {}

  std::optional<Value> Read() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    SkipAssignment();
    Value value;
    if (!ReadSum(value, 0)) return std::nullopt;
    SkipBlanks();
    while (at_ < text_.size() && (text_[at_] == ',' || text_[at_] == ';')) {
      ++at_;
      SkipBlanks();
    }
    if (at_ == text_.size()) return value;
    Fail(at_, at_ + 1, "text behind the configuration").Help("the file holds one dictionary or list, and nothing else");
    return std::nullopt;
  }

 private:
  diag::Diagnostic& Fail(size_t begin, size_t end, std::string message) {
    return diagnostics_.Error(Code::kSyntax, Range(begin, end), std::move(message));
  }
  SourceRange Range(size_t begin, size_t end) const {
    size_t size = text_.size();
    return {&source_, static_cast<uint32_t>(std::min(begin, size)), static_cast<uint32_t>(std::min(end, size))};
  }

  void SkipBlanks() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      bool continued = c == '\\' && at_ + 1 < text_.size() && (text_[at_ + 1] == '\n' || text_[at_ + 1] == '\r');
      if (c == '#')
        at_ = parse::EndOfLine(text_, at_);
      else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || continued)
        ++at_;
      else
        return;
    }
  }
  bool Take(char c) {
    SkipBlanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  char Peek() {
    SkipBlanks();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  size_t EndOfWord(size_t at) const {
    while (at < text_.size() && (IsLetter(text_[at]) || IsDigit(text_[at]) || text_[at] == '.')) ++at;
    return at;
  }

  // `aoa_config =`, `config["aoa_config"] =`, `"aoa_config":`, `return`: what stands in front of a pasted value.
  void SkipAssignment() {
    SkipBlanks();
    size_t line_end = parse::EndOfLine(text_, at_);
    std::string_view line = text_.substr(at_, line_end - at_);
    if (line.starts_with("return") && EndOfWord(at_) == at_ + 6) {
      at_ += 6;
      return;
    }
    size_t sign = line.find_first_of("=:{(#");
    if (sign == std::string_view::npos || sign == 0 || (line[sign] != '=' && line[sign] != ':')) return;
    if (line[sign] == ':' && line[0] != '"' && line[0] != '\'') {  // an annotation: `config: dict = {`
      sign = line.find('=', sign);
      if (sign == std::string_view::npos) return;
    }
    at_ += sign + 1;
  }

  // ------------------------------------------------------------ values

  bool ReadSum(Value& value, int depth) {
    if (!ReadValue(value, depth)) return false;
    while (Peek() == '+') {
      size_t plus = at_++;
      Value more;
      if (!ReadValue(more, depth)) return false;
      bool texts = value.kind == Value::Kind::kText, lists = value.kind == Value::Kind::kList;
      if (value.kind != more.kind || (!texts && !lists)) {
        Fail(plus, plus + 1, "`+` between values that do not join").Expected("two lists, or two texts");
        return false;
      }
      value.text += more.text;
      for (Value& item : more.items) value.items.push_back(std::move(item));
      value.where.end = more.where.end;
    }
    return true;
  }

  bool ReadValue(Value& value, int depth) {
    char c = Peek();
    size_t begin = at_;
    if (depth > kDeepestValue || ++count_ > kMostValues) {
      Fail(begin, begin + 1, depth > kDeepestValue ? "values inside each other, deeper than 64" : "too many values");
      return false;
    }
    bool ok = c == '{'                 ? ReadMap(value, depth)
              : c == '['               ? ReadList(value, ']', depth)
              : c == '('               ? ReadParentheses(value, depth)
              : IsDigit(c) || c == '-' ? ReadNumber(value)
                                       : ReadWord(value);
    value.where = Range(begin, at_);
    return ok;
  }

  bool ReadParentheses(Value& value, int depth) {
    if (!ReadList(value, ')', depth)) return false;
    if (value.items.size() == 1 && !comma_) {
      Value inner = std::move(value.items[0]);
      value = std::move(inner);
    }
    return true;
  }

  // Up to `close`. Whether a comma stood in it tells `(x)` from `(x,)`.
  bool ReadList(Value& value, char close, int depth) {
    size_t begin = at_++;
    value.kind = Value::Kind::kList;
    bool comma = false;
    while (!Take(close)) {
      if (AtEnd(begin)) return false;
      value.items.emplace_back();
      if (!ReadSum(value.items.back(), depth + 1)) return false;
      if (Take(',')) {
        comma = true;
      } else if (Peek() != close) {
        return Between(begin, close);
      }
    }
    comma_ = comma;
    return true;
  }

  bool ReadMap(Value& value, int depth) {
    size_t begin = at_++;
    value.kind = Value::Kind::kMap;
    while (!Take('}')) {
      if (AtEnd(begin)) return false;
      Value key;
      if (!ReadSum(key, depth + 1)) return false;
      if (!Take(':')) {
        if (Peek() == '}' || Peek() == ',') {
          Fail(key.where.begin, key.where.end, "a key without a value").Expected("`KEY: VALUE`");
          return false;
        }
        return Between(begin, ':');
      }
      value.map.emplace_back(std::move(key.text), Value());
      if (!ReadSum(value.map.back().second, depth + 1)) return false;
      if (!Take(',') && Peek() != '}') return Between(begin, '}');
    }
    return true;
  }

  bool AtEnd(size_t opened) {
    SkipBlanks();
    if (at_ < text_.size()) return false;
    diagnostics_.Error(Code::kUnclosed, Range(opened, opened + 1), fmt::format("`{}` is never closed", text_[opened]));
    return true;
  }

  // Something other than a comma or the end of `opened` follows a value.
  bool Between(size_t opened, char close) {
    if (AtEnd(opened)) return false;
    size_t end = std::max(EndOfWord(at_), at_ + 1);
    std::string_view word = text_.substr(at_, end - at_);
    if (word == "for" || word == "if" || word == "async") {
      Fail(at_, end,
           word == "if" ? "a conditional value is not carried out here" : "a comprehension is not carried out here")
          .Help(kPrintIt);
    } else if (text_[at_] == '.' || text_[at_] == '%' || text_[at_] == '*') {
      Fail(at_, end, fmt::format("`{}` works a value out, which only a program does", Printable(word))).Help(kPrintIt);
    } else {
      Fail(at_, end, fmt::format("`{}` stands between two values", Printable(word)))
          .Expected(close == ':' ? std::string("`:` and the value of the key") : fmt::format("`,` or `{}`", close));
    }
    return false;
  }

  bool ReadNumber(Value& value) {
    size_t begin = at_;
    if (text_[at_] == '-') ++at_;
    auto belongs = [this] {
      char c = text_[at_], before = text_[at_ - 1];
      return IsDigit(c) || IsLetter(c) || c == '.' || ((c == '+' || c == '-') && (before == 'e' || before == 'E'));
    };
    while (at_ < text_.size() && belongs()) ++at_;
    value.kind = Value::Kind::kNumber;
    value.text = text_.substr(begin, at_ - begin);
    return true;
  }

  bool ReadWord(Value& value) {
    size_t begin = at_, end = at_;
    while (end < text_.size() && IsLetter(text_[end])) ++end;
    if (end < text_.size() && (text_[end] == '"' || text_[end] == '\'')) return ReadTexts(value);
    end = EndOfWord(end);
    std::string_view word = text_.substr(begin, end - begin);
    if (word == "True" || word == "true" || word == "False" || word == "false") {
      value.kind = Value::Kind::kTruth;
      value.truth = word[0] == 'T' || word[0] == 't';
    } else if (word != "None" && word != "null") {
      return NoLiteral(begin, end, word);
    }
    at_ = end;
    return true;
  }

  bool NoLiteral(size_t begin, size_t end, std::string_view word) {
    if (begin == text_.size()) {
      Fail(begin, begin, "the text ends where a value is expected");
    } else if (word.empty()) {
      size_t size = std::max<size_t>(Utf8Length(text_.substr(begin)), 1);
      Fail(begin, begin + size, fmt::format("`{}` begins no value", Printable(text_.substr(begin, size))))
          .Expected("a text in quotes, a number, a list, a dictionary, True, False or None");
    } else {
      Fail(begin, end, fmt::format("`{}` is a name of a program, and no value", Printable(word))).Help(kPrintIt);
    }
    return false;
  }

  // ------------------------------------------------------------ texts

  bool ReadTexts(Value& value) {
    value.kind = Value::Kind::kText;
    bool first = true;
    size_t end = at_;
    while (true) {
      SkipBlanks();
      size_t quote = at_;
      while (quote < text_.size() && IsLetter(text_[quote])) ++quote;
      if (quote >= text_.size() || quote > at_ + 2 || (text_[quote] != '"' && text_[quote] != '\'')) break;
      if (!first) value.joints.push_back(value.text.size());
      if (!ReadText(quote, value.text)) return false;
      first = false;
      end = at_;
    }
    at_ = end;
    return true;
  }

  bool ReadText(size_t quote, std::string& out) {
    size_t begin = at_;
    bool raw = false, format = false;
    for (; at_ < quote; ++at_) {
      char c = text_[at_];
      raw |= c == 'r' || c == 'R';
      format |= c == 'f' || c == 'F';
    }
    std::string_view mark = text_.substr(quote, text_.substr(quote, 3) == std::string(3, text_[quote]) ? 3 : 1);
    at_ = quote + mark.size();
    while (text_.substr(at_, mark.size()) != mark) {
      bool ends = at_ >= text_.size() || (mark.size() == 1 && text_[at_] == '\n');
      if (ends) {
        diagnostics_.Error(Code::kUnclosed, Range(begin, quote + mark.size()), "a quote is never closed");
        return false;
      }
      if (format && (text_[at_] == '{' || text_[at_] == '}')) {
        Fail(begin, parse::EndOfString(text_, quote), "a format string, whose fields only a program knows")
            .Help(kPrintIt);
        return false;
      }
      if (text_[at_] == '\\' && !raw) {
        if (!ReadEscape(out)) return false;
      } else {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) out += text_[at_++];
        out += text_[at_++];
      }
    }
    at_ += mark.size();
    return true;
  }

  bool ReadEscape(std::string& out) {
    size_t begin = at_++;
    char c = at_ < text_.size() ? text_[at_] : '\0';
    constexpr std::string_view kCodes = "ntrbf\\'\"/0", kMeanings = "\n\t\r\b\f\\'\"/";
    if (c == 'x' || c == 'u' || c == 'U') return ReadCodePoint(c == 'x' ? 2 : c == 'u' ? 4 : 8, begin, out);
    if (c == '\n') {  // the line goes on
      ++at_;
    } else if (size_t known = kCodes.find(c); c != '\0' && known < kMeanings.size()) {
      out += kMeanings[known];
      ++at_;
    } else {
      out += '\\';  // as Python leaves what it does not know
    }
    return true;
  }

  bool ReadCodePoint(size_t digits, size_t begin, std::string& out) {
    ++at_;
    auto value = Hexadecimal(digits);
    if (value && *value >= 0xD800 && *value < 0xDC00 && text_.substr(at_, 2) == "\\u") {  // JSON's pairs
      at_ += 2;
      auto low = Hexadecimal(4);
      value = low && *low >= 0xDC00 && *low < 0xE000
                  ? std::optional(0x10000 + ((*value - 0xD800) << 10) + *low - 0xDC00)
                  : std::nullopt;
    }
    if (value && *value <= 0x10FFFF && (*value < 0xD800 || *value > 0xDFFF)) {
      parse::AppendUtf8(out, *value);
      return true;
    }
    Fail(begin, at_, "an escape that is no character");
    return false;
  }

  std::optional<uint32_t> Hexadecimal(size_t digits) {
    uint64_t value = 0;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      char c = at_ < text_.size() ? text_[at_] : '\0';
      bool lower = c >= 'a' && c <= 'f', upper = c >= 'A' && c <= 'F';
      if (!IsDigit(c) && !lower && !upper) return std::nullopt;
      value = value * 16 + static_cast<uint64_t>(IsDigit(c) ? c - '0' : c - (lower ? 'a' : 'A') + 10);
    }
    return static_cast<uint32_t>(std::min<uint64_t>(value, UINT32_MAX));
  }

  const SourceFile& source_;
  std::string_view text_;
  diag::Diagnostics& diagnostics_;
  size_t at_ = 0;
  size_t count_ = 0;
  bool comma_ = false;  // of the list that was read last
};

}  // namespace

std::optional<Value> ReadLiteral(const SourceFile& source, diag::Diagnostics& diagnostics) {
  return Reader(source, diagnostics).Read();
}

}  // namespace aoa::draft
