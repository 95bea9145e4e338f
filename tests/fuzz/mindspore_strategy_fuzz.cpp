// Strategy files from nowhere, in both forms. Whatever the input: no crash, memory in proportion to it, and what is
// accepted says the same when it is written and read again.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/formats/mindspore_strategy_file.h"
#include "tests/fuzz/allocations.h"
#include "tests/fuzz/harness.h"

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

void aoa::fuzz::Test(std::string_view input) {
  using formats::StrategyForm;
  const std::string text(input);
  const size_t before = testing::AllocatedBytes();
  auto strategy = formats::ParseStrategy(text);
  // protobuf may reserve 50 MB (its kSafeStringSize) for a text whose length lies, once: then the message is broken.
  const size_t reserved = strategy.ok() ? 0 : 50'000'000;
  REQUIRE(testing::AllocatedBytes() - before < reserved + 262144 + 4096 * text.size());
  if (!strategy.ok()) return CheckRefusal(strategy.status());
  auto json = formats::ParseStrategy(formats::WriteStrategy(*strategy, StrategyForm::kJson));
  REQUIRE(json.ok() && json->items == strategy->items);
  auto protobuf = formats::ParseStrategy(formats::WriteStrategy(*strategy, StrategyForm::kProtobuf));
  REQUIRE(protobuf.ok() && protobuf->items.size() == strategy->items.size());
}
