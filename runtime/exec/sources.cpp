#include "runtime/exec/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "compiler/core/check.h"
#include "compiler/core/text.h"

namespace aoa::exec {
namespace {

// A file that changes between the reading of its headers and that of its data is not the file that was proven.
Result<io::File> OpenUnchanged(const std::string& path, uint64_t size) {
  AOA_ASSIGN_OR_RETURN(io::File opened, io::File::OpenForReading(path));
  AOA_ASSIGN_OR_RETURN(uint64_t now, opened.Size());
  if (now != size)
    return Status::Invalid(
        fmt::format("{}: has {} bytes now, and {} when its header was read", Printable(path), now, size));
  return opened;
}

}  // namespace

Sources::Sources(const Plan& plan, size_t most_open)
    : files_(plan.in_files),
      stores_(plan.stores),
      pool_(files_.size() + stores_.size(), most_open, [this](uint32_t number) { return Open(number); }) {}

Result<io::File> Sources::Open(uint32_t number) const {
  if (number < files_.size()) return OpenUnchanged(files_[number].path, files_[number].size);
  const Store& store = stores_[number - files_.size()];
  return OpenUnchanged(store.path, store.size);
}

// Calls visit(store, offset in it, length) for the stretches that [offset, offset + length) of a file consists of.
template <class Visit>
Status Sources::EachStretch(uint32_t file, uint64_t offset, uint64_t length, Visit visit) const {
  const std::vector<Stretch>& stretches = *files_[file].stretches;
  auto after = std::upper_bound(stretches.begin(), stretches.end(), offset,
                                [](uint64_t at, const Stretch& stretch) { return at < stretch.begin; });
  for (auto it = after == stretches.begin() ? after : after - 1; length > 0; ++it) {
    AOA_CHECK(it != stretches.end(), "a read beyond the stretches of " + files_[file].path);
    const uint64_t skip = offset - it->begin, here = std::min(length, it->bytes - std::min(skip, it->bytes));
    if (here > 0) AOA_RETURN_IF_ERROR(visit(it->store, it->offset + skip, here));
    offset += here;
    length -= here;
  }
  return Status();
}

Status Sources::ReadStretches(uint32_t file, uint64_t offset, std::span<std::byte> out) {
  return EachStretch(file, offset, out.size(), [&](uint32_t store, uint64_t at, uint64_t length) -> Status {
    std::span<std::byte> part = out.first(static_cast<size_t>(length));
    out = out.subspan(part.size());
    if (const auto& content = stores_[store].content) {
      std::memcpy(part.data(), content->data() + at, part.size());
      return Status();
    }
    AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(InPool(store)));
    return opened->ReadAt(at, part);
  });
}

Status Sources::Read(uint32_t file, uint64_t offset, std::span<std::byte> out) {
  bytes_read_ += out.size();
  if (files_[file].stretches) return ReadStretches(file, offset, out);
  AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(file));
  return opened->ReadAt(offset, out);
}

Status Sources::ReadScattered(uint32_t file, uint64_t offset, std::span<const std::span<std::byte>> parts) {
  for (const auto& part : parts) bytes_read_ += part.size();
  if (files_[file].stretches) {
    for (const auto& part : parts) {
      AOA_RETURN_IF_ERROR(ReadStretches(file, offset, part));
      offset += part.size();
    }
    return Status();
  }
  AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(file));
  return opened->ReadScattered(offset, parts);
}

void Sources::Prefetch(uint32_t file, uint64_t offset, uint64_t length) {
  if (!files_[file].stretches) {
    if (auto opened = pool_.Get(file); opened.ok()) (*opened)->Prefetch(offset, length);
    return;
  }
  (void)EachStretch(file, offset, length, [&](uint32_t store, uint64_t at, uint64_t bytes) {
    if (stores_[store].content) return Status();
    if (auto opened = pool_.Get(InPool(store)); opened.ok()) (*opened)->Prefetch(at, bytes);
    return Status();
  });
}

}  // namespace aoa::exec
