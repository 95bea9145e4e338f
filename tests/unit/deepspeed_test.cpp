#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/formats/deepspeed_files.h"
#include "runtime/formats/deepspeed_partition.h"
#include "runtime/formats/deepspeed_reader.h"
#include "runtime/formats/deepspeed_target.h"
#include "runtime/formats/deepspeed_values.h"
#include "runtime/formats/deepspeed_writer.h"
#include "runtime/formats/torch_writer.h"
#include "tests/unit/scratch.h"
#include "tests/unit/torch_files.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using ::testing::HasSubstr;

// A checkpoint of one weight of three elements over two ranks, whose partitions are of two. Rank 1 stores one element
// of its fp32 partition, or both: the first bf16 optimizer leaves the padding there, and names no stage.
class OneWeight {
 public:
  explicit OneWeight(int64_t last, int64_t second_step = 5) {
    scratch_.Write("latest", "global_step5");
    WriteModel();
    WriteOptimizer(0, 2, 5);
    WriteOptimizer(1, last, second_step);
  }
  Result<Schema> Read() const { return ReadDeepSpeed(scratch_.root(), {}); }

 private:
  void Write(const std::string& name, const Value& object, const TorchStorages& storages) const {
    auto layout = LayOutTorch(name, object, storages);
    ASSERT_TRUE(layout.ok());
    scratch_.Write("global_step5/" + name, testing::Assemble(layout->size, layout->inserts, layout->checksums));
  }

  void WriteModel() const {
    pickle::Tree tree;
    TorchStorages storages(TorchFile::Container::kZip, tree);
    Value *root = tree.Dict(), *module = tree.Dict(), *shapes = tree.Dict();
    tree.Set(module, "w", storages.Tensor(DType::kBF16, {3}));
    tree.Set(shapes, "w", tree.Call("torch Size", {tree.Tuple({tree.Int(3)})}));
    tree.Set(root, "module", module);
    tree.Set(root, "param_shapes", tree.List({shapes}));
    Write("mp_rank_00_model_states.pt", *root, storages);
  }

  void WriteOptimizer(int rank, int64_t elements, int64_t step) const {
    pickle::Tree tree;
    TorchStorages storages(TorchFile::Container::kZip, tree);
    Value *root = tree.Dict(), *inner = tree.Dict(), *base = tree.Dict(), *states = tree.Dict(), *state = tree.Dict();
    tree.Set(state, "step", tree.Int(step));
    tree.Set(state, "exp_avg", storages.Tensor(DType::kF32, {2}));
    states->entries = {tree.Int(0), state};
    tree.Set(base, "state", states);
    tree.Set(inner, "base_optimizer_state", base);
    tree.Set(inner, "single_partition_of_fp32_groups", tree.List({storages.Tensor(DType::kF32, {elements})}));
    tree.Set(root, "optimizer_state_dict", inner);
    Write("bf16_zero_pp_rank_" + std::to_string(rank) + "_mp_rank_00_optim_states.pt", *root, storages);
  }

  testing::Scratch scratch_;
};

TEST(DeepSpeedStates, PaddingIsStoredOrNot) {
  for (int64_t last : {1, 2}) {
    auto schema = OneWeight(last).Read();
    ASSERT_TRUE(schema.ok()) << schema.status().message();
    EXPECT_EQ(schema->variant, "zero1");
    const SchemaTable& table = schema->tables[schema->files[0].table];
    ASSERT_EQ(table.size(), 4u);
    std::map<std::string, uint64_t> bytes;
    for (const StoredTensor& tensor : table) bytes[schema->names[tensor.name]] = tensor.bytes;
    EXPECT_EQ(bytes, (std::map<std::string, uint64_t>{{"w", 6}, {"w.exp_avg", 12}, {"w.fp32", 12}, {"w.step", 4}}));
  }
}

TEST(DeepSpeedStates, LengthsAndStepsAreChecked) {
  auto schema = OneWeight(3).Read();
  ASSERT_FALSE(schema.ok());
  EXPECT_THAT(schema.status().message(),
              HasSubstr("`fp32` of group 0 has 3 elements: of 3 over 2 ranks it would be 1"));
  schema = OneWeight(1, 6).Read();
  ASSERT_FALSE(schema.ok());
  EXPECT_THAT(schema.status().message(), HasSubstr("two steps in one folder"));
}

// The tensors A 48, q 36 and a norm of 7.
const std::vector<ZeroItem> kItems = {{48, 0}, {36, 0}, {7, 0}};

TEST(DeepSpeedPartition, TwoRanksShareATensor) {
  const ZeroPartition p = PartitionFlat(kItems, 2);
  EXPECT_EQ(p.part, 46);
  EXPECT_EQ(p.ranks[0], (std::vector<ZeroWindow>{{0, 0, 46, 0}}));
  EXPECT_EQ(p.ranks[1], (std::vector<ZeroWindow>{{0, 46, 2, 0}, {1, 0, 36, 2}, {2, 0, 7, 38}}));
  EXPECT_EQ(p.Padding(0), 0);
  EXPECT_EQ(p.Padding(1), 1);
}

TEST(DeepSpeedPartition, FourRanksAndPadding) {
  const ZeroPartition p = PartitionFlat(kItems, 4);
  EXPECT_EQ(p.part, 24);
  EXPECT_EQ(p.ranks[3], (std::vector<ZeroWindow>{{1, 24, 12, 0}, {2, 0, 7, 12}}));
  EXPECT_EQ(p.Padding(3), 5);
}

TEST(DeepSpeedPartition, MoreRanksThanElements) {
  const ZeroPartition p = PartitionFlat(std::vector<ZeroItem>{{3, 0}}, 4);
  EXPECT_EQ(p.part, 2);
  EXPECT_EQ(p.Padding(1), 1);
  EXPECT_EQ(p.Padding(3), 2);
  EXPECT_TRUE(p.ranks[3].empty());
}

TEST(DeepSpeedPartition, GapsAndPartsThatFilesHave) {
  const ZeroPartition p = PartitionFlat(std::vector<ZeroItem>{{1, 7}, {64, 0}}, 2, 40);
  EXPECT_EQ(p.part, 40);
  EXPECT_EQ(p.ranks[0], (std::vector<ZeroWindow>{{0, 0, 1, 0}, {1, 0, 32, 8}}));
  EXPECT_EQ(PartitionFlat(std::vector<ZeroItem>{{64, 0}}, 2, 8).part, 32);  // too short: the formula's
}

TEST(DeepSpeedPartition, EveryTensorByItself) {
  const ZeroPartition p = PartitionEach(std::vector<ZeroItem>{{50, 0}, {6, 0}}, 4);
  EXPECT_EQ(p.part, 15);
  EXPECT_EQ(p.ranks[3], (std::vector<ZeroWindow>{{0, 39, 11, 0}}));  // of the second it has nothing
  EXPECT_EQ(p.ranks[2], (std::vector<ZeroWindow>{{0, 26, 13, 0}, {1, 4, 2, 13}}));
}

TEST(DeepSpeedPartition, SubGroupsCloseWhenTheyAreFull) {
  EXPECT_EQ(SubGroups(kItems, 1, 50), (std::vector<size_t>{2, 1}));
  EXPECT_EQ(SubGroups(kItems, 1, 1000), (std::vector<size_t>{3}));
  EXPECT_EQ(SubGroups(kItems, 2, 24), (std::vector<size_t>{1, 2}));
}

TEST(DeepSpeedGroups, SubGroupsAreJoinedAsParamGroupsSay) {
  const std::vector<NamedShape> a = {{"a", {1}}}, b = {{"b", {1}}, {"c", {1}}}, norm = {{"norm", {1}}};
  pickle::Tree tree;
  auto numbered = [&](std::vector<const Value*> numbers) {
    Value* group = tree.Dict();
    tree.Set(group, "params", tree.List(std::move(numbers)));
    return group;
  };
  const Value* two = tree.List({numbered({tree.Int(0), tree.Int(1)}), numbered({tree.Int(2)})});
  using Names = std::vector<std::vector<std::string>>;
  EXPECT_EQ(GroupsOf({{a, b, norm}}, two), (Names{{"a", "b", "c"}, {"norm"}}));
  EXPECT_EQ(GroupsOf({{a, b, norm}}, nullptr), (Names{{"a"}, {"b", "c"}, {"norm"}}));
  EXPECT_EQ(GroupsOf({{a, norm}, {b, norm}}, nullptr), (Names{{"a", "b", "c"}, {"norm"}}));  // two stages
}

// A tied model of three weights with their states, as the tables of a target have it.
TargetContent TiedModel() {
  TargetContent content;
  std::vector<TargetTensor>& table = content.tables.emplace_back();
  auto add = [&](std::string name, const std::string& tied) {
    const auto weight = static_cast<uint32_t>(table.size());
    table.push_back({name, DType::kBF16, {2}, 4});
    table.back().tied = tied;
    table.push_back({name + ".exp_avg", DType::kF32, {2}, 8, "moment1", weight});
    table.push_back({name + ".fp32", DType::kF32, {2}, 8, "master", weight});
    table.push_back({name + ".step", DType::kF32, {}, 4, "step", weight, "", true});
  };
  add("embed", "");
  add("norm", "");
  add("proj", "");
  add("head", "embed");
  content.ranks = {{0, 0}};
  return content;
}

TEST(DeepSpeedGroups, TheSourcesGroupsAndOrder) {
  const std::vector<TargetTensor> table = TiedModel().tables[0];
  auto names = [&](const std::vector<std::vector<std::string>>& source) {
    auto ranked = SortTable(table, source);
    EXPECT_TRUE(ranked.ok());
    std::vector<std::vector<std::string>> out;
    for (const auto& group : ranked->groups) {
      out.emplace_back();
      for (const DeepSpeedWeight& weight : group) out.back().push_back(table[weight.weight].name);
    }
    return std::pair(out, ranked->like);
  };
  using Names = std::vector<std::vector<std::string>>;
  using Like = std::vector<size_t>;
  EXPECT_EQ(names({{"proj", "embed"}, {"of another stage"}, {"norm"}}),
            (std::pair(Names{{"proj", "embed"}, {"norm"}}, Like{0, 2})));
  EXPECT_EQ(names({{"proj"}, {"norm"}}), (std::pair(Names{{"embed", "norm", "proj"}}, Like{0})));
  EXPECT_EQ(names({}), (std::pair(Names{{"embed", "norm", "proj"}}, Like{0})));
}

// The object in a file of a layout.
Result<TorchFile> Written(const testing::Scratch& scratch, const TargetLayout& layout, const TargetContent& content,
                          const std::string& path) {
  for (const TargetFile& file : layout.files) {
    if (file.path != path) continue;
    scratch.Write("written.pt", testing::Assemble(file, content));
    return TorchFile::Open(scratch.root() + "/written.pt");
  }
  return Status::Invalid("no file " + path);
}

TEST(DeepSpeedUniversal, HasWhatEveryStageLooksFor) {
  const TargetContent content = TiedModel();
  WriteOptions options;
  options.variant = "universal";
  auto layout = LayOutDeepSpeed(content, options);
  ASSERT_TRUE(layout.ok()) << layout.status().message();
  testing::Scratch scratch;
  const std::string folder = "global_step0_universal/";
  auto state = Written(scratch, *layout, content, folder + "zero/optimizer_state.pt");
  ASSERT_TRUE(state.ok()) << state.status().message();
  const Value& root = state->root();
  EXPECT_NE(root.Find("ds_version"), nullptr);  // stages 1 and 2 assert it
  EXPECT_EQ(root.Find("clip_grad"), nullptr);   // 0 would turn clipping off
  const Value* states = FindPath(root, {"optimizer_state_dict", "state"});
  ASSERT_NE(states, nullptr);
  ASSERT_NE(FindNumber(*states, 0), nullptr);
  EXPECT_NE(FindNumber(*states, 0)->Find("step"), nullptr);  // where ZeRO-3 takes it from
  ASSERT_NE(ParamGroupsIn(root), nullptr);
  EXPECT_EQ(ParamGroupsIn(root)->items.size(), 1u);
  for (const char* name : {"mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_model_states.pt"}) {
    auto model = Written(scratch, *layout, content, folder + name);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const Value* original = FindPath(model->root(), {"shared_params", "head"});
    ASSERT_NE(original, nullptr);
    EXPECT_TRUE(original->IsText("embed"));
    EXPECT_NE(FindPath(model->root(), {"module", "head"}), nullptr);
  }
  for (const TargetFile& file : layout->files) EXPECT_THAT(file.path, ::testing::Not(HasSubstr("/head/")));
}

TEST(DeepSpeedFiles, NamesAreReadAndSpelled) {
  for (std::string name : {"mp_rank_07_model_states.pt", "zero_pp_rank_12_mp_rank_00_model_states.pt",
                           "bf16_zero_pp_rank_3_mp_rank_01_optim_states.pt", "layer_02-model_01-model_states.pt"}) {
    auto parsed = ParseDeepSpeedName(name);
    ASSERT_TRUE(parsed) << name;
    EXPECT_EQ(SpellDeepSpeedName(*parsed), name);
  }
  EXPECT_TRUE(ParseDeepSpeedName("layer_02-model_states.pt"));
  for (std::string name :
       {"mp_rank_00_optim_states.pt", "mp_rank_-1_model_states.pt", "layer_x-model_states.pt",
        "mp_rank_99999999999999999999_model_states.pt", "zero_pp_rank_0_mp_rank_00_model_states.pt.old"})
    EXPECT_FALSE(ParseDeepSpeedName(name)) << name;
}

TEST(DeepSpeedFiles, StepsAreReadFromTags) {
  EXPECT_EQ(StepsInTag("global_step2500"), 2500);
  EXPECT_EQ(StepsInTag("global_step12_universal"), 12);
  EXPECT_EQ(StepsInTag("7"), 7);
  EXPECT_EQ(StepsInTag("best"), std::nullopt);
  EXPECT_EQ(StepsInTag("step99999999999999999999"), std::nullopt);
}

TEST(DeepSpeedFiles, MissingOnesAreListed) {
  testing::Scratch scratch;
  scratch.Write("latest", "global_step2");
  scratch.Write("global_step2/mp_rank_00_model_states.pt", "");
  scratch.Write("global_step2/zero_pp_rank_2_mp_rank_01_optim_states.pt", "");
  auto found = FindDeepSpeedFiles(scratch.root());
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(found.status().message(),
              HasSubstr("`mp_rank_01_model_states.pt`, `zero_pp_rank_0_mp_rank_00_optim_states.pt`"));
  EXPECT_THAT(found.status().message(), HasSubstr("are missing"));
}

TEST(DeepSpeedFiles, TwoRunsInOneFolder) {
  testing::Scratch scratch;
  scratch.Write("mp_rank_00_model_states.pt", "");
  scratch.Write("zero_pp_rank_0_mp_rank_00_optim_states.pt", "");
  scratch.Write("bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt", "");
  auto found = FindDeepSpeedFiles(scratch.root());
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(found.status().message(), HasSubstr("of the same rank"));
}

TEST(DeepSpeedFiles, TheTagIsNoPath) {
  testing::Scratch scratch;
  scratch.Write("latest", "../elsewhere\n");
  EXPECT_FALSE(FindDeepSpeedFiles(scratch.root()).ok());
  EXPECT_FALSE(LooksLikeDeepSpeed(scratch.root()));
}

}  // namespace
}  // namespace aoa::formats
