// Pickles from nowhere. Whatever the input: no crash, memory in proportion to it; and what is read can be written, and
// reads as it was.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/formats/pickle.h"
#include "runtime/formats/pickle_writer.h"
#include "tests/fuzz/allocations.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/memory_file.h"

namespace aoa::formats::pickle {
namespace {

// A value as the bytes of a pickle; empty if it is one that cannot be written, or has holes.
std::string Written(const Value& value, Protocol protocol) {
  auto written = Write(value, protocol);
  return written.ok() && written->holes.empty() ? written->bytes : "";
}

// What is written once is written the same after it has been read.
void TestWriting(const Value& value, Protocol protocol) {
  const std::string once = Written(value, protocol);
  if (once.empty()) return;
  fuzz::MemoryFile file(once);
  Tree tree;
  auto parsed = Read({&file.file(), 0, once.size()}, tree);
  REQUIRE(parsed.ok() && parsed->end == once.size());
  const std::string again = Written(*parsed->value, protocol);
  REQUIRE(again == once || again.empty());
}

void TestPickle(std::string_view bytes) {
  fuzz::MemoryFile file(bytes);
  Tree tree;
  auto parsed = [&] {
    testing::AllocationBound bound(1000 * bytes.size() + (1 << 20));
    return Read({&file.file(), 0, bytes.size()}, tree);
  }();
  if (!parsed.ok()) return fuzz::CheckRefusal(parsed.status());
  REQUIRE(parsed->end <= bytes.size());
  TestWriting(*parsed->value, Protocol::kTwo);
  TestWriting(*parsed->value, Protocol::kFour);
}

}  // namespace
}  // namespace aoa::formats::pickle

void aoa::fuzz::Test(std::string_view input) { formats::pickle::TestPickle(input); }

const std::vector<std::string>& aoa::fuzz::Words() {
  using namespace std::string_literals;
  static const std::vector<std::string> words = {"."s,
                                                 "("s,
                                                 "N"s,
                                                 "]"s,
                                                 "}"s,
                                                 ")"s,
                                                 "t"s,
                                                 "e"s,
                                                 "u"s,
                                                 "s"s,
                                                 "a"s,
                                                 "\x85"s,
                                                 "\x86"s,
                                                 "\x87"s,
                                                 "\x8F"s,
                                                 "\x90"s,
                                                 "\x91"s,
                                                 "R"s,
                                                 "b"s,
                                                 "Q"s,
                                                 "0"s,
                                                 "1"s,
                                                 "2"s,
                                                 "\x81"s,
                                                 "\x92"s,
                                                 "\x93"s,
                                                 "\x94"s,
                                                 "q\x01"s,
                                                 "h\x01"s,
                                                 "K\x07"s,
                                                 "X\x01\x00\x00\x00w"s,
                                                 "cm\nC\n"s,
                                                 "U\x01\xFF"s,
                                                 "C\x01\x80"s,
                                                 "I00\n"s,
                                                 "F1.5\n"s,
                                                 "Va\\u00e9\n"s,
                                                 "S'a\\n'\n"s,
                                                 "im\nC\n"s,
                                                 "o"s,
                                                 "\x8A\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01"s,
                                                 "\x95\x01\x00\x00\x00\x00\x00\x00\x00"s};
  return words;
}
