#include "runtime/formats/torch_files.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {

Result<std::vector<TorchFile>> OpenTorchFiles(const std::vector<std::string>& paths, int threads) {
  std::vector<std::optional<Result<TorchFile>>> read(paths.size());
  ParallelFor(paths.size(), threads, [&](size_t i) { read[i] = TorchFile::Open(paths[i]); });
  std::vector<TorchFile> out;
  for (size_t i = 0; i < paths.size(); ++i) {
    if (!read[i]->ok()) return std::move(*read[i]).status();
    out.push_back(**std::move(read[i]));
  }
  return out;
}

void NoteSuspicions(const TorchFile& file, Schema& schema) {
  for (const std::string& suspicion : file.Suspicions())
    schema.notes.push_back(fmt::format("{}: {}", Printable(file.path()), suspicion));
}

}  // namespace aoa::formats
