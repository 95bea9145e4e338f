#include "compiler/driver/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "compiler/diag/render.h"
#include "runtime/io/file.h"

namespace aoa::driver {
namespace {

using diag::Code;

Code CodeOf(StatusCode code) {
  switch (code) {
    case StatusCode::kValue:
      return Code::kValue;
    case StatusCode::kDisagreement:
      return Code::kReplicas;
    case StatusCode::kUsage:
      return Code::kTarget;
    case StatusCode::kSystem:
      return Code::kSystem;
    default:
      return Code::kFile;
  }
}

Exit ExitOf(Code code) {
  switch (code) {
    case Code::kCommandLine:
    case Code::kMemory:
    case Code::kTarget:
      return Exit::kUsage;
    case Code::kSystem:
      return Exit::kSystem;
    default:
      return Exit::kWrong;
  }
}

}  // namespace

void Session::Fail(const Status& status, SourceRange where) {
  diagnostics.Error(CodeOf(status.code()), where, status.message());
}

void Session::WriteNew(const std::string& path, const std::string& content) {
  Status status = io::WriteNewFile(path, content);
  if (status.ok()) return;
  auto& d = diagnostics.Error(CodeOf(status.code()), {}, status.message());
  if (status.code() == StatusCode::kUsage) d.Help("delete it, or give another name");
}

Exit Session::exit() const {
  auto is_error = [](const diag::Diagnostic& d) { return d.severity == diag::Severity::kError; };
  auto it = std::find_if(diagnostics.all().begin(), diagnostics.all().end(), is_error);
  return it == diagnostics.all().end() ? Exit::kDone : ExitOf(it->code);
}

Exit Session::Finish() const {
  diag::RenderOptions options;
  options.color = ::isatty(STDERR_FILENO) && !std::getenv("NO_COLOR");
  std::string text = diag::Render(diagnostics, options);
  std::fwrite(text.data(), 1, text.size(), stderr);
  return exit();
}

std::string ShowBytes(double bytes) {
  const char* unit = "B";
  for (const char* larger : {"kB", "MB", "GB", "TB", "PB"}) {
    if (bytes < 1000) break;
    bytes /= 1000;
    unit = larger;
  }
  return fmt::format("{:.{}f} {}", bytes, *unit == 'B' || bytes >= 100 ? 0 : bytes >= 10 ? 1 : 2, unit);
}

std::string ShowSeconds(double seconds) {
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace aoa::driver
