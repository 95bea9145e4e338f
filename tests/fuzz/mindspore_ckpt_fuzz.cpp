// Files that call themselves MindSpore's. Whatever the input: no crash, memory in proportion to it, and what is
// accepted lies inside the file and adds up.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <unistd.h>

#include "runtime/formats/mindspore_ckpt.h"
#include "tests/fuzz/allocations.h"
#include "tests/fuzz/harness.h"

#define REQUIRE(condition)                                                 \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

namespace aoa::fuzz {

const std::vector<std::string>& Words() {
  static const std::vector<std::string> words = {"\x0a",
                                                 "\x12",
                                                 "\x1a",
                                                 "\x08\x02",
                                                 "Float32",
                                                 "BFloat16",
                                                 "str",
                                                 "crc_num",
                                                 std::string(10, '\xff'),
                                                 std::string("\0", 1)};
  return words;
}

}  // namespace aoa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = "/tmp/aoac-mindspore-fuzz-" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const size_t before = aoa::testing::AllocatedBytes();
  auto file = aoa::formats::ScanCkpt(path);
  REQUIRE(aoa::testing::AllocatedBytes() - before < 65536 + 4096 * size);
  unlink(path.c_str());
  if (!file.ok()) {
    REQUIRE(file.status().message().find(path) != std::string::npos);
    return 0;
  }
  uint64_t last = 0;
  for (const auto& entry : file->entries) {
    uint64_t bytes = 0;
    for (const auto& part : entry.parts) {
      REQUIRE(part.offset >= last && part.bytes <= size && part.offset <= size - part.bytes);
      last = part.offset + part.bytes;
      bytes += part.bytes;
    }
    REQUIRE(bytes == entry.bytes);
    if (!entry.dtype) continue;
    REQUIRE(bytes == static_cast<uint64_t>(aoa::ElementCount(entry.dims)) * static_cast<uint64_t>(Width(*entry.dtype)));
  }
  return 0;
}
