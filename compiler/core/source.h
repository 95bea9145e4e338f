// Rule files as text, and places in them.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace aoa {

// One rule file. `path` is spelled as on the command line (or as an import resolves it): messages show it like that.
class SourceFile {
 public:
  SourceFile(std::string path, std::string text);

  const std::string& path() const { return path_; }
  const std::string& text() const { return text_; }

  struct Position {
    int line = 1;    // from 1
    int column = 1;  // from 1, in code points
  };
  // Of the byte at `offset`; an offset past the end is that of the end.
  Position PositionOf(uint32_t offset) const;
  // The text of line `line` (from 1) without its line end; empty if there is no such line.
  std::string_view Line(int line) const;
  // The byte at which `line` starts.
  uint32_t LineStart(int line) const;

 private:
  std::string path_;
  std::string text_;
  std::vector<uint32_t> line_starts_;
};

// Bytes [begin, end) of a file; `file` is null for what has no place in a text (the command line).
struct SourceRange {
  const SourceFile* file = nullptr;
  uint32_t begin = 0;
  uint32_t end = 0;

  explicit operator bool() const { return file != nullptr; }
  std::string_view text() const { return file ? std::string_view(file->text()).substr(begin, end - begin) : ""; }
  bool operator==(const SourceRange&) const = default;
};

// From the start of `a` to the end of `b`, which is of the same file.
SourceRange Join(SourceRange a, SourceRange b);

// Owns the files of a compilation; addresses are stable.
class SourceFiles {
 public:
  const SourceFile& Add(std::string path, std::string text) {
    return files_.emplace_back(std::move(path), std::move(text));
  }
  const std::deque<SourceFile>& all() const { return files_; }

 private:
  std::deque<SourceFile> files_;
};

}  // namespace aoa
