// What libFuzzer, and standalone.cpp in its place, call.
#include "tests/fuzz/harness.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  aoa::fuzz::Test(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
