// aoac fmt FILE... [--check]
#include <fmt/format.h>

#include "compiler/diag/suggest.h"
#include "compiler/driver/commands.h"
#include "compiler/parse/parse.h"
#include "runtime/io/file.h"

namespace aoa::driver {

Exit RunFmt(const Arguments& arguments) {
  Session session;
  bool check = false, changed = false;
  std::vector<std::string> files;
  for (const std::string& word : arguments) {
    if (word == "--check")
      check = true;
    else if (word.starts_with("-"))
      session.Misuse(fmt::format("{}: there is no such option", diag::Printable(word)))
          .Expected("aoac fmt FILE... [--check]");
    else
      files.push_back(word);
  }
  if (files.empty() && !session.diagnostics.HasErrors())
    session.Misuse("fmt: a file is missing").Expected("aoac fmt FILE... [--check]");
  if (session.diagnostics.HasErrors()) return session.Finish();
  for (const std::string& path : files) {
    auto text = io::ReadSmallFile(path, 64 << 20);
    if (!text.ok()) {
      session.Fail(text.status());
      continue;
    }
    const SourceFile& source = session.sources.Add(path, *std::move(text));
    diag::Diagnostics found;
    parse::Parse(source, found);
    if (found.HasErrors()) {
      session.diagnostics.Append(found);
      continue;
    }
    std::string formatted = parse::Format(source);
    if (formatted == source.text()) continue;
    changed = true;
    if (check) {
      fmt::print("{}\n", diag::Printable(path));
    } else if (Status status = io::ReplaceFile(path, formatted); !status.ok()) {
      session.Fail(status);
    }
  }
  Exit exit = session.Finish();
  return exit == Exit::kDone && check && changed ? Exit::kWrong : exit;
}

}  // namespace aoa::driver
