// A library to be preloaded: the system calls of a run, one of which goes wrong.
//
//   AOA_FAULT=CALL:FIRST:COUNT:WHAT[:PATH]
//
// From the FIRST-th call of CALL on (counted from 1, over all threads), COUNT calls go wrong; with PATH, only calls on
// paths that contain it are counted. CALL is read, write, open, space, sync, name (renames, folders, removals), or any.
// WHAT is
//
//   the number of an error    the call fails with it
//   half                      a transfer moves half of what was asked (at least one byte)
//   flip                      a written block is changed in one bit on its way
//   kill                      the process dies by SIGKILL before the call
//   stop                      the process stops, until somebody makes it continue
//   count                     nothing; the number of calls is written to the file AOA_FAULT_COUNT at the end
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum What { kNothing, kError, kHalf, kFlip, kKill, kStop, kCount };

static struct {
  char call[16], path[256];
  long first, count;
  enum What what;
  int error;
} fault;
static atomic_long calls;

__attribute__((constructor)) static void Start(void) {
  const char* text = getenv("AOA_FAULT");
  char what[16] = "";
  if (!text) return;
  int fields = sscanf(text, "%15[^:]:%ld:%ld:%15[^:]:%255s", fault.call, &fault.first, &fault.count, what, fault.path);
  if (fields < 4) abort();
  fault.error = atoi(what);
  fault.what = !strcmp(what, "half")    ? kHalf
               : !strcmp(what, "flip")  ? kFlip
               : !strcmp(what, "kill")  ? kKill
               : !strcmp(what, "stop")  ? kStop
               : !strcmp(what, "count") ? kCount
                                        : kError;
}

__attribute__((destructor)) static void End(void) {
  const char* path = getenv("AOA_FAULT_COUNT");
  if (fault.what != kCount || !path) return;
  FILE* file = fopen(path, "w");
  fprintf(file, "%ld\n", (long)calls);
  fclose(file);
}

// What happens to this call. `fd` and `path` say what it is about; -1 and null where it has none.
static enum What Ask(const char* call, int fd, const char* path) {
  char link[64], name[4096];
  if (fault.what == kNothing || (strcmp(fault.call, call) != 0 && strcmp(fault.call, "any") != 0)) return kNothing;
  if (fault.path[0] != '\0') {
    if (!path) {
      snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
      ssize_t size = readlink(link, name, sizeof name - 1);
      name[size > 0 ? size : 0] = '\0';
      path = name;
    }
    if (!strstr(path, fault.path)) return kNothing;
  }
  long number = ++calls;
  if (number < fault.first || number >= fault.first + fault.count) return kNothing;
  if (fault.what == kKill) kill(getpid(), SIGKILL);
  if (fault.what == kStop) kill(getpid(), SIGSTOP);
  if (fault.what == kError) errno = fault.error;
  return fault.what;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILS(call, fd, path) (Ask(call, fd, path) == kError)

static size_t Part(size_t size) { return size > 1 ? size / 2 : size; }

ssize_t pread(int fd, void* to, size_t size, off_t at) {
  enum What what = Ask("read", fd, NULL);
  if (what == kError) return -1;
  return REAL(pread)(fd, to, what == kHalf ? Part(size) : size, at);
}
ssize_t pread64(int fd, void* to, size_t size, off64_t at) { return pread(fd, to, size, at); }

ssize_t preadv(int fd, const struct iovec* parts, int count, off_t at) {
  enum What what = Ask("read", fd, NULL);
  if (what == kError) return -1;
  struct iovec first = {parts[0].iov_base, Part(parts[0].iov_len)};
  return what == kHalf ? REAL(preadv)(fd, &first, 1, at) : REAL(preadv)(fd, parts, count, at);
}
ssize_t preadv64(int fd, const struct iovec* parts, int count, off64_t at) { return preadv(fd, parts, count, at); }

ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
  enum What what = Ask("write", fd, NULL);
  if (what == kError) return -1;
  if (what == kFlip && size > 0) {
    char* copy = malloc(size);
    memcpy(copy, from, size);
    copy[size / 2] ^= 4;
    ssize_t moved = REAL(pwrite)(fd, copy, size, at);
    free(copy);
    return moved;
  }
  return REAL(pwrite)(fd, from, what == kHalf ? Part(size) : size, at);
}
ssize_t pwrite64(int fd, const void* from, size_t size, off64_t at) { return pwrite(fd, from, size, at); }

#define OPEN(name)                                                       \
  int name(const char* path, int flags, ...) {                           \
    va_list rest;                                                        \
    va_start(rest, flags);                                               \
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;          \
    va_end(rest);                                                        \
    return FAILS("open", -1, path) ? -1 : REAL(name)(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                             \
  int name(int folder, const char* path, int flags, ...) {                       \
    va_list rest;                                                                \
    va_start(rest, flags);                                                       \
    mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;                  \
    va_end(rest);                                                                \
    return FAILS("open", -1, path) ? -1 : REAL(name)(folder, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)

int fallocate(int fd, int mode, off_t at, off_t size) {
  return FAILS("space", fd, NULL) ? -1 : REAL(fallocate)(fd, mode, at, size);
}
int fallocate64(int fd, int mode, off64_t at, off64_t size) { return fallocate(fd, mode, at, size); }
int ftruncate(int fd, off_t size) { return FAILS("space", fd, NULL) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
int fsync(int fd) { return FAILS("sync", fd, NULL) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return FAILS("sync", fd, NULL) ? -1 : REAL(fdatasync)(fd); }
int mkdirat(int folder, const char* path, mode_t mode) {
  return FAILS("name", -1, path) ? -1 : REAL(mkdirat)(folder, path, mode);
}
int unlinkat(int folder, const char* path, int flags) {
  return FAILS("name", -1, path) ? -1 : REAL(unlinkat)(folder, path, flags);
}
int renameat(int a, const char* from, int b, const char* to) {
  return FAILS("name", -1, to) ? -1 : REAL(renameat)(a, from, b, to);
}
int renameat2(int a, const char* from, int b, const char* to, unsigned flags) {
  return FAILS("name", -1, to) ? -1 : REAL(renameat2)(a, from, b, to, flags);
}
