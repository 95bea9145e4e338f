#include "compiler/driver/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace aoa::driver {
namespace {

constexpr uint64_t kPromised = 64 << 20;
constexpr uint64_t kYetToCome = 24 << 20;  // LLVM at work, stacks, small buffers

}  // namespace

// Not getrusage: its figure starts with that of the process that started this one.
uint64_t PeakMemory() {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/status", "re"), std::fclose);
  char line[256];
  unsigned long long kilobytes = 0;
  while (file && std::fgets(line, sizeof line, file.get())) {
    if (std::sscanf(line, "VmHWM: %llu kB", &kilobytes) == 1) return kilobytes * 1024;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

uint64_t HeldMemory() {
  uint64_t peak = PeakMemory();
  return peak - std::min(peak, kPromised - kYetToCome);
}

}  // namespace aoa::driver
