#include "runtime/formats/composite.h"

#include <gtest/gtest.h>

#include "runtime/formats/flat.h"

namespace aoa::formats {
namespace {

TEST(Flat, WindowsCutTensors) {
  const FlatItem items[] = {{0, 5}, {6, 0}, {6, 10}};
  const int64_t bounds[] = {0, 4, 4, 12, 20};
  std::vector<std::vector<FlatWindow>> expected = {{{0, 0, 4, 0}}, {}, {{0, 4, 1, 0}, {2, 0, 6, 2}}, {{2, 6, 4, 0}}};
  EXPECT_EQ(CutFlat(items, bounds), expected);
}

TEST(Composite, PartsFollowEachOther) {
  Schema schema;
  CompositeSchema files(schema);
  uint32_t a = files.StoreOf("a", 100), b = files.StoreOf("b", 100);
  EXPECT_EQ(files.StoreOf("a", 100), a);
  files.Begin("rank 0", 0);
  const StoredPart parts[] = {{a, 10, 8}, {b, 0, 8}};
  ASSERT_TRUE(files.Add("w", DType::kF32, {2, 2}, parts).ok());
  ASSERT_TRUE(files.AddNumber("w.step", DType::kI64, 7).ok());
  const StoredPart rest[] = {{b, 8, 4}};
  ASSERT_TRUE(files.Add("v", DType::kBF16, {1}, rest, DType::kF32).ok());
  files.End();
  ASSERT_EQ(schema.files.size(), 1u);
  const SchemaFile& file = schema.files[0];
  EXPECT_EQ(file.size, 28u);
  ASSERT_EQ(file.stretches->size(), 4u);
  EXPECT_EQ((*file.stretches)[2].store, 2u);
  EXPECT_EQ(*schema.stores[2].content, std::string("\7\0\0\0\0\0\0\0", 8));
  const SchemaTable& table = schema.tables[file.table];
  EXPECT_EQ(table[2].begin, 24u);
  EXPECT_EQ(table[2].held, DType::kF32);
}

TEST(Composite, RefusesWhatDoesNotFit) {
  Schema schema;
  CompositeSchema files(schema);
  uint32_t a = files.StoreOf("a", 10);
  files.Begin("rank 0", 0);
  const StoredPart beyond[] = {{a, 4, 8}}, few[] = {{a, 0, 4}};
  EXPECT_EQ(files.Add("w", DType::kF32, {2}, beyond).message(), "a: `w` would lie at bytes 4 to 12 of 10");
  EXPECT_EQ(files.Add("v", DType::kF32, {2}, few).message(), "rank 0: `v` [2] has 4 bytes, not 8");
  EXPECT_EQ(files.Add("v", DType::kF32, {1}, few).message(), "rank 0: there are two tensors `v`");
}

}  // namespace
}  // namespace aoa::formats
