#include "compiler/parse/marked_text.h"

#include <cstddef>
#include <vector>

#include "compiler/parse/characters.h"

namespace aoa::parse {
namespace {

class Marker {
 public:
  explicit Marker(std::string_view text) : text_(text), out_(text) {}

  std::string Run() {
    while (at_ < text_.size()) Step();
    return std::move(out_);
  }

 private:
  struct Open {
    size_t brace;        // where the `{` is
    size_t first_comma;  // how many commas were pending when it opened
  };

  void Step() {
    char c = text_[at_];
    switch (c) {
      case '"':
        return Skip(EndOfString(text_, at_));
      case '\'':
        return Skip(EndOfQuotedValue(text_, at_));
      case '#':
        return Skip(EndOfLine(text_, at_));
      case '$':
        return Variable();
      case '{':
        opens_.push_back({at_, commas_.size()});
        break;
      case ',':
        if (!opens_.empty()) commas_.push_back(at_);
        break;
      case '}':
        Close();
        break;
      case '-':
        if (at_ + 1 < text_.size() && text_[at_ + 1] == '>') {
          out_[at_] = kArrowMinus;
          NoGroup();
        }
        break;
      default:
        if (c >= kGroupOpen && c <= kArrowMinus) out_[at_] = kControl;
        if (!IsNameCharacter(c)) NoGroup();
    }
    ++at_;
  }

  void Variable() {
    size_t end = EndOfVariable(text_, at_, &unclosed_until_);
    // The lexer would look for the end of each one of `${${${...` itself.
    if (text_.substr(at_, 2) == "${" && end == at_ + 1) out_[at_] = kControl;
    at_ = end;
  }

  // Quotes and comments hold nothing to mark, and stand in no group.
  void Skip(size_t end) {
    for (; at_ < end; ++at_) {
      if (text_[at_] >= kGroupOpen && text_[at_] <= kArrowMinus) out_[at_] = kControl;
    }
    NoGroup();
  }

  void Close() {
    if (opens_.empty()) return;
    Open open = opens_.back();
    if (open.first_comma == commas_.size()) return NoGroup();
    out_[open.brace] = kGroupOpen;
    for (size_t i = open.first_comma; i < commas_.size(); ++i) out_[commas_[i]] = kGroupComma;
    out_[at_] = kGroupClose;
    commas_.resize(open.first_comma);
    opens_.pop_back();
  }

  void NoGroup() {
    opens_.clear();
    commas_.clear();
  }

  std::string_view text_;
  std::string out_;
  size_t at_ = 0;
  size_t unclosed_until_ = 0;  // up to here no `${` is closed
  std::vector<Open> opens_;
  std::vector<size_t> commas_;
};

}  // namespace

std::string Mark(std::string_view text) { return Marker(text).Run(); }

}  // namespace aoa::parse
