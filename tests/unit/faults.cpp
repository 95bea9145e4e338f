#include "tests/unit/faults.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace aoa::testing {
namespace {

FaultPlan& Plan() {
  static FaultPlan plan;
  return plan;
}

// The fault for this call; errno is set if it is an error.
const Fault* Ask(std::string_view call, std::string_view path = {}) {
  const Fault* fault = Plan() ? Plan()(call, path) : nullptr;
  if (fault != nullptr && fault->error != 0) errno = fault->error;
  return fault;
}

bool Fails(const Fault* fault) { return fault != nullptr && fault->error != 0; }

template <class... Args>
int Pass(std::string_view call, std::string_view path, long number, Args... args) {
  return Fails(Ask(call, path)) ? -1 : static_cast<int>(syscall(number, args...));
}

mode_t ModeArgument(int flags, va_list args) { return (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0; }

}  // namespace

ScopedFaults::ScopedFaults(FaultPlan plan) { Plan() = std::move(plan); }
ScopedFaults::~ScopedFaults() { Plan() = nullptr; }

FaultPlan FailFirst(std::string call, int count, int error) {
  auto fault = std::make_shared<Fault>(Fault{error, 0});
  auto left = std::make_shared<std::atomic<int>>(count);
  return [=](std::string_view name, std::string_view) { return name == call && (*left)-- > 0 ? fault.get() : nullptr; };
}

FaultPlan FailAll(std::string call, int error) { return FailFirst(std::move(call), 1 << 30, error); }

FaultPlan LogInto(std::vector<std::string>& log) {
  return [&log](std::string_view call, std::string_view path) -> const Fault* {
    log.push_back(std::string(call) + (path.empty() ? "" : " " + std::string(path)));
    return nullptr;
  };
}

bool RunUntilCall(int last, const std::function<void()>& work) {
  pid_t child = fork();
  if (child == 0) {
    int calls = 0;
    FaultPlan before = Plan();
    Plan() = [&](std::string_view call, std::string_view path) {
      if (++calls == last) kill(getpid(), SIGKILL);
      return before ? before(call, path) : nullptr;
    };
    work();
    _exit(0);
  }
  int status = 0;
  if (child == -1 || waitpid(child, &status, 0) != child) std::abort();
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return false;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) std::abort();  // the work itself failed
  return true;
}

}  // namespace aoa::testing

// The program's own definitions stand before those of the C library, also for the shared C++ library.
extern "C" {

using aoa::testing::Ask;
using aoa::testing::Fails;
using aoa::testing::Fault;
using aoa::testing::ModeArgument;
using aoa::testing::Pass;

int open(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = ModeArgument(flags, args);
  va_end(args);
  return Pass("open", path, SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = ModeArgument(flags, args);
  va_end(args);
  return Pass("openat", path, SYS_openat, folder, path, flags, mode);
}

int mkdirat(int folder, const char* path, mode_t mode) {
  return Pass("mkdirat", path, SYS_mkdirat, folder, path, mode);
}

int renameat(int from, const char* old_path, int to, const char* new_path) {
  return Pass("renameat", old_path, SYS_renameat2, from, old_path, to, new_path, 0u);
}

int renameat2(int from, const char* old_path, int to, const char* new_path, unsigned flags) {
  return Pass("renameat2", old_path, SYS_renameat2, from, old_path, to, new_path, flags);
}

int unlink(const char* path) noexcept { return Pass("unlink", path, SYS_unlink, path); }
int rmdir(const char* path) noexcept { return Pass("rmdir", path, SYS_rmdir, path); }
int remove(const char* path) noexcept {
  if (Fails(Ask("remove", path))) return -1;
  return syscall(SYS_unlink, path) == 0 || (errno == EISDIR && syscall(SYS_rmdir, path) == 0) ? 0 : -1;
}
int unlinkat(int folder, const char* path, int flags) {
  return Pass("unlinkat", path, SYS_unlinkat, folder, path, flags);
}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"  // the C library has a struct of the same name
int flock(int fd, int operation) noexcept { return Pass("flock", {}, SYS_flock, fd, operation); }
#pragma GCC diagnostic pop
// No test pulls the plug, so nothing need reach the device: the calls are asked about and done.
int fsync(int) { return Fails(Ask("fsync")) ? -1 : 0; }
int fdatasync(int) { return Fails(Ask("fdatasync")) ? -1 : 0; }
int ftruncate(int fd, off_t size) noexcept { return Pass("ftruncate", {}, SYS_ftruncate, fd, size); }
int fallocate(int fd, int mode, off_t offset, off_t size) {
  return Pass("fallocate", {}, SYS_fallocate, fd, mode, offset, size);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  const Fault* fault = Ask("pwrite");
  if (Fails(fault)) return -1;
  return syscall(SYS_pwrite64, fd, bytes, fault != nullptr ? std::min(size, fault->at_most) : size, offset);
}

ssize_t preadv(int fd, const iovec* parts, int count, off_t offset) {
  const Fault* fault = Ask("preadv");
  if (Fails(fault)) return -1;
  if (fault == nullptr) return syscall(SYS_preadv, fd, parts, count, offset, offset >> 32);
  return syscall(SYS_pread64, fd, parts[0].iov_base, std::min(parts[0].iov_len, fault->at_most), offset);
}

}  // extern "C"
