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
    {"explain", aoa::driver::RunExplain},
};

// Whether a first word is neither a file nor what one would be called.
bool IsNoFile(const std::string& word, const std::vector<std::string>& commands) {
  std::error_code error;
  if (std::filesystem::exists(word, error) || word.starts_with("-")) return false;
  return word.find_first_of("./") == std::string::npos || aoa::diag::Nearest(word, commands);
}

Exit NoSuchCommand(const Arguments& words, const std::vector<std::string>& commands) {
  aoa::driver::Session session;
  auto& d =
      session.Misuse(fmt::format("there is no command `{}`, nor a rule file of this name", aoa::Printable(words[0])));
  auto rules = std::find_if(words.begin(), words.end(), [](const std::string& word) { return word.ends_with(".aoa"); });
  if (auto near = aoa::diag::Nearest(words[0], commands)) d.Help(fmt::format("there is `{}`", *near));
  if (rules != words.end()) {
    d.Help(fmt::format("`aoac {0}` checks that file, `aoac {0} --run --from SIDE:PATH --to SIDE:PATH` converts",
                       aoa::Printable(*rules)));
  }
  d.Note(fmt::format("the commands are {}", aoa::diag::Enumerate(commands, commands.size())));
  return session.Finish();
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
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  if (IsNoFile(words[0], names)) return NoSuchCommand(words, names);
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
