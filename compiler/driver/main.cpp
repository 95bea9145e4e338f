// The program: dispatch, and the only place that catches exceptions.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>
#include <optional>
#include <system_error>

#include "compiler/codegen/codegen.h"
#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/help.h"
#include "runtime/io/file.h"

namespace {

using aoa::driver::Arguments;
using aoa::driver::Exit;

struct Command {
  const char* name;
  Exit (*run)(const Arguments&);
};
constexpr Command kCommands[] = {
    {"inspect", aoa::driver::RunInspect}, {"diff", aoa::driver::RunDiff},
    {"digest", aoa::driver::RunDigest},   {"fmt", aoa::driver::RunFmt},
    {"formats", aoa::driver::RunFormats}, {"import-aoa", aoa::driver::RunImport},
    {"init", aoa::driver::RunInit},       {"identify", aoa::driver::RunIdentify},
    {"lsp", aoa::driver::RunLsp},         {"layouts", aoa::driver::RunLayouts},
};

// A command with a name like `word`, if `word` is no file.
std::optional<std::string> NearCommand(const std::string& word) {
  std::error_code error;
  if (std::filesystem::exists(word, error)) return std::nullopt;
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  return aoa::diag::Nearest(word, names);
}

Exit Dispatch(const Arguments& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    fmt::print("{}", words.empty() ? aoa::driver::kGreeting : aoa::driver::kHelp);
    return Exit::kDone;
  }
  if (words[0] == "--version") {
    fmt::print("aoac {}\nLLVM {}\nCUDA: not in this build\n", AOA_VERSION, aoa::codegen::LlvmVersion());
    return Exit::kDone;
  }
  if (std::find(words.begin(), words.end(), "--help") != words.end()) {
    fmt::print("{}", aoa::driver::kHelp);
    return Exit::kDone;
  }
  for (const Command& command : kCommands) {
    if (words[0] == command.name) return command.run(Arguments(words.begin() + 1, words.end()));
  }
  if (auto near = NearCommand(words[0])) {
    aoa::driver::Session session;
    session.Misuse(fmt::format("there is no command `{}`, nor a rule file of this name", aoa::Printable(words[0])))
        .Help(fmt::format("there is `{}`", *near));
    return session.Finish();
  }
  return aoa::driver::RunRules(words);
}

// What the process needs from the system: failures of calls in place of signals, and as many files as it may open.
void Prepare() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  mallopt(M_ARENA_MAX, 2);  // an arena per thread would keep memory beyond the bound
}

void ReportBug(const char* what, const Arguments& words) {
  std::string command = "aoac";
  for (const std::string& word : words) command += " '" + word + "'";
  fmt::print(stderr,
             "error[AOA0999]: a bug in aoac: {}\n   = note: nothing was written under the target's name\n   = help: "
             "please report it with this command and its inputs: {}\n",
             what, aoa::Printable(command));
}

// The output cannot be written. Whoever closed a pipe early has seen what they wanted.
void ReportOutput(int error) {
  if (error != EPIPE) fmt::print(stderr, "error[AOA0904]: writing the output: {}\n", aoa::io::ErrorText(error));
}

}  // namespace

int main(int argc, char** argv) {
  Prepare();
  Arguments words(argv + 1, argv + argc);
  try {
    Exit exit = Dispatch(words);
    if (std::fflush(stdout) == 0) return static_cast<int>(exit);
    ReportOutput(errno);
  } catch (const std::filesystem::filesystem_error& failure) {
    fmt::print(stderr, "error[AOA0904]: {}: {}\n", aoa::Printable(failure.path1().native()),
               aoa::io::ErrorText(failure.code().value()));
  } catch (const std::system_error& failure) {  // fmt::print throws it
    ReportOutput(failure.code().value());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "error[AOA0904]: out of memory\n");
  } catch (const std::exception& bug) {
    ReportBug(bug.what(), words);
  }
  return static_cast<int>(Exit::kSystem);
}
