// Inputs of harnesses as files that lie in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "runtime/io/file.h"

namespace aoa::fuzz {

class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes)
      : fd_(memfd_create("input", 0)), file_(io::Descriptor(dup(fd_)), "input") {
    if (fd_ < 0 || !file_.WriteAt(0, std::as_bytes(std::span(bytes))).ok()) {
      std::perror("a file in memory");
      std::exit(2);
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  ~MemoryFile() { close(fd_); }

  const io::File& file() const { return file_; }
  // For what opens files by their names.
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
  io::File file_;
};

}  // namespace aoa::fuzz
