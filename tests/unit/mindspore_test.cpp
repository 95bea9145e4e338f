#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/core/sharding.h"
#include "compiler/core/sharding_needs.h"
#include "runtime/formats/mindspore_ckpt.h"
#include "runtime/formats/mindspore_files.h"
#include "runtime/formats/mindspore_strategy.h"
#include "tests/unit/scratch.h"

namespace aoa::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::ReadFile;
using testing::Scratch;

std::string Data(std::string_view name) { return AOA_TEST_DATA "/mindspore/" + std::string(name); }

// ---------------------------------------------------------------- .ckpt

TEST(MindSporeCkpt, ScansTensorsAndNumbers) {
  auto file = ScanCkpt(Data("plain.ckpt"));
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->entries.size(), 3u);
  const CkptEntry& w = file->entries[0];
  EXPECT_EQ(w.name, "w");
  EXPECT_EQ(w.dims, (Shape{2, 3}));
  EXPECT_EQ(w.dtype, DType::kF32);
  EXPECT_EQ(w.parts[0].offset, 22u);
  EXPECT_EQ(w.bytes, 24u);
  EXPECT_EQ(file->entries[1].dtype, DType::kBF16);
  EXPECT_EQ(file->entries[2].dims, Shape{});
  EXPECT_FALSE(file->crc.has_value());
}

TEST(MindSporeCkpt, KeepsTheChecksumApart) {
  auto file = ScanCkpt(Data("crc.ckpt"));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->entries.size(), 3u);
  EXPECT_EQ(file->crc, 0x84f188aeu);
}

// The file as it would be written with these contents.
std::string Written(const CkptLayout& layout, const std::vector<std::string>& contents,
                    const std::vector<TargetTensor>& table) {
  std::string out(layout.size, '?');
  for (const Insert& insert : layout.inserts) out.replace(insert.offset, insert.bytes, *insert.content);
  for (const PlacedTensor& placed : layout.tensors) {
    const auto width = static_cast<size_t>(Width(table[placed.tensor].dtype));
    const bool all = placed.count == PlacedTensor::kAll;
    std::string part = all ? contents[placed.tensor]
                           : contents[placed.tensor].substr(static_cast<size_t>(placed.first) * width,
                                                            static_cast<size_t>(placed.count) * width);
    out.replace(placed.offset, part.size(), part);
  }
  return out;
}

TEST(MindSporeCkpt, IsWrittenAsMindSporeWritesIt) {
  const std::string plain = ReadFile(Data("plain.ckpt"));
  const std::vector<TargetTensor> table = {{"w", DType::kF32, {2, 3}, 24}, {"b", DType::kBF16, {2}, 4}};
  auto layout = LayOutCkpt(table, {{"epoch_num", "Int32", {}, std::string("\7\0\0\0", 4)}});
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  EXPECT_EQ(Written(*layout, {plain.substr(22, 24), plain.substr(67, 4)}, table), plain);
}

TEST(MindSporeCkpt, SplitsLargeTensorsAndJoinsThem) {
  Scratch scratch;
  const std::vector<TargetTensor> table = {{"w", DType::kF16, {5, 2}, 20}, {"e", DType::kF32, {0, 3}, 0}};
  auto layout = LayOutCkpt(table, {}, 8);
  ASSERT_TRUE(layout.ok());
  const std::string content = "abcdefghijklmnopqrst";
  const std::string path = scratch.Write("a.ckpt", Written(*layout, {content, ""}, table));
  auto file = ScanCkpt(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->entries.size(), 2u);
  EXPECT_EQ(file->entries[0].parts.size(), 3u);
  std::string joined, text = ReadFile(path);
  for (const CkptPart& part : file->entries[0].parts) joined += text.substr(part.offset, part.bytes);
  EXPECT_EQ(joined, content);
  EXPECT_EQ(file->entries[1].bytes, 0u);
}

struct Broken {
  const char* what;
  std::string_view bytes;
  const char* says;
};

TEST(MindSporeCkpt, RefusesBrokenFiles) {
  using namespace std::string_view_literals;
  const Broken cases[] = {
      {"empty", ""sv, "holds nothing"},
      {"strategy", "\x08\x01"sv, "byte 0: a field with the key 8, where a value should begin"},
      {"length beyond the file", "\x0a\x7f\x0a"sv, "byte 1: a length of 127 bytes, where 1 are left"},
      {"length of 2^63", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv, "where 0 are left"},
      {"number of 70 bits", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv, "more than 64 bits"},
      {"no tensor", "\x0a\x03\x0a\x01w"sv, "byte 0: a value without a tensor"},
      {"no name", "\x0a\x0f\x12\x0d\x12\x05Int32\x1a\x04\0\0\0\0"sv, "byte 0: a value without a name"},
      {"map tensor", "\x0a\x05\x0a\x01w\x1a\0"sv, "`w` is a map tensor"},
      {"no content", "\x0a\x0c\x0a\x01w\x12\x07\x12\x05Int32"sv, "byte 5: a tensor without a content"},
      {"unknown type", "\x0a\x10\x0a\x01w\x12\x0b\x12\x04Int4\x1a\x03\0\0\0"sv, "`w` is of the type `Int4`"},
      {"too few bytes", "\x0a\x12\x0a\x01w\x12\x0d\x08\x02\x12\x05Int32\x1a\x02\0\0"sv,
       "`w` [2] of Int32 has 2 bytes, not 8"},
      {"twice",
       "\x0a\x12\x0a\x01w\x12\x0d\x12\x05Int32\x1a\x04\0\0\0\0\x0a\x12\x0a\x01v\x12\x0d\x12\x05Int32\x1a\x04\0\0"
       "\0\0\x0a\x12\x0a\x01w\x12\x0d\x12\x05Int32\x1a\x04\0\0\0\0"sv,
       "there are two tensors `w`"},
      {"huge dims", "\x0a\x1c\x0a\x01w\x12\x17\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x12\x05Int32\x1a\x04\0\0\0\0"sv,
       "no tensor has such dims"},
      {"group", "\x0a\x05\x0a\x01w\x23\x24"sv, "a field of wire type 3"},
  };
  Scratch scratch;
  for (const Broken& c : cases) {
    auto file = ScanCkpt(scratch.Write("x.ckpt", c.bytes));
    ASSERT_FALSE(file.ok()) << c.what;
    EXPECT_THAT(file.status().message(), HasSubstr(c.says)) << c.what;
    EXPECT_THAT(file.status().message(), HasSubstr("x.ckpt")) << c.what;
  }
}

// ---------------------------------------------------------------- strategies

TEST(MindSporeStrategy, ReadsProtobuf) {
  auto layout = ReadStrategies(Data("strategy.ckpt"));
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  EXPECT_EQ((*layout)->stages, 1);
  EXPECT_EQ((*layout)->ranks, 8);
  const Sharding* w = (*layout)->At((*layout)->Find("w"), 5);
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->mesh, (Shape{2, 4}));
  EXPECT_THAT(w->cuts, ElementsAre(std::vector<size_t>{}, std::vector<size_t>{1}));
  EXPECT_EQ(w->again, 2);
  EXPECT_THAT(CoordinatesIn(*w, 5), ElementsAre(1, 1, 1));
  EXPECT_EQ(WholeShapeOf(*w, {4, 3}), (Shape{8, 12}));
}

Strategy Small() {
  Strategy strategy;
  strategy.stage = 0;
  strategy.items["a"] = {{2, 3, 2}, {{2, 0}, {}}, 2, -1, {}};
  strategy.items["b"] = {{12}, {{}}, 0, 0, {}};
  return strategy;
}

TEST(MindSporeStrategy, BothFormsSayTheSame) {
  Scratch scratch;
  const std::string pb = WriteStrategy(Small(), StrategyForm::kProtobuf);
  const std::string json = WriteStrategy(Small(), StrategyForm::kJson);
  for (const std::string& text : {pb, json}) {
    auto parsed = ParseStrategy(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(parsed->items, Small().items);
    EXPECT_EQ(parsed->stage, 0);
  }
  auto layout = ReadStrategies(scratch.Write("s.ckpt", pb));
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(StrategyOf(**layout).items, Small().items);
}

// JSON writes an axis that is cut twice as two.
TEST(MindSporeStrategy, JsonAxesAreJoined) {
  Sharding sharding{{2, 2}, {{0}, {1}, {}}, 1, {2, 48, 32}};
  EXPECT_EQ(WholeShapeOf(sharding, {24, 32}), (Shape{96, 32}));
  EXPECT_EQ(WholeShapeOf(sharding, {1, 24, 32}), (Shape{2, 48, 32}));
  EXPECT_EQ(WholeShapeOf(sharding, {7, 32}), std::nullopt);
  sharding.cuts = {{}, {0}, {}};
  EXPECT_EQ(WholeShapeOf(sharding, {48, 32}), std::nullopt);  // the cut axis is not the outer one
}

TEST(MindSporeStrategy, HoldersAreCountedAcrossAxes) {
  Sharding sharding{{3, 2, 2}, {{1}, {}}, 3, {}};  // six ranks hold each half; they cut it in three
  EXPECT_THAT(CoordinatesIn(sharding, 0), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(CoordinatesIn(sharding, 1), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(CoordinatesIn(sharding, 4), ElementsAre(1, 0, 0, 2));
  EXPECT_THAT(CoordinatesIn(sharding, 11), ElementsAre(2, 1, 1, 2));
}

TEST(MindSporeStrategy, StagesAreMerged) {
  Scratch scratch;
  Strategy first = Small(), second = Small();
  second.stage = 1;
  second.items.erase("a");
  scratch.Write("s/0.ckpt", WriteStrategy(first, StrategyForm::kProtobuf));
  scratch.Write("s/1.ckpt", WriteStrategy(first, StrategyForm::kProtobuf));
  scratch.Write("s/2.json", WriteStrategy(second, StrategyForm::kJson));
  auto layout = ReadStrategies(scratch.At("s"));
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  EXPECT_EQ((*layout)->stages, 2);
  EXPECT_TRUE((*layout)->Holds("a", 3));
  EXPECT_FALSE((*layout)->Holds("a", 12));
  EXPECT_TRUE((*layout)->Holds("b", 12));
  const Strategy merged = StrategyOf(**layout);
  EXPECT_TRUE(merged.items.contains("1-b"));
  auto again = ReadStrategies(scratch.Write("merged.ckpt", WriteStrategy(merged, StrategyForm::kProtobuf)));
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ((*again)->stages, 2);
  EXPECT_EQ(StrategyOf(**again).items, merged.items);
}

TEST(MindSporeStrategy, RefusesWhatDoesNotFit) {
  Scratch scratch;
  auto says = [&](const Strategy& strategy) {
    auto layout = ReadStrategies(scratch.Write("s.ckpt", WriteStrategy(strategy, StrategyForm::kProtobuf)));
    return layout.ok() ? "nothing" : layout.status().message();
  };
  Strategy strategy = Small();
  strategy.items["b"].devices = {6};
  EXPECT_THAT(says(strategy), EndsWith("`b` is of 6 ranks, `a` of 12"));
  strategy = Small();
  strategy.items["b"].map = {{3}};
  strategy.items["b"].devices = {2, 2, 3};
  strategy.items["b"].map = {{0}, {0}};
  EXPECT_THAT(says(strategy), EndsWith("parameter `b`: two of its axes are cut by device axis 0"));
  strategy = Small();
  strategy.stage = 1;
  EXPECT_THAT(says(strategy), EndsWith("there is a strategy of stage 1, and none of stage 0"));
  strategy = Small();
  strategy.items["b"].shard_step = 1;
  strategy.items["b"].shard_size = 24;
  EXPECT_THAT(says(strategy), EndsWith("`b` is cut by the optimizer into 24 parts, and 12 ranks hold each block"));
  EXPECT_FALSE(ParseStrategy("\x08").ok());
  EXPECT_FALSE(ParseStrategy("{\"parallel_layout_item\": {}}").ok());
  EXPECT_FALSE(ParseStrategy("{\"parallel_layout_item\": {\"w\": {\"dev_matrix\": [2], \"tensor_map\": [1]}}}").ok());
}

// ---------------------------------------------------------------- files and needs

TEST(MindSporeFiles, NamesWhatIsMissing) {
  Scratch scratch;
  Shardings layout;
  layout.path = "s";
  layout.ranks = 4;
  scratch.Write("c/rank_0/a.ckpt", "x");
  scratch.Write("c/rank_2/a.ckpt", "x");
  auto found = FindMindSporeFiles(scratch.At("c"), &layout);
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(found.status().message(), EndsWith("the layout s is of 4 ranks; missing: rank_1, rank_3"));
  scratch.Write("c/rank_1/a.ckpt", "x");
  scratch.Write("c/rank_3/a-1_9.ckpt", "x");
  scratch.Write("c/rank_3/a-1_10.ckpt", "x");
  found = FindMindSporeFiles(scratch.At("c"), &layout);
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_THAT(found->files[3].path, EndsWith("rank_3/a-1_9.ckpt"));  // the last by name
  layout.ranks = 3;
  EXPECT_THAT(FindMindSporeFiles(scratch.At("c"), &layout).status().message(), EndsWith("and there is rank_3"));
}

TEST(Shardings, NeedsAreTheLowestHolders) {
  Shardings from, to;
  from.ranks = 4;
  from.Add("w", 0, {{2, 2}, {{1}, {}}, 1, {}});
  from.Finish();
  to.ranks = 4;
  to.Add("w", 0, {{4}, {{0}, {}}, 1, {}});
  to.Finish();
  EXPECT_THAT(NeededRanks(&from, &to, {0, 1}), ElementsAre(0));
  EXPECT_THAT(NeededRanks(&from, &to, {3}), ElementsAre(1));
  EXPECT_THAT(NeededRanks(&from, nullptr, {0}), ElementsAre(0, 1));
  EXPECT_THAT(NeededRanks(nullptr, &to, {2}), ElementsAre(0));
}

}  // namespace
}  // namespace aoa::formats
