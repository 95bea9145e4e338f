#include "compiler/parse/layout.h"

#include <algorithm>

namespace aoa::parse {
namespace {

using Kind = LayoutLine::Kind;

size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void Pad(std::string& text, size_t width) {
  size_t now = Width(text);
  if (now < width) text.append(width - now, ' ');
}

// Makes one text of the cells of lines [begin, end), which are of one kind, or comments.
void JoinCells(std::vector<LayoutLine>& lines, size_t begin, size_t end) {
  size_t columns = 0;
  for (size_t i = begin; i < end; ++i) columns = std::max(columns, lines[i].cells.size());
  for (size_t column = 1; column < columns; ++column) {
    size_t width = 0;
    for (size_t i = begin; i < end; ++i) {
      if (lines[i].cells.size() > column) width = std::max(width, Width(lines[i].cells[0]));
    }
    for (size_t i = begin; i < end; ++i) {
      LayoutLine& line = lines[i];
      if (line.cells.size() <= column || line.cells[column].empty()) continue;
      Pad(line.cells[0], width);
      line.cells[0] += (line.kind == Kind::kRole ? " " : "  ") + line.cells[column];
    }
  }
}

// Calls `run` for each longest run of lines that `belongs` joins, by its first and the line after its last.
template <class Belongs, class Run>
void ForRuns(const std::vector<LayoutLine>& lines, Belongs belongs, Run run) {
  for (size_t begin = 0; begin < lines.size();) {
    size_t end = begin + 1;
    while (end < lines.size() && belongs(lines[begin], lines[end])) ++end;
    run(begin, end);
    begin = end;
  }
}

}  // namespace

std::string Print(std::vector<LayoutLine> lines) {
  auto aligned = [](const LayoutLine& first, const LayoutLine& next) {
    if (first.kind != Kind::kDeclaration && first.kind != Kind::kRole) return false;
    return next.kind == Kind::kComment || (next.kind == first.kind && next.indent == first.indent);
  };
  ForRuns(lines, aligned, [&](size_t begin, size_t end) { JoinCells(lines, begin, end); });

  auto commented = [](const LayoutLine& first, const LayoutLine& next) {
    auto has = [](const LayoutLine& line) { return !line.comment.empty() && line.kind != Kind::kComment; };
    return has(first) && has(next) && first.indent == next.indent;
  };
  ForRuns(lines, commented, [&](size_t begin, size_t end) {
    size_t width = 0;
    for (size_t i = begin; i < end; ++i) width = std::max(width, Width(lines[i].cells[0]));
    for (size_t i = begin; i < end; ++i) {
      if (lines[i].comment.empty() || lines[i].kind == Kind::kComment) continue;
      Pad(lines[i].cells[0], width);
      lines[i].cells[0] += "  ";
    }
  });

  std::string out;
  for (const LayoutLine& line : lines) {
    if (line.kind != Kind::kBlank) out += std::string(line.indent, ' ') + line.cells[0] + line.comment;
    out += '\n';
  }
  return out;
}

}  // namespace aoa::parse
