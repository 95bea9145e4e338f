#include "compiler/core/text.h"

#include <gtest/gtest.h>

#include "compiler/core/schema.h"

namespace aoa {
namespace {

using namespace std::string_literals;

TEST(Text, Utf8ByTheTable) {
  for (const std::string& good : {"a"s, "\0"s, "\x7f"s, "\xc2\x80"s, "\xdf\xbf"s, "\xe0\xa0\x80"s, "\xed\x9f\xbf"s,
                                  "\xee\x80\x80"s, "\xf0\x90\x80\x80"s, "\xf4\x8f\xbf\xbf"s}) {
    EXPECT_EQ(Utf8Length(good + "x"), good.size()) << Printable(good);
  }
  for (const std::string& bad :
       {"\x80"s, "\xc0\x80"s, "\xc1\xbf"s, "\xe0\x9f\xbf"s, "\xed\xa0\x80"s, "\xf0\x8f\xbf\xbf"s, "\xf4\x90\x80\x80"s,
        "\xf5\x80\x80\x80"s, "\xff"s, "\xc2"s, "\xe2\x82"s, "\xe2\x28\xa1"s}) {
    EXPECT_EQ(Utf8Length(bad), 0u) << Printable(bad);
  }
}

TEST(Text, PrintableEscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("model.embed é 日本 😀"), "model.embed é 日本 😀");
  EXPECT_EQ(Printable("a\0b\n\x1b[31m\x7f"s), "a\\x00b\\x0a\\x1b[31m\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(Printable("\xed\xa0\x80 \xff"), "\\xed\\xa0\\x80 \\xff");
}

TEST(Names, AreNumberedByFirstUse) {
  Names names;
  EXPECT_FALSE(names.Find("w"));
  constexpr uint32_t kMany = 10000;
  for (uint32_t i = 0; i < kMany; ++i) EXPECT_EQ(names.Intern("n" + std::to_string(i)), i);
  const std::string& first = names[0];
  for (uint32_t i = 0; i < kMany; ++i) EXPECT_EQ(names.Intern("n" + std::to_string(i)), i);
  EXPECT_EQ(names.size(), kMany);
  EXPECT_EQ(names.Find("n4711"), std::optional(4711u));
  EXPECT_FALSE(names.Find("m"));
  EXPECT_EQ(names.Intern("a\0b"s), kMany);
  EXPECT_EQ(names.Intern("a"), kMany + 1);
  Names moved = std::move(names);
  EXPECT_EQ(&moved[0], &first);
  EXPECT_EQ(moved.Find("n3"), std::optional(3u));
}

}  // namespace
}  // namespace aoa
