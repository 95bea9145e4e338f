// aoac formats
#include <fmt/format.h>

#include "compiler/diag/suggest.h"
#include "compiler/driver/commands.h"
#include "runtime/formats/format.h"

namespace aoa::driver {

Exit RunFormats(const Arguments& arguments) {
  Session session;
  if (!arguments.empty())
    session.Misuse(fmt::format("formats: `{}` means nothing", diag::Printable(arguments[0]))).Expected("aoac formats");
  if (session.diagnostics.HasErrors()) return session.Finish();
  for (const formats::Format* format : formats::AllFormats()) {
    fmt::print("{:<12} {}\n", format->name(),
               format->variants().empty() ? "" : fmt::format("{}", fmt::join(format->variants(), ", ")));
  }
  return Exit::kDone;
}

}  // namespace aoa::driver
