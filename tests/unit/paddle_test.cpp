#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/core/sharding.h"
#include "runtime/formats/paddle.h"
#include "runtime/formats/paddle_file.h"
#include "runtime/formats/paddle_flex.h"
#include "runtime/formats/paddle_partition.h"
#include "runtime/formats/paddle_target.h"
#include "runtime/formats/paddle_writer.h"
#include "tests/unit/scratch.h"

namespace aoa::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::Scratch;

std::string Data(std::string_view name) { return AOA_TEST_DATA "/paddle/" + std::string(name); }

TEST(PaddleFile, ReadsArraysWhereTheyLie) {
  auto file = ReadPaddleFile(Data("linear.pdparams"));
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->arrays.size(), 2u);
  const PaddleArray& weight = file->arrays.at("linear.weight");
  EXPECT_EQ(weight.dtype, DType::kF32);
  EXPECT_EQ(weight.shape, (Shape{2, 3}));
  EXPECT_EQ(weight.pieces[0].bytes, 24u);
  EXPECT_EQ(file->arrays.at("linear.bias").dtype, DType::kBF16);
  EXPECT_EQ(file->parameters.at("linear.bias"), "linear_0.b_0");
}

TEST(PaddleFlex, BoxesAreTensorRanksAndWindowsGoTogether) {
  auto schema = PaddleFormat().Read(Data("flex"), {});
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  EXPECT_EQ(schema->variant, "flex");
  EXPECT_EQ(schema->mesh.back(), (std::pair<std::string, int64_t>("tp", 2)));
  ASSERT_EQ(schema->files.size(), 2u);
  for (const SchemaFile& file : schema->files) {
    const SchemaTable& table = schema->tables[file.table];
    ASSERT_EQ(table.size(), 3u);
    EXPECT_EQ(schema->names[table[1].name], "w");
    EXPECT_EQ(schema->names[table[2].name], "w.moment1_0");
    EXPECT_EQ(schema->shapes[table[2].shape], (Shape{2, 2}));
  }
  EXPECT_EQ(schema->files[0].stretches->size(), 4u);
}

TEST(PaddleFlex, AMissingFileIsNamed) {
  Scratch scratch;
  const std::string folder = scratch.At("flex");
  std::filesystem::copy(Data("flex"), folder);
  std::filesystem::remove(folder + "/2_0.distcp");
  auto schema = PaddleFormat().Read(folder, {});
  ASSERT_FALSE(schema.ok());
  EXPECT_THAT(schema.status().message(), HasSubstr("2_0.distcp"));
}

// The windows of each weight on every rank as "first+count/length", "-" where there is none.
std::vector<std::string> Dealt(const std::vector<PaddleWeight>& weights, int64_t ranks, PaddleDealing dealing,
                               int64_t segment = kPaddleSegment) {
  std::vector<std::string> out;
  for (const auto& shares : DealPaddleStates(weights, ranks, dealing, segment)) {
    std::string& text = out.emplace_back();
    for (const PaddleShare& share : shares) {
      if (!text.empty()) text += ' ';
      if (!share.held)
        text += '-';
      else if (share.flat)
        text += fmt::format("{}+{}/{}", share.first, share.count, share.length);
      else
        text += "whole";
    }
  }
  return out;
}

std::vector<PaddleWeight> Weights(std::initializer_list<int64_t> counts, DType dtype) {
  std::vector<PaddleWeight> out;
  for (int64_t count : counts) out.push_back({count, dtype});
  return out;
}

// What Paddle 3.3.1 itself answers.
TEST(PaddlePartition, WholeStatesGoToTheRankWithTheLeast) {
  // embedding, q, k, v, o, gate, up, down, norm, head
  const auto weights = Weights({48, 36, 36, 36, 36, 60, 60, 60, 6, 48}, DType::kF32);
  EXPECT_THAT(Dealt(weights, 2, PaddleDealing::kWholeBySize),
              ElementsAre("- whole whole - whole whole - whole - -", "whole - - whole - - whole - whole whole"));
  EXPECT_THAT(Dealt(weights, 4, PaddleDealing::kWholeBySize),
              ElementsAre("- whole - - whole whole - - - -", "- - whole - - - whole - whole -",
                          "- - - whole - - - whole - -", "whole - - - - - - - - whole"));
  EXPECT_THAT(Dealt(weights, 2, PaddleDealing::kWholeInOrder),
              ElementsAre("whole - - whole - whole - whole - -", "- whole whole - whole - whole - whole whole"));
  EXPECT_THAT(Dealt(weights, 1, PaddleDealing::kBuffers),
              ElementsAre("whole whole whole whole whole whole whole whole whole whole"));
}

TEST(PaddlePartition, BuffersAreCutEvenly) {
  const auto weights = Weights({1600, 6, 900}, DType::kBF16);
  EXPECT_THAT(Dealt(weights, 2, PaddleDealing::kBuffers),
              ElementsAre("0+1536/1536 - -", "1536+64/256 0+6/256 0+900/1024"));
  EXPECT_THAT(Dealt(weights, 4, PaddleDealing::kBuffers),
              ElementsAre("0+896/896 - -", "896+704/896 - -", "1600+0/256 0+6/512 0+128/128", "- - 128+772/896"));
  EXPECT_THAT(Dealt(Weights({48}, DType::kF32), 4, PaddleDealing::kBuffers),
              ElementsAre("0+48/64", "48+0/64", "48+0/64", "48+0/64"));
}

TEST(PaddlePartition, BuffersHoldOneTypeAndCloseWhenTheyAreFull) {
  const std::vector<PaddleWeight> mixed = {{256, DType::kF32}, {256, DType::kBF16}, {128, DType::kF32}};
  EXPECT_THAT(Dealt(mixed, 2, PaddleDealing::kBuffers),
              ElementsAre("0+192/192 0+128/128 -", "192+64/64 128+128/128 0+128/128"));
  const int64_t full = (int64_t{256} << 20) / 4;  // elements of a full buffer
  EXPECT_THAT(Dealt(Weights({full, 128}, DType::kF32), 2, PaddleDealing::kBuffers),
              ElementsAre(fmt::format("0+{}/{} 0+64/64", full / 2, full / 2),
                          fmt::format("{}+{}/{} 64+64/64", full / 2, full / 2, full / 2)));
}

TEST(PaddlePartition, SlicesHavePadding) {
  EXPECT_THAT(Dealt(Weights({48, 10}, DType::kF32), 4, PaddleDealing::kSlices, 10),
              ElementsAre("0+16/16 whole", "16+16/16 whole", "32+16/16 whole", "48+0/16 whole"));
  EXPECT_THAT(Dealt(Weights({1003}, DType::kF32), 3, PaddleDealing::kSlices, 10),
              ElementsAre("0+342/342", "342+342/342", "684+319/342"));
  EXPECT_THAT(Dealt(Weights({24}, DType::kBF16), 4, PaddleDealing::kSlices, 1),
              ElementsAre("0+24/32", "24+0/32", "24+0/32", "24+0/32"));
}

TEST(PaddleWriter, DealsTheLargestStatesFirst) {
  TargetContent content;
  content.has_mesh = true;
  content.axes.axes = {{"sharding", 2}};
  content.tables = {{{"a", DType::kF32, {2}, 8},
                     {"b", DType::kF32, {4}, 16},
                     {"a.moment1_0", DType::kF32, {2}, 8, "moment1", 0},
                     {"b.moment1_0", DType::kF32, {4}, 16, "moment1", 1}}};
  content.ranks = {{0, 0}, {1, 0}};
  auto target = PaddleTarget::Make(content, PaddleDealing::kWholeBySize, kPaddleSegment);
  ASSERT_TRUE(target.ok()) << target.status().message();
  auto layout = LayOutPaddleRanks(*target);
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  ASSERT_EQ(layout->files.size(), 3u);
  EXPECT_EQ(layout->files[0].path, "model_state.pdparams");
  EXPECT_EQ(layout->files[1].path, "optimizer.shard00.pdopt");
  EXPECT_EQ(layout->files[1].tensors->front().tensor, 3u);
  EXPECT_EQ(layout->files[2].tensors->front().tensor, 2u);
}

// A weight cut by tp and one that is not, with a moment each, on sharding=2,tp=2.
TargetContent Content() {
  TargetContent content;
  content.has_mesh = true;
  content.axes.axes = {{"dp", 1}, {"pp", 1}, {"sharding", 2}, {"tp", 2}};
  content.tables = {{{"w", DType::kBF16, {2, 96}, 384},
                     {"norm", DType::kBF16, {4}, 8},
                     {"w.moment1_0", DType::kF32, {2, 96}, 768, "moment1", 0},
                     {"norm.moment1_0", DType::kF32, {4}, 16, "moment1", 1},
                     {"w.beta1_pow_acc_0", DType::kF32, {}, 4, "beta1_pow", 0, "", true}}};
  content.ranks = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
  auto shardings = std::make_shared<Shardings>();
  shardings->ranks = 4;
  Sharding sharding;
  sharding.mesh = {1, 1, 2, 2};
  sharding.cuts = {{}, {3}};
  for (const char* name : {"w", "w.moment1_0"}) shardings->Add(name, 0, sharding);
  shardings->Finish();
  content.shardings = shardings;
  return content;
}

// Writes what a layout says of its files, and zeros for tensors.
void Materialize(const TargetLayout& layout, const Scratch& scratch) {
  for (const ExtraFile& extra : layout.extras) scratch.Write(extra.path, extra.content);
  for (const TargetFile& file : layout.files) {
    std::string bytes(file.size, '\0');
    if (file.inserts) {
      for (const Insert& insert : *file.inserts) {
        if (insert.content) bytes.replace(insert.offset, insert.bytes, *insert.content);
      }
    }
    uint64_t at = 0;
    for (const auto& head : file.head) {
      bytes.replace(at, head->size(), *head);
      at += head->size();
    }
    scratch.Write(file.path, bytes);
  }
}

class PaddleVariant : public ::testing::TestWithParam<const char*> {};

TEST_P(PaddleVariant, IsReadAgain) {
  WriteOptions options;
  options.variant = GetParam();
  options.number = [](const std::string& name) { return name == "segment_size" ? std::optional(10) : std::nullopt; };
  auto layout = PaddleFormat().LayOut(Content(), options);
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  Scratch scratch;
  Materialize(*layout, scratch);
  auto schema = PaddleFormat().Read(scratch.root(), {});
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  EXPECT_EQ(schema->mesh.back(), (std::pair<std::string, int64_t>("tp", 2)));
  ASSERT_EQ(schema->files.size(), 2u);
  for (const SchemaFile& file : schema->files) {
    std::map<std::string, Shape> shapes;
    for (const StoredTensor& stored : schema->tables[file.table])
      shapes[schema->names[stored.name]] = schema->shapes[stored.shape];
    EXPECT_THAT(shapes, ElementsAre(Pair("norm", Shape{4}), Pair("norm.moment1_0", Shape{4}), Pair("w", Shape{2, 96}),
                                    Pair("w.beta1_pow_acc_0", Shape{1}), Pair("w.moment1_0", Shape{2, 96})));
  }
}

INSTANTIATE_TEST_SUITE_P(All, PaddleVariant,
                         ::testing::Values("flex", "flex_v2", "flex_stage2", "flex_stage3", "flex_safetensors",
                                           "pdparams", "pdparams_v2", "pdparams_stage2", "pdparams_stage3"));

// save_group_sharded_model has a folder for each rank, whose number does not say its place in the mesh.
TEST(PaddleRanks, FoldersOfRanksTellWhoIsTensorParallel) {
  WriteOptions options;
  options.variant = "pdparams_stage2";
  auto layout = PaddleFormat().LayOut(Content(), options);
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  Scratch files, folders;
  Materialize(*layout, files);
  for (int rank = 0; rank < 4; ++rank) {
    const std::string weights = fmt::format("model_state.tp{:02}.pdparams", rank % 2);
    const std::string states = fmt::format("optimizer.tp{:02}_shard{:02}.pdopt", rank % 2, rank / 2);
    folders.Write(fmt::format("rank{}/model.pdmodel", rank), testing::ReadFile(files.At(weights)));
    folders.Write(fmt::format("rank{}/model.pdopt", rank), testing::ReadFile(files.At(states)));
  }
  auto schema = PaddleFormat().Read(folders.root(), {});
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  EXPECT_THAT(schema->mesh, ElementsAre(Pair("dp", 1), Pair("pp", 1), Pair("sharding", 2), Pair("tp", 2)));
  ASSERT_EQ(schema->files.size(), 2u);
  for (const SchemaFile& file : schema->files) EXPECT_EQ(schema->tables[file.table].size(), 5u);
}

TEST(PaddleFlexWriter, ReplicasAreDealtToTheFilesWithTheFewest) {
  auto layout = PaddleFormat().LayOut(Content(), {});
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  std::map<std::string, size_t> counts;
  for (const TargetFile& file : layout->files) counts[file.path] = file.tensors->size();
  // The first block of `w` is on ranks 0 and 2, `norm` on all, the second block of `w` on 1 and 3.
  EXPECT_EQ(counts.at("model_state/0_0.distcp"), 1u);
  EXPECT_EQ(counts.at("model_state/1_0.distcp"), 1u);
  EXPECT_EQ(counts.at("model_state/2_0.distcp"), 0u);
  EXPECT_EQ(counts.at("model_state/3_0.distcp"), 1u);
}

TEST(PaddleFlexWriter, NeedsAllRanksAndEqualBlocks) {
  TargetContent content = Content();
  content.ranks.pop_back();
  auto layout = PaddleFormat().LayOut(content, {});
  ASSERT_FALSE(layout.ok());
  EXPECT_THAT(layout.status().message(), HasSubstr("--ranks"));
  content = Content();
  content.shardings = nullptr;
  layout = PaddleFormat().LayOut(content, {});
  ASSERT_FALSE(layout.ok());
  EXPECT_THAT(layout.status().message(), HasSubstr("blocks of different sizes"));
}

TEST(PaddleTarget, GroupedShardingHasNoStages) {
  TargetContent content;
  content.has_mesh = true;
  content.axes.axes = {{"pp", 2}, {"sharding", 2}};
  auto target = PaddleTarget::Make(content, PaddleDealing::kSlices, kPaddleSegment);
  ASSERT_FALSE(target.ok());
  EXPECT_THAT(target.status().message(), HasSubstr("no pipeline stages"));
}

}  // namespace
}  // namespace aoa::formats
