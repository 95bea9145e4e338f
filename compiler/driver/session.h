// What one command has in common: its diagnostics, the texts that they point into, and its exit status.
#pragma once

#include <string>

#include "compiler/core/source.h"
#include "compiler/core/status.h"
#include "compiler/diag/diagnostic.h"

namespace aoa::driver {

enum class Exit { kDone = 0, kWrong = 1, kUsage = 2, kSystem = 3 };

struct Session {
  SourceFiles sources;
  diag::Diagnostics diagnostics;

  // A failure of the world as a diagnostic, at the words that asked for what failed, if any did.
  void Fail(const Status& status, SourceRange where = {});
  // Makes the file that `-o` asked for, or fails. None is replaced: people go on writing in what commands draft.
  void WriteNew(const std::string& path, const std::string& content);
  // A mistake on the command line.
  diag::Diagnostic& Misuse(std::string message) {
    return diagnostics.Error(diag::Code::kCommandLine, {}, std::move(message));
  }

  // By the first error.
  Exit exit() const;
  // Shows all diagnostics on stderr and returns the exit status.
  Exit Finish() const;
};

// Bytes for people: "1.50 GB".
std::string ShowBytes(double bytes);
// "0.41 s", "3 min 20 s"
std::string ShowSeconds(double seconds);

}  // namespace aoa::driver
