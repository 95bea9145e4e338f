// Diagnostics as data. Nothing is formatted until a renderer asks; phases only collect.
//
// Wording: the headline is lower case without a period and true when read alone; it says what was observed. What was
// expected, and what was found, stand in lines of their own, with extents. A help line is an action. No message asks a
// question, lists tokens, or says "invalid".
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/source.h"

namespace aoa::diag {

enum class Code {
#define AOA_DIAGNOSTIC(number, name, meaning) name = number,
#include "compiler/diag/kind.def"
#undef AOA_DIAGNOSTIC
};

// "AOA0402"
std::string CodeText(Code code);

enum class Severity { kError, kWarning, kNote };

struct Mention {
  SourceRange range;
  std::string text;  // may be empty
};

struct Diagnostic {
  Code code;
  Severity severity = Severity::kError;
  std::string message;
  SourceRange where;                  // underlined with ^; null if the problem has no place in a text
  std::string label;                  // speaks to the words at `where`
  std::vector<Mention> others;        // underlined with -: the other places involved
  std::vector<std::string> expected;  // "expected: " lines
  std::vector<std::string> found;     // "found: " lines
  std::vector<std::string> notes;
  std::vector<std::string> helps;

  Diagnostic& Label(std::string text) {
    label = std::move(text);
    return *this;
  }
  Diagnostic& Also(SourceRange range, std::string text) {
    others.push_back({range, std::move(text)});
    return *this;
  }
  Diagnostic& Expected(std::string text) {
    expected.push_back(std::move(text));
    return *this;
  }
  Diagnostic& Found(std::string text) {
    found.push_back(std::move(text));
    return *this;
  }
  Diagnostic& Note(std::string text) {
    notes.push_back(std::move(text));
    return *this;
  }
  Diagnostic& Help(std::string text) {
    helps.push_back(std::move(text));
    return *this;
  }
};

// Collects what the phases find. A diagnostic equal to one that is there (code, place, message) is not added again.
class Diagnostics {
 public:
  Diagnostic& Error(Code code, SourceRange where, std::string message) {
    return Add(code, Severity::kError, where, std::move(message));
  }
  Diagnostic& Warning(Code code, SourceRange where, std::string message) {
    return Add(code, Severity::kWarning, where, std::move(message));
  }
  Diagnostic& Note(Code code, SourceRange where, std::string message) {
    return Add(code, Severity::kNote, where, std::move(message));
  }

  void Append(const Diagnostics& others);
  // Of `others` those that `keep` wants.
  void Append(const Diagnostics& others, const std::function<bool(const Diagnostic&)>& keep);

  bool HasErrors() const { return errors_ > 0; }
  int errors() const { return errors_; }
  const std::vector<Diagnostic>& all() const { return all_; }
  // The first error with one of these codes, to say more about it; null if there is none.
  Diagnostic* FirstError(const std::vector<Code>& codes);
  // The error with a code that a reader meets last; null if there is none.
  Diagnostic* LastError(Code code);
  // In the order in which a reader meets their places: by file (first use), then position; those without place last.
  std::vector<const Diagnostic*> Sorted() const;

 private:
  Diagnostic& Add(Code code, Severity severity, SourceRange where, std::string message);
  std::vector<Diagnostic> all_;
  Diagnostic duplicate_;
  int errors_ = 0;
};

}  // namespace aoa::diag
