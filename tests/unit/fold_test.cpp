#include "compiler/draft/fold.h"

#include <gtest/gtest.h>

#include "compiler/draft/side.h"

namespace aoa::draft {
namespace {

std::vector<std::string> Lines(const std::vector<NamedShape>& tensors, const char* config = nullptr) {
  nlohmann::json json = config ? nlohmann::json::parse(config) : nlohmann::json();
  SideDrafter drafter(config ? &json : nullptr);
  return drafter.Declare(tensors);
}

using Expected = std::vector<std::string>;

TEST(Fold, NumbersThatCountBecomeVariables) {
  EXPECT_EQ(Lines({{"l.0.w", {2}}, {"l.1.w", {2}}, {"l.10.w", {2}}}),
            (Expected{"l.0.w [x2]", "l.1.w [x2]", "l.10.w [x2]"}));  // gaps count nothing
  EXPECT_EQ(Lines({{"l.0.w", {2}}, {"l.1.w", {2}}, {"l.2.w", {2}}}), Expected{"l.$l.w [x2]"});
  EXPECT_EQ(Lines({{"l.3.w", {2}}, {"l.4.w", {2}}}), Expected{"l.${l+3}.w [x2]"});
  EXPECT_EQ(Lines({{"l.0.w", {2}}}), Expected{"l.0.w [x2]"});  // one of a kind
  EXPECT_EQ(Lines({{"l.00.w", {2}}, {"l.01.w", {2}}}), (Expected{"l.00.w [x2]", "l.01.w [x2]"}));
}

TEST(Fold, SidesOfOneFileShareVariablesOfOneExtent) {
  SideDrafter drafter(nullptr);
  EXPECT_EQ(drafter.Declare({{"l.0.w", {4}}, {"l.1.w", {4}}}), Expected{"l.$l.w [x4]"});
  EXPECT_EQ(drafter.Declare({{"m.0.w", {4}}, {"m.1.w", {4}}}), Expected{"m.$l.w [x4]"});
  EXPECT_EQ(drafter.Declare({{"m.0.w", {4}}, {"m.1.w", {4}}, {"m.2.w", {4}}}), Expected{"m.$k.w [x4]"});
}

TEST(Fold, RangesBecomeLoops) {
  EXPECT_EQ(Lines({{"l.0.a", {2}}, {"l.1.b", {2}}, {"l.2.b", {2}}, {"l.2.c", {2}}}),
            (Expected{"l.0.a [x2]", "for l in 1..3 {", "l.$l.b [x2]", "}", "l.2.c [x2]"}));
  EXPECT_EQ(Lines({{"l.0.w", {2}}, {"l.1.w", {3}}, {"l.2.w", {3}}}),
            (Expected{"l.0.w [x2]", "for l in 1..3 {", "l.$l.w [x3]", "}"}));
}

TEST(Fold, InnerNumbersHaveVariablesOfTheirOwn) {
  std::vector<NamedShape> tensors;
  for (int l = 0; l < 3; ++l) {
    for (int e = 0; e < 2; ++e)
      if (l > 0) tensors.push_back({"l." + std::to_string(l) + ".e." + std::to_string(e) + ".w", {4, 5}});
    tensors.push_back({"l." + std::to_string(l) + ".n", {4}});
  }
  EXPECT_EQ(Lines(tensors), (Expected{"l.$l.n [x4]", "for l in 1..3 {", "l.$l.e.$e.w [x4 x5]", "}"}));
}

TEST(Fold, WordsOfOneShapeAreJoined) {
  EXPECT_EQ(Lines({{"m.gate_proj.w", {4, 5}}, {"m.up_proj.w", {4, 5}}, {"m.down_proj.w", {5, 4}}}),
            (Expected{"m.down_proj.w [x5 x4]", "m.{gate,up}_proj.w [x4 x5]"}));
  EXPECT_EQ(Lines({{"m.q_proj.w", {4, 4}}, {"m.k_proj.w", {4, 4}}}),  // which way do they lie?
            (Expected{"m.k_proj.w [x4_2 x4]", "m.q_proj.w [x4_2 x4]"}));
}

TEST(Fold, NamesThatRulesCannotSpellAreQuoted) {
  EXPECT_EQ(Lines({{"a$b", {}}, {"_", {}}, {"a\"\\\n", {}}, {"x->y", {}}}),
            (Expected{"\"_\" []", "\"a$b\" []", "\"a\\\"\\\\\\u000a\" []", "\"x->y\" []"}));
}

TEST(Side, ExtentsAreNamedByTheOnlyKeyThatHasThem) {
  const char* config = R"({"hidden_size": 8, "vocab_size": 20, "a": 6, "b": 6, "in": {"k": 9}, "pad_token_id": 20})";
  nlohmann::json json = nlohmann::json::parse(config);
  SideDrafter drafter(&json);
  EXPECT_EQ(drafter.Declare({{"w", {20, 8}}, {"u", {6, 9}}, {"v", {1, 0}}, {"s", {48, 8, 8}}}),
            (Expected{"s [x48 h_2 h]", "u [x6 k]", "v [1 x0]", "w [v h]"}));
  EXPECT_EQ(
      drafter.Dims(false),
      (Expected{"h = config.hidden_size", "k = config.in.k", "v = config.vocab_size", "# h_2 is 8: config.hidden_size",
                "# x48 is 48: config.a * config.hidden_size, or config.b * config.hidden_size",
                "# x6 is 6: config.a, or config.b"}));
  EXPECT_EQ(drafter.Dims(true).back(), "x0 = 0");
}

}  // namespace
}  // namespace aoa::draft
