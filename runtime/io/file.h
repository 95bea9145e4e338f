// Files read and written at positions, from any thread, in transfers of any length.
//
// The system may move fewer bytes than asked, or none because a signal came; here a call moves all of them or fails.
// Every failure says which file, where in it, and why: "reading x/model.safetensors at byte 4096: input/output error".
// What the file itself is to blame for (it is absent, or shorter than its headers say) is kInvalid; what the machine is
// to blame for (no space, a limit, a broken disk) is kSystem.
//
// A write beyond RLIMIT_FSIZE raises SIGXFSZ; a program that wants the failure in place of its death ignores that
// signal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "compiler/core/status.h"
#include "runtime/io/descriptor.h"

namespace aoa::io {

// "no space left on device"
std::string ErrorText(int error);

// A kSystem failure: "WHAT: the text of `error`".
Status SystemFailure(const std::string& what, int error);

class File {
 public:
  // A regular file that is there. Symlinks are followed: model caches are full of them.
  static Result<File> OpenForReading(const std::string& path);

  // `path` is for messages.
  File(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  Result<uint64_t> Size() const;

  // All of `out`, from `offset` on.
  Status ReadAt(uint64_t offset, std::span<std::byte> out) const;
  // The bytes from `offset` on, dealt to `parts` one after the other.
  Status ReadScattered(uint64_t offset, std::span<const std::span<std::byte>> parts) const;
  Status WriteAt(uint64_t offset, std::span<const std::byte> bytes) const;

  // Makes the file `size` bytes long; what is added reads as zeros.
  Status Truncate(uint64_t size) const;
  // The same, and takes the space now where the file system can, so that a full disk shows before hours of work.
  Status Preallocate(uint64_t size) const;

  // Tells the system that these bytes will be read soon.
  void Prefetch(uint64_t offset, uint64_t length) const;
  // Lets the system forget what it keeps of the file in memory, as far as it is on the device.
  void DropCache() const;
  // Puts data and size on the device.
  Status Sync() const;
  // To be called where bytes were written: network file systems find out here that they could not keep them.
  Status Close();

 private:
  Descriptor fd_;
  std::string path_;
};

// The whole of a file that is meant to be small. More than `limit` bytes are kInvalid.
Result<std::string> ReadSmallFile(const std::string& path, uint64_t limit);

// Puts `content` in the place of a file that is there, in one step, with its permissions. A symlink stays one.
Status ReplaceFile(const std::string& path, const std::string& content);

// Makes a small file that is not there yet, in one step. A file that is there is kUsage.
Status WriteNewFile(const std::string& path, const std::string& content);

}  // namespace aoa::io
