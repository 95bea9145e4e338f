#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/core/check.h"
#include "runtime/formats/format.h"
#include "tests/unit/safetensors_files.h"

namespace aoa::formats {
namespace {

using namespace std::string_literals;
using testing::ContentOf;
using ::testing::HasSubstr;
using testing::HeadOf;
using testing::Scratch;
using testing::Tensor;

constexpr uint64_t kNoLimit = UINT64_MAX;

TargetLayout LayOut(const char* format, const TargetContent& content, uint64_t max_shard_size = kNoLimit) {
  auto layout = FindFormat(format)->LayOut(content, {max_shard_size});
  EXPECT_TRUE(layout.ok()) << layout.status().message();
  return layout.ok() ? *std::move(layout) : TargetLayout();
}

TargetContent Whole(std::vector<TargetTensor> tensors) {
  TargetContent content;
  content.tables.push_back(std::move(tensors));
  content.ranks = {{0, 0}};
  return content;
}

std::string HeaderText(const TargetFile& file) { return HeadOf(file).substr(8); }

// The bytes that safetensors 0.8 itself writes for these tensors (serialize, with metadata {"format": "pt"}).
TEST(SafetensorsLayout, AsTheReferenceLibrary) {
  TargetContent content =
      Whole({Tensor("z", DType::kF32, {0, 3}), Tensor("a\"\\/\0\x1f\n\t\b\f\x7fé😀"s, DType::kF32, {}),
             Tensor("b", DType::kF32, {0})});
  TargetLayout layout = LayOut("hf", content);
  ASSERT_EQ(layout.files.size(), 1u);
  EXPECT_EQ(HeaderText(layout.files[0]),
            "{\"__metadata__\":{\"format\":\"pt\"},\"a\\\"\\\\/"
            "\\u0000\\u001f\\n\\t\\b\\f\x7f\xc3\xa9\xf0\x9f\x98\x80\":{\"dtype\":\"F32\",\"shape\":[],"
            "\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]},\"z\":{\"dtype\":"
            "\"F32\",\"shape\":[0,3],"
            "\"data_offsets\":[4,4]}}");
  EXPECT_EQ(HeadOf(layout.files[0]).substr(0, 8), std::string("\xe0\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(HeadOf(LayOut("safetensors", Whole({})).files[0]), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
  EXPECT_EQ(HeadOf(LayOut("hf", Whole({})).files[0]),
            std::string(" \0\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"}}", 40));
}

TEST(SafetensorsLayout, TypesInTheLibrarysOrder) {
  std::vector<TargetTensor> tensors;
  for (DType type : {DType::kBool, DType::kU8, DType::kI8, DType::kF8E5M2, DType::kF8E4M3, DType::kF8E8M0,
                     DType::kF8E4M3FNUZ, DType::kF8E5M2FNUZ, DType::kI16, DType::kU16, DType::kF16, DType::kBF16,
                     DType::kI32, DType::kU32, DType::kF32, DType::kC64, DType::kF64, DType::kI64, DType::kU64}) {
    tensors.push_back(Tensor(std::string(Name(type)), type, {1}));
  }
  TargetContent content = Whole(tensors);
  TargetLayout layout = LayOut("safetensors", content);
  std::vector<uint32_t> order;
  for (const PlacedTensor& placed : *layout.files[0].tensors) order.push_back(placed.tensor);
  std::vector<uint32_t> descending(tensors.size());
  for (uint32_t i = 0; i < descending.size(); ++i) descending[i] = static_cast<uint32_t>(tensors.size()) - 1 - i;
  EXPECT_EQ(order, descending);
  Scratch scratch;
  WriteLayout(scratch, "m", layout, content);
  auto schema = FindFormat("safetensors")->Read(scratch.At("m"), {});
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  for (const StoredTensor& tensor : schema->tables[0]) EXPECT_EQ(schema->names[tensor.name], Name(tensor.dtype));
}

// What is laid out is read back: names, types, shapes, and each tensor's own bytes.
TEST(SafetensorsLayout, IsReadBack) {
  TargetContent content;
  content.has_mesh = true;
  content.mesh = "pp=2,tp=2";
  content.tables = {{Tensor("w", DType::kBF16, {3, 5}), Tensor("n", DType::kI64, {}), Tensor("e", DType::kF32, {0, 7})},
                    {Tensor("head", DType::kF16, {4}), Tensor("w", DType::kBF16, {3, 5}),
                     Tensor("x.\0y\xe2\x82\xac\"", DType::kU8, {3})}};
  content.ranks = {{0, 0}, {1, 0}, {2, 1}, {3, 1}};
  TargetLayout layout = LayOut("safetensors", content);
  Scratch scratch;
  WriteLayout(scratch, "m", layout, content);
  auto schema = FindFormat("safetensors")->Read(scratch.At("m"), {2});
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  ASSERT_EQ(schema->files.size(), 4u);
  EXPECT_EQ(schema->tables.size(), 2u);
  for (size_t i = 0; i < schema->files.size(); ++i) {
    const SchemaFile& file = schema->files[i];
    EXPECT_EQ(file.rank, layout.files[i].rank);
    EXPECT_EQ(file.size, layout.files[i].size);
    EXPECT_EQ(file.data_start, layout.files[i].data_start);
    EXPECT_EQ(file.data_start % 8, 0u);
    const SchemaTable& table = schema->tables[file.table];
    ASSERT_EQ(table.size(), layout.files[i].tensors->size());
    const std::string bytes = testing::ReadFile(file.path);
    for (size_t k = 0; k < table.size(); ++k) {
      const PlacedTensor& placed = (*layout.files[i].tensors)[k];
      const TargetTensor& tensor = content.tables[layout.files[i].table][placed.tensor];
      EXPECT_EQ(schema->names[table[k].name], tensor.name);
      EXPECT_EQ(schema->shapes[table[k].shape], tensor.shape);
      EXPECT_EQ(table[k].dtype, tensor.dtype);
      EXPECT_EQ(table[k].begin, placed.offset);
      EXPECT_EQ(bytes.substr(file.data_start + table[k].begin, table[k].bytes),
                std::string(tensor.bytes, static_cast<char>(placed.tensor + 1)));
    }
  }
}

TEST(SafetensorsLayout, RanksShareWhatIsEqual) {
  TargetContent content;
  content.has_mesh = true;
  content.mesh = "tp=200";
  content.tables = {{Tensor("w", DType::kF32, {2})}};
  for (int64_t rank = 0; rank < 200; rank += 7) content.ranks.emplace_back(rank, 0);  // as --ranks would ask
  TargetLayout layout = LayOut("safetensors", content);
  ASSERT_EQ(layout.files.size(), content.ranks.size());
  for (const TargetFile& file : layout.files) {
    EXPECT_EQ(file.tensors, layout.files[0].tensors);
    EXPECT_EQ(file.head[1], layout.files[0].head[1]);
    EXPECT_EQ(HeadOf(file).size(), file.data_start);
    EXPECT_EQ(file.size, file.data_start + 8);
    EXPECT_THAT(
        HeaderText(file),
        ::testing::StartsWith("{\"__metadata__\":{\"aoa.mesh\":\"tp=200\",\"aoa.rank\":\"" + std::to_string(file.rank) +
                              "\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"));
  }
  EXPECT_EQ(layout.files[1].path, "rank_00007.safetensors");
}

TEST(SafetensorsLayout, NamesThatAHeaderCannotHold) {
  auto reason = [](const std::string& name) {
    return FindFormat("safetensors")->LayOut(Whole({Tensor(name, DType::kU8, {1})}), {}).status().message();
  };
  EXPECT_EQ(reason("a\xff"), "tensor `a\\xff`: names in safetensors are UTF-8");
  EXPECT_EQ(reason("__metadata__"), "no tensor can be called `__metadata__` in safetensors");
  EXPECT_THROW(LayOut("safetensors", Whole({Tensor("w", DType::kU8, {1}), Tensor("w", DType::kF32, {1})})),
               InternalError);
}

TEST(SafetensorsLayout, HeadersLongerThanReadersTake) {
  auto layout = FindFormat("safetensors")->LayOut(Whole({Tensor(std::string(100'000'000, 'x'), DType::kU8, {1})}), {});
  EXPECT_EQ(layout.status().code(), StatusCode::kInvalid);
  EXPECT_THAT(layout.status().message(), HasSubstr("model.safetensors would need a header of 1000000"));
}

// Tensors of so many bytes, called t0, t1, ...: which shard holds which.
std::vector<std::vector<std::string>> Shards(const std::vector<int64_t>& sizes, uint64_t limit) {
  std::vector<TargetTensor> tensors;
  for (int64_t size : sizes) tensors.push_back(Tensor("t" + std::to_string(tensors.size()), DType::kU8, {size}));
  TargetContent content = Whole(tensors);
  std::vector<std::vector<std::string>> shards;
  TargetLayout layout = LayOut("hf", content, limit);
  for (const TargetFile& file : layout.files) {
    auto& names = shards.emplace_back();
    for (const PlacedTensor& placed : *file.tensors) names.push_back(tensors[placed.tensor].name);
  }
  Scratch scratch;
  WriteLayout(scratch, "m", layout, content);
  auto schema = FindFormat("hf")->Read(scratch.At("m"), {});
  EXPECT_TRUE(schema.ok()) << schema.status().message();
  EXPECT_EQ(layout.extras.size(), shards.size() > 1 ? 1u : 0u);
  return shards;
}

using Lists = std::vector<std::vector<std::string>>;

TEST(HfLayout, SplitsAsTheHubDoes) {
  EXPECT_EQ(Shards({3, 3, 3}, 9), Lists({{"t0", "t1", "t2"}}));
  EXPECT_EQ(Shards({3, 3, 3}, 8), Lists({{"t0", "t1"}, {"t2"}}));
  EXPECT_EQ(Shards({3, 3, 3}, 3), Lists({{"t0"}, {"t1"}, {"t2"}}));
  EXPECT_EQ(Shards({3, 9, 3}, 6),
            Lists({{"t1"}, {"t0", "t2"}}));  // too large for any shard: before the one that is open
  EXPECT_EQ(Shards({9, 9}, 6), Lists({{"t0"}, {"t1"}}));
  EXPECT_EQ(Shards({9}, 6), Lists({{"t0"}}));
  EXPECT_EQ(Shards({5, 4, 0, 1, 6}, 6), Lists({{"t0"}, {"t1", "t2", "t3"}, {"t4"}}));
  EXPECT_EQ(Shards({0, 0, 1}, 0), Lists({{"t2"}, {"t0", "t1"}}));
  EXPECT_EQ(Shards({}, 6), Lists({{}}));
}

TEST(HfLayout, TheIndexAsTransformersWritesIt) {
  TargetContent content =
      Whole({Tensor("m.10", DType::kBF16, {2, 3}), Tensor("m.2", DType::kF32, {}), Tensor("é\"", DType::kBF16, {4})});
  TargetLayout layout = LayOut("hf", content, 16);
  ASSERT_EQ(layout.files.size(), 2u);
  EXPECT_EQ(layout.files[0].path, "model-00001-of-00002.safetensors");
  EXPECT_EQ(layout.files[1].path, "model-00002-of-00002.safetensors");
  ASSERT_EQ(layout.extras.size(), 1u);
  EXPECT_EQ(layout.extras[0].path, "model.safetensors.index.json");
  EXPECT_EQ(layout.extras[0].content, R"({
  "metadata": {
    "total_parameters": 11,
    "total_size": 24
  },
  "weight_map": {
    "m.10": "model-00001-of-00002.safetensors",
    "m.2": "model-00001-of-00002.safetensors",
    "\u00e9\"": "model-00002-of-00002.safetensors"
  }
}
)");
}

TEST(HfLayout, HasNoRanks) {
  TargetContent content = Whole({});
  content.has_mesh = true;
  content.mesh = "tp=1";
  EXPECT_EQ(FindFormat("hf")->LayOut(content, {}).status().code(), StatusCode::kInvalid);
}

}  // namespace
}  // namespace aoa::formats
