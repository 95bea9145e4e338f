#include "compiler/core/source.h"

#include <algorithm>

namespace aoa {

SourceFile::SourceFile(std::string path, std::string text) : path_(std::move(path)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (uint32_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n' || (text_[i] == '\r' && (i + 1 == text_.size() || text_[i + 1] != '\n')))
      line_starts_.push_back(i + 1);
  }
}

SourceFile::Position SourceFile::PositionOf(uint32_t offset) const {
  offset = std::min<uint32_t>(offset, static_cast<uint32_t>(text_.size()));
  auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  int line = static_cast<int>(next - line_starts_.begin());
  int column = 1;
  for (uint32_t i = *(next - 1); i < offset; ++i)
    column += (text_[i] & 0xC0) != 0x80;  // continuation bytes do not count
  return {line, column};
}

std::string_view SourceFile::Line(int line) const {
  if (line < 1 || line > static_cast<int>(line_starts_.size())) return "";
  uint32_t begin = line_starts_[line - 1];
  uint32_t end =
      line < static_cast<int>(line_starts_.size()) ? line_starts_[line] : static_cast<uint32_t>(text_.size());
  while (end > begin && (text_[end - 1] == '\n' || text_[end - 1] == '\r')) --end;
  return std::string_view(text_).substr(begin, end - begin);
}

uint32_t SourceFile::LineStart(int line) const {
  return line_starts_[std::clamp<int>(line, 1, static_cast<int>(line_starts_.size())) - 1];
}

SourceRange Join(SourceRange a, SourceRange b) {
  if (!a) return b;
  if (!b || a.file != b.file) return a;
  return {a.file, std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

}  // namespace aoa
