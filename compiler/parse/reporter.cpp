#include "compiler/parse/reporter.h"

#include "compiler/diag/suggest.h"

namespace aoa::parse {
namespace {

constexpr size_t kMostErrors = 1000;
constexpr size_t kLongestQuote = 60;

}  // namespace

SourceRange Reporter::Range(size_t begin, size_t end) const {
  return {&file_, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
}

diag::Diagnostic& Reporter::Error(diag::Code code, SourceRange where, std::string message) {
  unheard_ = diag::Diagnostic{};
  // Most that is not reported is on the line of the last error. The table of lines counts columns, so it is not asked
  // again for that one.
  if (closed_ || (where.begin >= last_begin_ && where.begin <= last_end_)) return unheard_;
  int line = file_.PositionOf(where.begin).line;
  last_begin_ = file_.LineStart(line);
  last_end_ = last_begin_ + file_.Line(line).size();
  if (!lines_.insert(line).second) return unheard_;
  if (lines_.size() >= kMostErrors) Close();
  return diagnostics_.Error(code, where, std::move(message));
}

std::string Quote(std::string_view text) {
  std::string shown = diag::Printable(text);
  if (shown.size() > kLongestQuote) {
    size_t end = kLongestQuote;
    while ((shown[end] & 0xC0) == 0x80) --end;  // not in the middle of a character
    shown = shown.substr(0, end) + "...";
  }
  return "`" + shown + "`";
}

}  // namespace aoa::parse
