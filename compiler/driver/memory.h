// What this process takes in memory, as the system counts it.
#pragma once

#include <cstdint>

namespace aoa::driver {

// The most that was resident at a time so far, in bytes.
uint64_t PeakMemory();

// What of it counts against `--memory`: all but what any run takes, the program's own pages and the compiler of
// kernels. A run is promised to stay below `--memory` and 64 MiB.
uint64_t HeldMemory();

}  // namespace aoa::driver
