#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "runtime/formats/internevo.h"
#include "runtime/formats/internevo_files.h"
#include "runtime/formats/internevo_names.h"
#include "runtime/formats/internevo_partition.h"
#include "tests/unit/scratch.h"
#include "tests/unit/torch_files.h"

namespace aoa::formats {
namespace {

using ::testing::HasSubstr;
using Names = std::vector<std::string>;

TEST(InternEvoPartition, LargestFirstToTheLeastLoaded) {
  const std::vector<int64_t> sizes = {6, 40, 6, 30, 8};
  EXPECT_EQ(BySize(sizes), (std::vector<size_t>{1, 3, 4, 0, 2}));  // equal ones in their order
  const auto dealt = DealWhole(std::vector<int64_t>{40, 30, 8, 6, 6}, 2);
  EXPECT_EQ(dealt, (std::vector<std::vector<size_t>>{{0, 4}, {1, 2, 3}}));
  EXPECT_TRUE(DealWhole(std::vector<int64_t>{40}, 3)[2].empty());
  EXPECT_EQ(PlanEntry(3, {98, 32}), "3_98_32");
}

TEST(InternEvoPartition, Groups) {
  EXPECT_EQ(GroupOf("tok_embeddings.weight", DType::kBF16, DType::kBF16, false), InternEvoGroup::kDefault);
  EXPECT_EQ(GroupOf("tok_embeddings.weight", DType::kBF16, DType::kBF16, true), InternEvoGroup::kEmbedHead);
  EXPECT_EQ(GroupOf("norm.weight", DType::kF32, DType::kBF16, true), InternEvoGroup::kFp32);
  EXPECT_EQ(GroupOf("norm.weight", DType::kF32, DType::kF32, true), InternEvoGroup::kDefault);
}

TEST(InternEvoNames, VirtualStagesAreNumberedOn) {
  const Names stage = {"tok_embeddings.weight", "layers.0.a.weight", "layers.1.a.weight",
                       "layers.2.a.weight",     "layers.3.a.weight", "norm.weight"};
  const Names file = {"0.model.tok_embeddings.weight", "0.model.layers.0.a.weight", "0.model.layers.1.a.weight",
                      "1.model.layers.0.a.weight",     "1.model.layers.1.a.weight", "1.model.norm.weight"};
  Names names = file;
  auto chunks = ToStageNames(names);
  ASSERT_TRUE(chunks.ok()) << chunks.status().message();
  EXPECT_EQ(*chunks, 2);
  EXPECT_EQ(names, stage);
  ASSERT_TRUE(ToFileNames(names, 2, true).ok());
  EXPECT_EQ(names, file);
}

TEST(InternEvoNames, OneStageHasNoNumber) {
  Names names = {"model.layers.0.a.weight", "model.norm.weight"};
  EXPECT_EQ(*ToStageNames(names), 1);
  EXPECT_EQ(names, (Names{"layers.0.a.weight", "norm.weight"}));
  ASSERT_TRUE(ToFileNames(names, 1, false).ok());
  EXPECT_EQ(names[1], "model.norm.weight");
}

TEST(InternEvoNames, VirtualStagesThatDoNotFit) {
  Names uneven = {"0.model.layers.0.a", "1.model.layers.0.a", "1.model.layers.1.a"};
  EXPECT_THAT(ToStageNames(uneven).status().message(), HasSubstr("virtual stage 1 has 2 layers, stage 0 has 1"));
  Names mixed = {"0.model.layers.0.a", "model.norm.weight"};
  EXPECT_THAT(ToStageNames(mixed).status().message(), HasSubstr("`model.norm.weight` has no number"));
  Names three = {"layers.0.a", "layers.1.a", "layers.2.a"};
  EXPECT_THAT(ToFileNames(three, 2, true).message(), HasSubstr("3 layers of a stage do not divide into 2"));
}

TEST(InternEvoFiles, NamesOfVariants) {
  InternEvoMesh mesh{2, 6, 2, 4, 3, 1, "tp_wp"};
  EXPECT_EQ(mesh.model_ranks(), 4);
  EXPECT_EQ(mesh.optimizer_ranks(), 12);
  EXPECT_EQ(mesh.ModelName(1, 3), "model_tp1_wp3_pp1.pt");
  EXPECT_EQ(mesh.TopologyName(1, 3), "topo_tp1_wp3_pp1.json");
  EXPECT_EQ(mesh.OptimizerName(0, 7), "optimizer_tp1_wp3_pp0_dp3.pt");
  EXPECT_EQ(mesh.PlanName(1, 7), "gpus-24_wp-3_tp-1_dp-3_pp-1_zo-1.pt");
  mesh.variant = "wp";
  EXPECT_EQ(mesh.OptimizerName(0, 9), "optimizer_wp1_pp0_zo2.pt");
  mesh = {1, 2, 2, 1, 2, 1, "tp"};
  EXPECT_EQ(mesh.model_ranks(), 2);
  EXPECT_EQ(mesh.OptimizerName(0, 3), "optimizer_tp1_pp0_zo1.pt");
  EXPECT_EQ(mesh.PlanName(0, 3), "gpus-4_wp-0_tp-1_dp-1_pp-0_zo-1.pt");
}

// ---------------------------------------------------------------- writing

void AddTensor(std::vector<TargetTensor>& table, const std::string& name, DType dtype, const Shape& shape,
               const std::string& role = "", uint32_t weight = TargetTensor::kNoWeight) {
  TargetTensor tensor;
  tensor.name = name;
  tensor.dtype = dtype;
  tensor.shape = shape;
  tensor.bytes = static_cast<uint64_t>(ElementCount(shape) * Width(dtype));
  tensor.role = role;
  tensor.weight = weight;
  table.push_back(tensor);
}

// One rank's part of a model: an embedding, two layers of a matrix each, and a norm in f32.
std::vector<TargetTensor> Weights() {
  std::vector<TargetTensor> table;
  AddTensor(table, "tok_embeddings.weight", DType::kBF16, {5, 4});
  AddTensor(table, "layers.0.w.weight", DType::kBF16, {3, 4});
  AddTensor(table, "layers.1.w.weight", DType::kBF16, {3, 4});
  AddTensor(table, "norm.weight", DType::kF32, {4});
  return table;
}

void AddStates(std::vector<TargetTensor>& table) {
  for (uint32_t i = 0; i < 4; ++i) {
    for (const char* ending : {"exp_avg", "exp_avg_sq", "master"}) {
      if (table[i].dtype == DType::kF32 && std::string(ending) == "master") continue;
      AddTensor(table, table[i].name + "." + ending, DType::kF32, table[i].shape, ending, i);
    }
  }
}

TargetContent ContentOf(std::vector<TargetTensor> table, int64_t dp, int64_t tp, std::vector<Mesh::Axis> overlay) {
  TargetContent content;
  content.has_mesh = true;
  content.axes.axes = {{"pp", 1}, {"dp", dp}, {"tp", tp}};
  content.axes.overlays = {{std::move(overlay), tp == 1 ? std::vector<size_t>{1} : std::vector<size_t>{1, 2}}};
  content.mesh = content.axes.ToString();
  content.tables.push_back(std::move(table));
  for (int64_t rank = 0; rank < dp * tp; ++rank) content.ranks.emplace_back(rank, 0);
  return content;
}

void WriteAll(const TargetLayout& layout, const TargetContent& content, const testing::Scratch& scratch) {
  for (const TargetFile& file : layout.files) scratch.Write(file.path, testing::Assemble(file, content));
  for (const ExtraFile& file : layout.extras) scratch.Write(file.path, file.content);
}

// By name, a tensor's first byte: its number in the table, counted from 1.
std::map<std::string, int> FirstBytes(const Schema& schema) {
  std::map<std::string, int> out;
  for (const StoredTensor& tensor : schema.tables[schema.files[0].table]) {
    for (const Stretch& stretch : *schema.files[0].stretches) {
      if (tensor.begin < stretch.begin || tensor.begin >= stretch.begin + stretch.bytes) continue;
      const uint64_t at = stretch.offset + tensor.begin - stretch.begin;
      out[schema.names[tensor.name]] = testing::ReadFile(schema.stores[stretch.store].path)[at];
    }
  }
  return out;
}

TEST(InternEvoWriter, WhatIsWrittenIsRead) {
  std::vector<TargetTensor> table = Weights();
  AddStates(table);
  for (const char* variant : {"tp", "tp_wp", "wp"}) {
    const bool wp = std::string(variant) != "tp";
    const TargetContent content = wp ? ContentOf(table, 2, 2, {{"block", 1}, {"zo", 2}, {"wp", 2}})
                                     : ContentOf(table, 3, 1, {{"block", 1}, {"zo", 3}});
    WriteOptions options;
    options.variant = variant;
    options.iteration = 7;
    options.config = R"({"hidden_size": 4, "adapt_hf": true})";
    auto layout = InternEvoFormat().LayOut(content, options);
    ASSERT_TRUE(layout.ok()) << layout.status().message();
    testing::Scratch scratch;
    WriteAll(*layout, content, scratch);
    auto schema = InternEvoFormat().Read(scratch.root(), {});
    ASSERT_TRUE(schema.ok()) << schema.status().message();
    EXPECT_EQ(schema->variant, variant);
    EXPECT_EQ(schema->iteration, 7);
    EXPECT_THAT(schema->config, HasSubstr(R"("dtype":"torch.bfloat16","hidden_size":4,"num_chunks":1)"));
    EXPECT_EQ(schema->facts, (std::vector<std::pair<std::string, int64_t>>{{"adapt_hf", 1}}));
    ASSERT_EQ(schema->files.size(), wp ? 2u : 1u);
    const auto bytes = FirstBytes(*schema);
    for (uint32_t i = 0; i < table.size(); ++i)
      EXPECT_EQ(bytes.at(table[i].name), static_cast<int>(i + 1)) << table[i].name;
    EXPECT_EQ(bytes.size(), table.size() + 4);  // and steps
  }
}

// What a model file holds of no parameter is in no plan: a buffer has no states.
TEST(InternEvoReader, BuffersHaveNoStates) {
  std::vector<TargetTensor> table = Weights();
  AddStates(table);
  const TargetContent content = ContentOf(table, 2, 1, {{"block", 1}, {"zo", 2}});
  auto layout = InternEvoFormat().LayOut(content, {});
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  testing::Scratch scratch;
  WriteAll(*layout, content, scratch);
  std::vector<TargetTensor> buffered = Weights();
  AddTensor(buffered, "layers.0.mixer.rotary_emb.inv_freq", DType::kF32, {2});
  const TargetContent models = ContentOf(buffered, 2, 1, {{"block", 1}, {"zo", 2}});
  layout = InternEvoFormat().LayOut(models, {});
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  for (const TargetFile& file : layout->files) scratch.Write(file.path, testing::Assemble(file, models));
  auto schema = InternEvoFormat().Read(scratch.root(), {});
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  const auto bytes = FirstBytes(*schema);
  EXPECT_TRUE(bytes.contains("layers.0.mixer.rotary_emb.inv_freq"));
  EXPECT_TRUE(bytes.contains("norm.weight.exp_avg"));
  EXPECT_EQ(bytes.size(), table.size() + 5);  // and steps, and the buffer
}

TEST(InternEvoWriter, WhatIsKeptGoesOn) {
  std::vector<TargetTensor> table = Weights();
  AddStates(table);
  const TargetContent content = ContentOf(table, 2, 1, {{"block", 1}, {"zo", 2}});
  WriteOptions options;
  options.iteration = 7;
  auto layout = InternEvoFormat().LayOut(content, options);
  ASSERT_TRUE(layout.ok());
  testing::Scratch scratch;
  WriteAll(*layout, content, scratch);
  auto schema = InternEvoFormat().Read(scratch.root(), {});
  ASSERT_TRUE(schema.ok());
  options.preserved = schema->preserved;
  auto again = InternEvoFormat().LayOut(content, options);
  ASSERT_TRUE(again.ok());
  ASSERT_EQ(again->extras.size(), layout->extras.size());
  for (size_t i = 0; i < again->extras.size(); ++i) EXPECT_EQ(again->extras[i].path, layout->extras[i].path);
  // With weight parallelism there is one more group of parameters.
  options.variant = "tp_wp";
  again = InternEvoFormat().LayOut(ContentOf(table, 2, 2, {{"block", 1}, {"zo", 2}, {"wp", 2}}), options);
  ASSERT_TRUE(again.ok()) << again.status().message();
}

TEST(InternEvoWriter, WeightsAlone) {
  const TargetContent content = ContentOf(Weights(), 2, 1, {{"block", 1}, {"zo", 2}});
  auto layout = InternEvoFormat().LayOut(content, {});
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  ASSERT_EQ(layout->files.size(), 1u);
  EXPECT_EQ(layout->files[0].path, "model_tp0_pp0.pt");
  EXPECT_EQ(layout->extras.back().path, "0.step");
}

TEST(InternEvoWriter, MeshesAndStatesThatDoNotFit) {
  WriteOptions options;
  auto message = [&](const TargetContent& content, const char* variant) {
    options.variant = variant;
    return InternEvoFormat().LayOut(content, options).status().message();
  };
  std::vector<TargetTensor> table = Weights();
  EXPECT_THAT(message(ContentOf(table, 2, 1, {{"block", 1}, {"zo", 2}}), "wp"), HasSubstr("no axis `wp`"));
  EXPECT_THAT(message(ContentOf(table, 2, 2, {{"zo", 2}, {"wp", 2}}), "tp"), HasSubstr("without weight parallelism"));
  EXPECT_THAT(message(ContentOf(table, 2, 2, {{"zo", 4}, {"wp", 1}}), "wp"), HasSubstr("too few for tp = 2"));
  AddTensor(table, "norm.weight.exp_avg", DType::kF32, {4}, "exp_avg", 3);
  EXPECT_THAT(message(ContentOf(table, 1, 1, {{"zo", 1}}), "tp"), HasSubstr("InternEvo needs beside"));
  table = Weights();
  AddStates(table);
  EXPECT_THAT(message(ContentOf(table, 4, 1, {{"block", 2}, {"zo", 1}, {"wp", 2}}), "wp"), HasSubstr("take zo = 2"));
  table.back().name = "norm.weight.other";
  EXPECT_THAT(message(ContentOf(table, 1, 1, {{"zo", 1}}), "tp"), HasSubstr("is no state that InternEvo has"));
}

}  // namespace
}  // namespace aoa::formats
