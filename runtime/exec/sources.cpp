#include "runtime/exec/sources.h"

#include <string>

namespace aoa::exec {

Sources::Sources(const std::vector<Plan::InFile>& files, size_t most_open) : files_(files), most_open_(most_open), open_(files.size()), used_(files.size(), 0) {}

Result<std::shared_ptr<const io::File>> Sources::Get(uint32_t file) {
  std::lock_guard lock(mutex_);
  used_[file] = ++clock_;
  if (open_[file]) return open_[file];
  if (count_ >= most_open_) {
    size_t oldest = file;
    for (size_t i = 0; i < open_.size(); ++i) {
      if (open_[i] && (oldest == file || used_[i] < used_[oldest])) oldest = i;
    }
    open_[oldest].reset();  // who still reads keeps it open
    --count_;
  }
  AOA_ASSIGN_OR_RETURN(io::File opened, io::File::OpenForReading(files_[file].path));
  AOA_ASSIGN_OR_RETURN(uint64_t size, opened.Size());
  if (size != files_[file].size) {
    return Status::Invalid(files_[file].path + ": has " + std::to_string(size) + " bytes, its headers were read from a file of " + std::to_string(files_[file].size));
  }
  open_[file] = std::make_shared<const io::File>(std::move(opened));
  ++count_;
  return open_[file];
}

Status Sources::Read(uint32_t file, uint64_t offset, std::span<std::byte> out) {
  AOA_ASSIGN_OR_RETURN(auto opened, Get(file));
  return opened->ReadAt(offset, out);
}

Status Sources::ReadScattered(uint32_t file, uint64_t offset, std::span<const std::span<std::byte>> parts) {
  AOA_ASSIGN_OR_RETURN(auto opened, Get(file));
  return opened->ReadScattered(offset, parts);
}

void Sources::Prefetch(uint32_t file, uint64_t offset, uint64_t length) {
  auto opened = Get(file);
  if (opened.ok()) (*opened)->Prefetch(offset, length);
}

}  // namespace aoa::exec
