// Small files that would be large, or take long: what they say over and over is counted before it is believed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/deepspeed_values.h"
#include "runtime/formats/paddle_file.h"
#include "runtime/formats/pickle_writer.h"
#include "runtime/formats/torch_file.h"
#include "runtime/formats/torch_json.h"
#include "tests/unit/checkpoints.h"
#include "tests/unit/safetensors_files.h"
#include "tests/unit/scratch.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using ::testing::HasSubstr;
using testing::Scratch;

constexpr int64_t kHuge = int64_t{1} << 56;

std::string TilingReason(const Shape& shape, const std::vector<DcpChunk>& chunks) {
  Status status = CheckTiling("w", shape, chunks);
  return status.ok() ? "" : status.message();
}

TEST(Tiling, SizesAreMultipliedWithoutOverflow) {
  EXPECT_THAT(TilingReason({kHuge, kHuge, kHuge, kHuge}, {}), HasSubstr("too many"));
  EXPECT_THAT(TilingReason(Shape(64, 1 << 20), {}), HasSubstr("too many"));
  EXPECT_THAT(TilingReason({0, kHuge, kHuge}, {}), HasSubstr("too many"));
  EXPECT_EQ(TilingReason({4, 0}, {}), "");
  EXPECT_EQ(TilingReason({4, 0}, {DcpChunk{{0, 0}, {4, 0}, {}}}), "");
  EXPECT_EQ(TilingReason({}, {DcpChunk()}), "");
}

// Whichever axis they cut, a hundred thousand chunks are not compared pair by pair.
TEST(Tiling, ManyChunks) {
  constexpr int64_t kChunks = 100'000;
  for (size_t axis : {size_t{0}, size_t{1}}) {
    Shape shape = {3, 3};
    shape[axis] = kChunks;
    std::vector<DcpChunk> chunks;
    for (int64_t i = 0; i < kChunks; ++i) {
      DcpChunk chunk{{0, 0}, {3, 3}, {}};
      chunk.at[axis] = i;
      chunk.shape[axis] = 1;
      chunks.push_back(std::move(chunk));
    }
    EXPECT_EQ(TilingReason(shape, chunks), "");
    chunks[5].at[axis] = 7;
    EXPECT_THAT(TilingReason(shape, chunks), HasSubstr("overlap"));
  }
}

TEST(ParameterShapes, AGroupIsReadOnce) {
  pickle::Tree tree;
  Value* group = tree.Dict();
  tree.Set(group, "w", tree.Tuple({tree.Int(2), tree.Int(3)}));
  auto shapes = ShapesOf(tree.List({group}));
  ASSERT_TRUE(shapes.ok());
  EXPECT_EQ((*shapes)[0][0].shape, (Shape{2, 3}));
  shapes = ShapesOf(tree.List(std::vector<const Value*>(1 << 20, group)));
  ASSERT_FALSE(shapes.ok());
  EXPECT_THAT(shapes.status().message(), HasSubstr("`w` twice"));
}

TEST(ParameterShapes, AreMultipliedWithoutOverflow) {
  pickle::Tree tree;
  Value* group = tree.Dict();
  tree.Set(group, "w", tree.Tuple({tree.Int(0), tree.Int(kHuge), tree.Int(kHuge)}));
  auto shapes = ShapesOf(tree.List({group}));
  ASSERT_FALSE(shapes.ok());
  EXPECT_THAT(shapes.status().message(), HasSubstr("too many elements"));
}

TEST(Arguments, ALongTextIsNotRepeatedForEver) {
  pickle::Tree tree;
  const Value* text = tree.Text(std::string(32 << 10, 'x'));
  Value* root = tree.Dict();
  tree.Set(root, "first", tree.Int(1));
  tree.Set(root, "texts", tree.List(std::vector<const Value*>(1 << 20, text)));
  const nlohmann::json json = JsonOf(*root);
  EXPECT_EQ(json["first"], 1);
  EXPECT_LT(json.dump().size(), size_t{12} << 20);
}

TEST(Leaves, AContainerIsWalkedOnce) {
  pickle::Tree tree;
  Value *shared = tree.Dict(), *root = tree.Dict();
  for (int i = 0; i < 20'000; ++i) tree.Set(shared, std::to_string(i), tree.Int(i));
  tree.Set(root, "shared", tree.List(std::vector<const Value*>(100'000, shared)));
  size_t visits = 0;
  Status status = EachLeaf(*root, [&](const std::string&, const Value&) {
    ++visits;
    return Status();
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(visits, 120'002u);
}

// An array as Paddle pickles numpy's.
const Value* Array(pickle::Tree& tree, const char* type, int64_t count, const std::string& bytes) {
  Value* dtype = tree.Call("numpy dtype", {tree.Text(type), tree.Bool(false), tree.Bool(true)});
  Value* array = tree.Call("numpy.core.multiarray _reconstruct", {});
  const Value* text = tree.Call("_codecs encode", {tree.Text(bytes), tree.Text("latin1")});
  array->state = tree.Tuple({tree.Int(1), tree.Tuple({tree.Int(count)}), dtype, tree.Bool(false), text});
  return array;
}

TEST(Slices, AreOfOneType) {
  for (const char* type : {"f4", "i4"}) {
    pickle::Tree tree;
    Value *root = tree.Dict(), *slices = tree.Dict(), *slice = tree.Dict();
    tree.Set(root, "w@@0", Array(tree, "f4", 1, "abcd"));
    tree.Set(root, "w@@1", Array(tree, type, 1, "efgh"));
    tree.Set(slice, "OriginShape", tree.Tuple({tree.Int(2)}));
    tree.Set(slice, "slices", tree.List({tree.Text("w@@0"), tree.Text("w@@1")}));
    tree.Set(slices, "w", slice);
    tree.Set(root, "UnpackBigParamInfor@@", slices);
    auto written = pickle::Write(*root, pickle::Protocol::kTwo);
    ASSERT_TRUE(written.ok()) << written.status().message();
    Scratch scratch;
    auto file = ReadPaddleFile(scratch.Write("w.pdparams", written->bytes));
    if (type == std::string_view("f4")) {
      ASSERT_TRUE(file.ok()) << file.status().message();
      EXPECT_EQ(file->arrays.at("w").shape, Shape{2});
      continue;
    }
    ASSERT_FALSE(file.ok());
    EXPECT_THAT(file.status().message(), HasSubstr("its slices are of f32 and of i32"));
  }
}

TEST(Shards, OfATensorAreOfOneType) {
  for (const char* type : {"F32", "I32"}) {
    Scratch scratch;
    auto write = [&](int number, const std::string& dtype) {
      const std::string offsets = R"({\"w\":{\"saved_offsets\":[)" + std::to_string(number) + "]}}";
      const std::string header = R"({"__metadata__":{"DCP_SHARDING_INFO":")" + offsets + R"("},"w":{"dtype":")" +
                                 dtype + R"(","shape":[1],"data_offsets":[0,4]}})";
      scratch.Write("shard-0000" + std::to_string(number) + ".safetensors", testing::FileOf(header, 4));
    };
    write(0, "F32");
    write(1, type);
    if (type == std::string_view("F32")) {
      EXPECT_EQ(testing::MustRead(scratch.root(), "dcp").files.size(), 2u);
    } else {
      EXPECT_THAT(testing::Reason(scratch.root(), "dcp"), HasSubstr("`w` is i32 here, and f32 in another file"));
    }
  }
}

}  // namespace
}  // namespace aoa::formats
