// Where the phase puts its findings: at most one for each line of text, so that one mistake does not echo.
#pragma once

#include <string>
#include <unordered_set>

#include "compiler/diag/diagnostic.h"

namespace aoa::parse {

class Reporter {
 public:
  Reporter(const SourceFile& file, diag::Diagnostics& diagnostics) : file_(file), diagnostics_(diagnostics) {}

  // An error at bytes [begin, end). What is chained to the result goes nowhere if the line has an error already.
  diag::Diagnostic& Error(diag::Code code, SourceRange where, std::string message);

  const SourceFile& file() const { return file_; }
  SourceRange Range(size_t begin, size_t end) const;

  // Nothing that follows is of use: the text nests too deep, or there are more mistakes than anyone reads.
  void Close() { closed_ = true; }
  bool closed() const { return closed_; }

 private:
  const SourceFile& file_;
  diag::Diagnostics& diagnostics_;
  std::unordered_set<int> lines_;  // that have an error
  size_t last_begin_ = 1;          // the bytes of the last of them; none yet
  size_t last_end_ = 0;
  diag::Diagnostic unheard_;
  bool closed_ = false;
};

// `text`, between backticks and safe to print; long texts are cut.
std::string Quote(std::string_view text);

}  // namespace aoa::parse
