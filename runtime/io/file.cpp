#include "runtime/io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "compiler/core/text.h"

namespace aoa::io {
namespace {

Status Failure(const char* verb, const std::string& path, uint64_t offset, int error) {
  return SystemFailure(fmt::format("{} {} at byte {}", verb, Printable(path), offset), error);
}

// The offsets of the system are signed; a sum of ours that is beyond them would come back as "invalid argument".
bool FitsOffset(uint64_t offset, uint64_t length) {
  constexpr auto kLast = static_cast<uint64_t>(INT64_MAX);
  return offset <= kLast && length <= kLast - offset;
}

Status BeyondOffsets(const char* verb, const std::string& path, uint64_t offset, uint64_t length) {
  return Status::Invalid(fmt::format("{} {} at byte {}: {} bytes from there are beyond what a file can hold", verb,
                                     Printable(path), offset, length));
}

uint64_t TotalSize(std::span<const std::span<std::byte>> parts) {
  uint64_t total = 0;
  for (const auto& part : parts) total += part.size();
  return total;
}

// Walks over the bytes of several parts in batches that one call can take.
class ScatterCursor {
 public:
  explicit ScatterCursor(std::span<const std::span<std::byte>> parts) : parts_(parts) { SkipFull(); }

  bool done() const { return next_ == parts_.size(); }

  std::span<const iovec> Batch() {
    size_t count = 0;
    size_t skip = filled_;
    for (size_t i = next_; i < parts_.size() && count < batch_.size(); ++i) {
      batch_[count++] = {parts_[i].data() + skip, parts_[i].size() - skip};
      skip = 0;
    }
    return std::span(batch_).first(count);
  }

  void Advance(size_t bytes) {
    filled_ += bytes;
    SkipFull();
  }

 private:
  void SkipFull() {
    while (next_ < parts_.size() && filled_ >= parts_[next_].size()) filled_ -= parts_[next_++].size();
  }

  std::span<const std::span<std::byte>> parts_;
  size_t next_ = 0;    // the first part that is not full
  size_t filled_ = 0;  // bytes of it that are there
  std::array<iovec, IOV_MAX> batch_;
};

}  // namespace

std::string ErrorText(int error) {
  std::string text = std::generic_category().message(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

Status SystemFailure(const std::string& what, int error) { return Status::System(what + ": " + ErrorText(error)); }

Result<File> File::OpenForReading(const std::string& path) {
  // Without O_NONBLOCK a named pipe would wait for its writer; regular files do not know the flag.
  int fd = Retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); });
  if (fd == -1) {
    bool absent = errno == ENOENT || errno == ENOTDIR;
    std::string message = fmt::format("opening {}: {}", Printable(path), ErrorText(errno));
    return absent ? Status::Invalid(message) : Status::System(message);
  }
  File file(Descriptor(fd), path);
  struct stat info;
  if (fstat(fd, &info) != 0) return SystemFailure(fmt::format("opening {}", Printable(path)), errno);
  if (!S_ISREG(info.st_mode)) return Status::Invalid(fmt::format("opening {}: it is no regular file", Printable(path)));
  return file;
}

Result<uint64_t> File::Size() const {
  struct stat info;
  if (fstat(fd_.get(), &info) != 0)
    return SystemFailure(fmt::format("asking for the size of {}", Printable(path_)), errno);
  return static_cast<uint64_t>(info.st_size);
}

Status File::ReadAt(uint64_t offset, std::span<std::byte> out) const {
  return ReadScattered(offset, std::span<const std::span<std::byte>>(&out, 1));
}

Status File::ReadScattered(uint64_t offset, std::span<const std::span<std::byte>> parts) const {
  const uint64_t wanted = TotalSize(parts);
  if (!FitsOffset(offset, wanted)) return BeyondOffsets("reading", path_, offset, wanted);
  uint64_t got = 0;
  for (ScatterCursor cursor(parts); !cursor.done();) {
    auto batch = cursor.Batch();
    ssize_t moved = Retry([&] {
      return preadv(fd_.get(), batch.data(), static_cast<int>(batch.size()), static_cast<off_t>(offset + got));
    });
    if (moved == -1) return Failure("reading", path_, offset + got, errno);
    if (moved == 0) {
      AOA_ASSIGN_OR_RETURN(uint64_t size, Size());
      return Status::Invalid(fmt::format("reading {} at byte {}: the file ends at byte {}, {} bytes were expected",
                                         Printable(path_), offset, size, wanted));
    }
    got += static_cast<uint64_t>(moved);
    cursor.Advance(static_cast<size_t>(moved));
  }
  return {};
}

Status File::WriteAt(uint64_t offset, std::span<const std::byte> bytes) const {
  if (!FitsOffset(offset, bytes.size())) return BeyondOffsets("writing", path_, offset, bytes.size());
  while (!bytes.empty()) {
    ssize_t moved = Retry([&] { return pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (moved == 0) errno = EIO;  // no reason given, and no progress: to try again could last for ever
    if (moved <= 0) return Failure("writing", path_, offset, errno);
    offset += static_cast<uint64_t>(moved);
    bytes = bytes.subspan(static_cast<size_t>(moved));
  }
  return {};
}

Status File::Truncate(uint64_t size) const {
  if (!FitsOffset(size, 0)) return BeyondOffsets("sizing", path_, 0, size);
  if (Retry([&] { return ftruncate(fd_.get(), static_cast<off_t>(size)); }) == 0) return {};
  return SystemFailure(fmt::format("making {} {} bytes long", Printable(path_), size), errno);
}

Status File::Preallocate(uint64_t size) const {
  AOA_RETURN_IF_ERROR(Truncate(size));
  if (size == 0 || Retry([&] { return fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)); }) == 0) return {};
  // Where blocks cannot be taken ahead, posix_fallocate would write every one of them: the size alone must do.
  if (errno == EOPNOTSUPP || errno == ENOSYS) return {};
  return SystemFailure(fmt::format("taking {} bytes for {}", size, Printable(path_)), errno);
}

void File::Prefetch(uint64_t offset, uint64_t length) const {
  // Advice: a failure changes nothing but speed.
  if (FitsOffset(offset, length)) {
    posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
  }
}

void File::DropCache() const { posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED); }

Status File::Sync() const {
  if (Retry([&] { return fdatasync(fd_.get()); }) == 0) return {};
  return SystemFailure(fmt::format("putting {} on the device", Printable(path_)), errno);
}

Status File::Close() {
  if (close(fd_.release()) == 0 || errno == EINTR) return {};
  return SystemFailure(fmt::format("closing {}", Printable(path_)), errno);
}

Result<std::string> ReadSmallFile(const std::string& path, uint64_t limit) {
  AOA_ASSIGN_OR_RETURN(File file, File::OpenForReading(path));
  AOA_ASSIGN_OR_RETURN(uint64_t size, file.Size());
  if (size > limit)
    return Status::Invalid(fmt::format("{} has {} bytes, {} are allowed", Printable(path), size, limit));
  std::string text(size, '\0');
  AOA_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(text))));
  return text;
}

namespace {

// Writes `content` beside `path` with these permissions and renames it.
Status PutInPlace(const std::string& path, const std::string& content, mode_t mode, const std::string& doing) {
  std::string temporary = path + ".XXXXXX";
  Descriptor fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.open()) return SystemFailure(doing, errno);
  File file(std::move(fd), temporary);
  Status status = file.WriteAt(0, std::as_bytes(std::span(content)));
  if (status.ok() && chmod(temporary.c_str(), mode) != 0) status = SystemFailure(doing, errno);
  if (status.ok()) status = file.Close();
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) status = SystemFailure(doing, errno);
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

}  // namespace

Status ReplaceFile(const std::string& path, const std::string& content) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  struct stat old {};
  const std::string doing = "replacing " + Printable(path);
  if (error || stat(real.c_str(), &old) != 0) return SystemFailure(doing, error ? error.value() : errno);
  return PutInPlace(real, content, old.st_mode & 07777, doing);
}

Status WriteNewFile(const std::string& path, const std::string& content) {
  struct stat there {};
  if (lstat(path.c_str(), &there) == 0) return Status::Usage(Printable(path) + " exists");
  return PutInPlace(path, content, 0644, "writing " + Printable(path));
}

}  // namespace aoa::io
