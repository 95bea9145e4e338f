#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/formats/paddle.h"
#include "runtime/formats/paddle_file.h"
#include "runtime/formats/paddle_flex.h"
#include "runtime/formats/paddle_writer.h"
#include "tests/unit/scratch.h"

namespace aoa::formats {
namespace {

using ::testing::HasSubstr;
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

}  // namespace
}  // namespace aoa::formats
