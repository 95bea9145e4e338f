// A file descriptor that is closed once.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace aoa::io {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ != -1) ::close(fd_);
  }

  int get() const { return fd_; }
  bool open() const { return fd_ != -1; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Calls until no signal interrupts. For system calls that answer -1 and set errno.
template <class Call>
auto Retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace aoa::io
