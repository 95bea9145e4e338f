#include "runtime/exec/sources.h"

#include <fmt/format.h>

#include "compiler/core/text.h"

namespace aoa::exec {
namespace {

// A file that changes between the reading of its headers and that of its data is not the file that was proven.
Result<io::File> OpenUnchanged(const Plan::InFile& file) {
  AOA_ASSIGN_OR_RETURN(io::File opened, io::File::OpenForReading(file.path));
  AOA_ASSIGN_OR_RETURN(uint64_t size, opened.Size());
  if (size != file.size)
    return Status::Invalid(
        fmt::format("{}: has {} bytes now, and {} when its header was read", Printable(file.path), size, file.size));
  return opened;
}

}  // namespace

Sources::Sources(const std::vector<Plan::InFile>& files, size_t most_open)
    : files_(files), pool_(files.size(), most_open, [this](uint32_t file) { return OpenUnchanged(files_[file]); }) {}

Status Sources::Read(uint32_t file, uint64_t offset, std::span<std::byte> out) {
  AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(file));
  bytes_read_ += out.size();
  return opened->ReadAt(offset, out);
}

Status Sources::ReadScattered(uint32_t file, uint64_t offset, std::span<const std::span<std::byte>> parts) {
  AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(file));
  for (const auto& part : parts) bytes_read_ += part.size();
  return opened->ReadScattered(offset, parts);
}

void Sources::Prefetch(uint32_t file, uint64_t offset, uint64_t length) {
  if (auto opened = pool_.Get(file); opened.ok()) (*opened)->Prefetch(offset, length);
}

}  // namespace aoa::exec
