// Files that call themselves MindSpore's. Whatever the input: no crash, memory in proportion to it, and what is
// accepted lies inside the file and adds up.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/formats/mindspore_ckpt.h"
#include "tests/fuzz/allocations.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/memory_file.h"

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

void aoa::fuzz::Test(std::string_view input) {
  const size_t size = input.size();
  MemoryFile memory(input);
  auto file = [&] {
    testing::AllocationBound bound(65536 + 4096 * size);
    return formats::ScanCkpt(memory.path());
  }();
  if (!file.ok()) {
    REQUIRE(file.status().message().find(memory.path()) != std::string::npos);
    return CheckRefusal(file.status());
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
    REQUIRE(bytes == static_cast<uint64_t>(ElementCount(entry.dims)) * static_cast<uint64_t>(Width(*entry.dtype)));
  }
}
