#include "tests/fuzz/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> g_allocated = 0;

}  // namespace

size_t aoa::testing::AllocatedBytes() { return g_allocated; }

// All forms that have no alignment: a sanitizer brings its own of those that are left out.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  g_allocated += size;
  return std::malloc(size);
}
void* operator new[](size_t size, const std::nothrow_t& nothrow) noexcept { return operator new(size, nothrow); }
void* operator new(size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
