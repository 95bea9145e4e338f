// Strategy files from nowhere, in both forms. Whatever the input: no crash, memory in proportion to it, and what is
// accepted says the same when it is written and read again.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/formats/mindspore_strategy.h"
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
                                                 "[2,4]",
                                                 "[-1,0]",
                                                 "-1",
                                                 "\"dev_matrix\":",
                                                 "\"tensor_map\":",
                                                 "\"tensor_shape\":",
                                                 "\"opt_weight_shard_size\":",
                                                 "\"stage\":",
                                                 "{\"parallel_layout_item\":{\"w\":{",
                                                 "}"};
  return words;
}

}  // namespace aoa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using aoa::formats::StrategyForm;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t before = aoa::testing::AllocatedBytes();
  auto strategy = aoa::formats::ParseStrategy(text);
  REQUIRE(aoa::testing::AllocatedBytes() - before < 262144 + 4096 * size);
  if (!strategy.ok()) {
    REQUIRE(!strategy.status().message().empty());
    return 0;
  }
  auto json = aoa::formats::ParseStrategy(aoa::formats::WriteStrategy(*strategy, StrategyForm::kJson));
  REQUIRE(json.ok() && json->items == strategy->items);
  auto protobuf = aoa::formats::ParseStrategy(aoa::formats::WriteStrategy(*strategy, StrategyForm::kProtobuf));
  REQUIRE(protobuf.ok() && protobuf->items.size() == strategy->items.size());
  return 0;
}
