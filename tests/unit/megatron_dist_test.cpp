#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/formats/megatron_buffers.h"
#include "runtime/formats/megatron_dist_buckets.h"
#include "runtime/formats/megatron_dist_model.h"

namespace aoa::formats {
namespace {

TEST(MegatronDist, NamesOfStacks) {
  EXPECT_TRUE(IsStackedName("decoder.layers.mlp.linear_fc1.weight"));
  EXPECT_FALSE(IsStackedName("decoder.layers.3.mlp.linear_fc1.weight"));
  EXPECT_FALSE(IsStackedName("decoder.final_layernorm.weight"));
  EXPECT_FALSE(IsStackedName("decoder.layers."));
}

// Two layers of a gate and what it gates, 4 rows each, over 2 ranks.
const DistTensor kGated = {"decoder.layers.mlp.linear_fc1.weight", DType::kBF16, {2, 8, 3}, true, 1, 2};
const DistTensor kRows = {"decoder.layers.mlp.linear_fc2.weight", DType::kBF16, {2, 3, 4}, true, 2, 1};

TEST(MegatronDist, ARankHasAPieceOfEveryPart) {
  EXPECT_EQ(ParameterElements(kGated, 2), 12);
  const auto boxes = BoxesOf(kGated, 1, 1, 2);
  ASSERT_EQ(boxes.size(), 2u);
  EXPECT_EQ(boxes[0].at, (Shape{1, 2, 0}));
  EXPECT_EQ(boxes[1].at, (Shape{1, 6, 0}));
  EXPECT_EQ(boxes[1].shape, (Shape{1, 2, 3}));
  EXPECT_EQ(boxes[1].first, 6);
  EXPECT_EQ(boxes[1].count, 6);
}

TEST(MegatronDist, ACutAlongAnInnerAxis) {
  const auto boxes = BoxesOf(kRows, 0, 1, 2);
  ASSERT_EQ(boxes.size(), 1u);
  EXPECT_EQ(boxes[0].at, (Shape{0, 0, 2}));
  EXPECT_EQ(boxes[0].shape, (Shape{1, 3, 2}));
  EXPECT_EQ(boxes[0].count, ParameterElements(kRows, 2));
}

DcpTensor ChunksOf(const DistTensor& tensor, int64_t tp) {
  DcpTensor out{tensor.name, tensor.dtype, tensor.whole, {}};
  for (int64_t layer = 0; layer < tensor.whole[0]; ++layer) {
    for (int64_t t = 0; t < tp; ++t) {
      for (const DistBox& box : BoxesOf(tensor, layer, t, tp)) out.chunks.push_back({box.at, box.shape, {}});
    }
  }
  return out;
}

TEST(MegatronDist, ChunksSayHowATensorIsCut) {
  for (const DistTensor& tensor : {kGated, kRows}) {
    auto found = DistTensorOf(ChunksOf(tensor, 2), 2);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->axis, tensor.axis);
    EXPECT_EQ(found->parts, tensor.parts);
  }
  DistTensor odd = kRows;
  odd.whole = {2, 6, 3};
  odd.axis = 1;
  EXPECT_FALSE(DistTensorOf(ChunksOf(odd, 3), 2));  // three pieces for two ranks
}

std::vector<DistTensor> Model(bool tied) {
  std::vector<DistTensor> out = {
      {"embedding.word_embeddings.weight", DType::kBF16, {8, 4}},
      {"decoder.layers.self_attention.linear_qkv.layer_norm_weight", DType::kBF16, {4, 4}, true},
      {"decoder.layers.self_attention.linear_qkv.weight", DType::kBF16, {4, 12, 4}, true},
      {"decoder.layers.self_attention.linear_proj.weight", DType::kBF16, {4, 4, 4}, true},
      {"decoder.final_layernorm.weight", DType::kBF16, {4}}};
  if (!tied) out.push_back({"output_layer.weight", DType::kBF16, {8, 4}});
  return out;
}

std::vector<size_t> NumbersOf(const std::optional<std::vector<DistParameter>>& parameters) {
  std::vector<size_t> out;
  for (const DistParameter& parameter : parameters.value()) out.push_back(parameter.tensor);
  return out;
}

TEST(MegatronDist, TheOrderOfParameters) {
  const auto model = Model(false);
  EXPECT_EQ(NumbersOf(ParametersOf(model, {0, 1, true, true}, DistOrder::kLocal)),
            (std::vector<size_t>{0, 1, 3, 2, 4, 5}));
  EXPECT_EQ(NumbersOf(ParametersOf(model, {0, 1, true, true}, DistOrder::kTransformerEngine)),
            (std::vector<size_t>{0, 3, 1, 2, 4, 5}));
  EXPECT_EQ(NumbersOf(ParametersOf(model, {1, 3, false, false}, DistOrder::kLocal)),
            (std::vector<size_t>{1, 3, 2, 1, 3, 2}));
}

TEST(MegatronDist, TheLastStageHasACopyOfASharedEmbedding) {
  const auto model = Model(true);
  auto last = ParametersOf(model, {2, 4, false, true}, DistOrder::kLocal);
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->back().copy && last->back().alone && last->back().tensor == 0);
  EXPECT_TRUE(ParametersOf(model, {0, 2, true, false}, DistOrder::kLocal)->front().alone);
  auto only = ParametersOf(model, {0, 4, true, true}, DistOrder::kLocal);
  EXPECT_TRUE(std::none_of(only->begin(), only->end(), [](const DistParameter& p) { return p.alone || p.copy; }));
}

TEST(MegatronDist, ModelsThatAreNotKnown) {
  auto model = Model(false);
  model.push_back({"decoder.layers.mlp.router.weight", DType::kBF16, {4, 2, 4}, true});
  EXPECT_FALSE(ParametersOf(model, {0, 4, true, true}, DistOrder::kLocal));
}

TEST(MegatronBuffers, BucketsWithTheirPadding) {
  const BufferParameter parameters[] = {{1600, true}, {900, false}, {6, false}};
  const BufferLayout layout = LayOutBuffer(parameters, {0, 64, 3, false});
  ASSERT_EQ(layout.buckets.size(), 2u);
  EXPECT_EQ(layout.buckets[0].elements, 1024);  // up to where the next would begin
  EXPECT_EQ(layout.buckets[0].padded, 1152);
  EXPECT_EQ(layout.buckets[1].begin, 1024);
  EXPECT_EQ(layout.buckets[1].elements, 1600);
  EXPECT_EQ(layout.buckets[1].padded, 1920);
}

}  // namespace
}  // namespace aoa::formats
