#include "tests/fuzz/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> g_allocated = 0;

}  // namespace

size_t aoa::testing::AllocatedBytes() { return g_allocated; }

// The other forms of new and delete lead here.
void* operator new(size_t size) {
  g_allocated += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
