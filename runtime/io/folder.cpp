#include "runtime/io/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "compiler/core/text.h"
#include "runtime/io/descriptor.h"
#include "runtime/io/file.h"

namespace aoa::io {
namespace {

namespace fs = std::filesystem;

Result<std::vector<fs::directory_entry>> Entries(const fs::path& path) {
  std::vector<fs::directory_entry> out;
  std::error_code error;
  fs::directory_iterator it(path, error);
  while (!error && it != fs::directory_iterator()) {
    out.push_back(*it);
    it.increment(error);
  }
  if (error) return SystemFailure(fmt::format("reading the folder {}", Printable(path.native())), error.value());
  return out;
}

Status SyncFailure(const fs::path& path, int error) {
  return SystemFailure(fmt::format("putting {} on the device", Printable(path.native())), error);
}

Result<Descriptor> OpenToSync(const fs::path& path) {
  Descriptor fd(Retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW); }));
  if (!fd.open()) return SyncFailure(path, errno);
  return fd;
}

Status SyncContents(const fs::path& path) {
  AOA_ASSIGN_OR_RETURN(Descriptor fd, OpenToSync(path));
  return Retry([&] { return fsync(fd.get()); }) == 0 ? Status() : SyncFailure(path, errno);
}

}  // namespace

Result<std::vector<std::string>> ListFolder(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(auto entries, Entries(path));
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const auto& entry : entries) names.push_back(entry.path().filename().native());
  std::sort(names.begin(), names.end());
  return names;
}

Status SyncFolder(const fs::path& path, SyncWhat what) {
  AOA_ASSIGN_OR_RETURN(auto entries, Entries(path));
  for (const auto& entry : entries) {
    std::error_code error;
    fs::file_type type = entry.symlink_status(error).type();
    if (error) return SystemFailure(fmt::format("looking at {}", Printable(entry.path().native())), error.value());
    if (type == fs::file_type::directory) AOA_RETURN_IF_ERROR(SyncFolder(entry.path(), what));
    if (type == fs::file_type::regular && what == SyncWhat::kNamesAndContents) {
      AOA_RETURN_IF_ERROR(SyncContents(entry.path()));
    }
  }
  AOA_ASSIGN_OR_RETURN(Descriptor fd, OpenToSync(path));
  return SyncOpenFolder(fd.get(), path);
}

Status SyncOpenFolder(int fd, const fs::path& path) {
  if (Retry([&] { return fsync(fd); }) == 0) return {};
  // Some network file systems keep names without being asked, and refuse to be asked.
  return errno == EINVAL ? Status() : SyncFailure(path, errno);
}

Status RemoveAll(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return {};
  return SystemFailure(fmt::format("removing {}", Printable(path.native())), error.value());
}

}  // namespace aoa::io
