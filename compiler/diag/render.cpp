#include "compiler/diag/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diag/suggest.h"

namespace aoa::diag {
namespace {

constexpr int kWindow = 140;  // columns of source that are shown

struct Style {
  const char* red = "";
  const char* yellow = "";
  const char* blue = "";
  const char* green = "";
  const char* bold = "";
  const char* reset = "";
};

Style StyleOf(bool color) {
  if (!color) return {};
  return {"\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1;32m", "\x1b[1m", "\x1b[0m"};
}

// A range as it falls on its first line, in code points from 0.
struct Underline {
  int line = 1;
  int first = 0;
  int length = 1;
};

Underline UnderlineOf(const SourceRange& range) {
  auto begin = range.file->PositionOf(range.begin);
  auto end = range.file->PositionOf(std::max(range.begin, range.end));
  Underline out{begin.line, begin.column - 1, 1};
  int line_end =
      range.file
          ->PositionOf(range.file->LineStart(begin.line) + static_cast<uint32_t>(range.file->Line(begin.line).size()))
          .column -
      1;
  int last = end.line == begin.line ? end.column - 1 : line_end;
  out.length = std::max(1, last - out.first);
  return out;
}

// The code points of a line, each made printable in one column: tabs and control characters are blanks.
std::vector<std::string> Columns(std::string_view line) {
  std::vector<std::string> out;
  for (size_t i = 0; i < line.size();) {
    size_t n = 1;
    while (i + n < line.size() && (line[i + n] & 0xC0) == 0x80) ++n;
    std::string_view point = line.substr(i, n);
    out.push_back(Printable(point) == point ? std::string(point) : " ");
    i += n;
  }
  return out;
}

// One source line with an underline of `mark` and its text, behind a gutter of `width` columns.
std::string Snippet(const SourceRange& range, char mark, const char* colour, const std::string& text, size_t width,
                    const Style& style) {
  Underline under = UnderlineOf(range);
  std::vector<std::string> columns = Columns(range.file->Line(under.line));
  int count = static_cast<int>(columns.size());
  int from = under.first < kWindow - 20 ? 0 : under.first - 40;  // a window around the words of a long line
  int to = std::min(count, from + kWindow);
  std::string shown = from > 0 ? "..." : "";
  int shift = from > 0 ? 3 - from : 0;
  for (int i = from; i < to; ++i) shown += columns[static_cast<size_t>(i)];
  if (to < count) shown += "...";
  int length = std::max(1, std::min(under.length, from + kWindow - under.first));
  std::string line = fmt::format("{}{:>{}} |{} {}\n", style.blue, under.line, width, style.reset, shown);
  line += fmt::format("{}{:>{}} |{} {}{}{}{}{}{}\n", style.blue, "", width, style.reset,
                      std::string(static_cast<size_t>(std::max(0, under.first + shift)), ' '), colour,
                      std::string(static_cast<size_t>(length), mark), text.empty() ? "" : " ", text, style.reset);
  return line;
}

std::string Place(const SourceRange& range) {
  auto position = range.file->PositionOf(range.begin);
  return fmt::format("{}:{}:{}", Printable(range.file->path()), position.line, position.column);
}

}  // namespace

std::string Render(const Diagnostic& d, const RenderOptions& options) {
  Style style = StyleOf(options.color);
  const char* colour = d.severity == Severity::kError     ? style.red
                       : d.severity == Severity::kWarning ? style.yellow
                                                          : style.blue;
  const char* word = d.severity == Severity::kError ? "error" : d.severity == Severity::kWarning ? "warning" : "note";
  std::string out = fmt::format("{}{}[{}]{}{}: {}{}\n", colour, word, CodeText(d.code), style.reset, style.bold,
                                d.message, style.reset);

  size_t width = 3;
  auto widen = [&](const SourceRange& range) {
    if (range) width = std::max(width, std::to_string(range.file->PositionOf(range.begin).line).size());
  };
  widen(d.where);
  for (const Mention& other : d.others) widen(other.range);
  std::string gutter = fmt::format("{}{:>{}} |{}\n", style.blue, "", width, style.reset);

  const SourceFile* file = nullptr;
  if (d.where) {
    file = d.where.file;
    out += fmt::format("{}{:>{}}-->{} {}\n{}", style.blue, "", width - 1, style.reset, Place(d.where), gutter);
    out += Snippet(d.where, '^', colour, d.label, width, style);
  }
  for (const Mention& other : d.others) {
    if (!other.range) {
      out += fmt::format("{}{:>{}} ={} note: {}\n", style.blue, "", width, style.reset, other.text);
      continue;
    }
    if (other.range.file != file)
      out += fmt::format("{}{:>{}}-->{} {}\n{}", style.blue, "", width - 1, style.reset, Place(other.range), gutter);
    else
      out += fmt::format("{}{:>{}} :::{} {}\n", style.blue, "", width - 2, style.reset, Place(other.range));
    file = other.range.file;
    out += Snippet(other.range, '-', style.blue, other.text, width, style);
  }
  auto line = [&](const char* kind, const std::string& text) {
    std::string indented;  // further lines of a text stand below its first
    for (char c : text)
      indented +=
          c == '\n' ? fmt::format("\n{:>{}}", "", width + 5 + std::string_view(kind).size()) : std::string(1, c);
    out += fmt::format("{}{:>{}} ={} {}{}:{} {}\n", style.blue, "", width, style.reset, style.bold, kind, style.reset,
                       indented);
  };
  for (const std::string& text : d.expected) line("expected", text);
  for (const std::string& text : d.found) line("found", text);
  for (const std::string& text : d.notes) line("note", text);
  for (const std::string& text : d.helps) line("help", text);
  return out;
}

std::string Render(const Diagnostics& diagnostics, const RenderOptions& options) {
  std::string out;
  int shown = 0, errors = 0, warnings = 0;
  for (const Diagnostic* d : diagnostics.Sorted()) {
    errors += d->severity == Severity::kError;
    warnings += d->severity == Severity::kWarning;
    if (d->severity == Severity::kError && shown++ >= options.limit) continue;
    out += Render(*d, options) + "\n";
  }
  if (errors > 0) {
    out += fmt::format("{} error{}", errors, errors == 1 ? "" : "s");
    if (warnings > 0) out += fmt::format(", {} warning{}", warnings, warnings == 1 ? "" : "s");
    if (errors > options.limit) out += fmt::format(" ({} shown)", options.limit);
    out += "\n";
  }
  return out;
}

}  // namespace aoa::diag
