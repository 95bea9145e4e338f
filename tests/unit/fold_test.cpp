#include "compiler/draft/fold.h"

#include <gtest/gtest.h>

#include "compiler/draft/numbers.h"
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

TEST(Numbers, RepeatIfTheirPeriodGoesInTwice) {
  EXPECT_EQ(RepetitionOf({4, 12, 20}, 24), (Repetition{8, {4}}));
  EXPECT_EQ(RepetitionOf({0, 1, 3, 4, 6}, 7), (Repetition{3, {0, 1}}));
  EXPECT_EQ(RepetitionOf({1, 3}, 4), (Repetition{2, {1}}));
  EXPECT_EQ(RepetitionOf({4}, 8), std::nullopt);
  EXPECT_EQ(RepetitionOf({0, 5}, 6), std::nullopt);
  EXPECT_EQ(RepetitionOf({0, 1, 3, 4, 5}, 6), std::nullopt);  // one is missing
  EXPECT_EQ(RepetitionOf({0, 1}, 2), std::nullopt);
}

TEST(Numbers, AreSaidByTheShortestCondition) {
  EXPECT_EQ(ConditionOf("l", {4, 12, 20}, 24), "$l % 8 == 4");
  EXPECT_EQ(ConditionOf("l", OthersOf({4, 12, 20}, 24), 24), "$l % 8 != 4");
  EXPECT_EQ(ConditionOf("l", {0, 2}, 4), "$l % 2 == 0");
  EXPECT_EQ(ConditionOf("l", {1, 3}, 4), "$l % 2 == 1");
  EXPECT_EQ(ConditionOf("l", {0, 1, 6, 7}, 12), "$l % 6 == 0 or $l % 6 == 1");
  EXPECT_EQ(ConditionOf("l", {4, 6, 8}, 24), "$l >= 4 and $l <= 8 and $l % 2 == 0");
  EXPECT_EQ(ConditionOf("l", {5, 7, 9}, 10), "$l >= 5 and $l % 2 == 1");
  EXPECT_EQ(ConditionOf("l", OthersOf({5, 7, 9}, 10), 10), "not ($l >= 5 and $l % 2 == 1)");
  EXPECT_EQ(ConditionOf("l", {0, 1, 2, 7}, 24), "$l < 3 or $l == 7");
  EXPECT_EQ(ConditionOf("l", {2, 3, 8, 9}, 10), "$l >= 2 and $l < 4 or $l >= 8");
  EXPECT_EQ(ConditionOf("l", {0, 1, 3, 4, 5}, 6), "$l != 2");
  EXPECT_EQ(ConditionOf("l", OthersOf({3, 5}, 10), 10), "not ($l == 3 or $l == 5)");
}

TEST(Numbers, ThatNoShortConditionSaysStayRanges) {
  std::vector<NamedShape> tensors;
  std::vector<int64_t> squares;
  for (int64_t l = 0; l < 10000; ++l) tensors.push_back({"l." + std::to_string(l) + ".a", {4}});
  for (int64_t l = 0; l < 100; ++l) squares.push_back(l * l);
  for (int64_t l : squares) tensors.push_back({"l." + std::to_string(l) + ".b", {4}});
  EXPECT_EQ(ConditionOf("l", squares, 10000), std::nullopt);
  EXPECT_EQ(ConditionOf("l", OthersOf(squares, 10000), 10000), std::nullopt);
  auto lines = Lines(tensors);
  EXPECT_EQ(lines.size(), 102);
  EXPECT_EQ(lines[1], "for l in 0..2 {");
  EXPECT_EQ(lines.back(), "l.9801.b [x4]");
}

TEST(Fold, ScatteredNumbersBecomeConditions) {
  std::vector<NamedShape> tensors;
  for (int l = 0; l < 8; ++l) {
    std::string at = "l." + std::to_string(l);
    tensors.push_back({at + (l % 4 == 2 ? ".attn" : ".mamba"), {4}});
    tensors.push_back({at + ".norm", {4}});
    for (int e = 0; e < 2 && l % 2 == 1; ++e) tensors.push_back({at + ".e." + std::to_string(e), {5}});
    if (l % 2 == 0) tensors.push_back({at + ".mlp", {5}});
  }
  EXPECT_EQ(Lines(tensors, R"({"layers": 8})"),
            (Expected{"for l in 0..l {", "if $l % 4 == 2 {", "l.$l.attn [x4]", "} else {", "l.$l.mamba [x4]", "}",
                      "if $l % 2 == 0 {", "l.$l.mlp [x5]", "} else {", "l.$l.e.$e [x5]", "}", "}", "l.$l.norm [x4]"}));
  EXPECT_EQ(Lines({{"l.3.a", {2}}, {"l.3.b", {2}}, {"l.4.a", {2}}, {"l.5.b", {2}}, {"l.5.a", {2}}}),
            (Expected{"l.${l+3}.a [x2]", "for l in 0..3 {", "if $l != 1 {", "l.${l+3}.b [x2]", "}", "}"}));
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

TEST(Side, KeysOfLayersCountLayersOnly) {
  const char* config = R"({"num_layers": 4, "head_dim": 4, "num_decoder_layers": 3, "num_experts": 2,
                           "attn_layer_period": 6, "attn_layer_offset": 5, "window": 2})";
  nlohmann::json json = nlohmann::json::parse(config);
  SideDrafter drafter(&json);
  std::vector<NamedShape> tensors = {{"e.w", {6, 5, 4, 3, 2}}};
  for (int l = 0; l < 4; ++l) {
    for (int i = 0; i < 3; ++i)
      tensors.push_back({"enc.layers." + std::to_string(l) + ".layers." + std::to_string(i), {4}});
    for (int i = 0; i < 2; ++i)
      tensors.push_back({"enc.layers." + std::to_string(l) + ".experts." + std::to_string(i), {2}});
  }
  EXPECT_EQ(drafter.Declare(tensors),
            (Expected{"e.w [x6 x5 d x3 x2]", "enc.layers.$l.experts.$m [x2]", "enc.layers.$l.layers.$e [d]"}));
  EXPECT_EQ(drafter.Dims(false), (Expected{"l = config.num_layers", "m = config.num_experts", "d = config.head_dim",
                                           "# x2 is 2: config.num_experts, or config.window"}));
}

}  // namespace
}  // namespace aoa::draft
