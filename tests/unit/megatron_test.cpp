#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/formats/megatron.h"
#include "runtime/formats/megatron_buffers.h"
#include "runtime/formats/megatron_folder.h"
#include "runtime/formats/megatron_values.h"
#include "tests/unit/scratch.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

// An embedding, a matrix and a norm, in the order of a model.
const BufferParameter kParameters[] = {{1600, false}, {900, false}, {6, false}};

TEST(MegatronBuffers, OneBucketInReverseOrder) {
  const BufferLayout layout = LayOutBuffer(kParameters, {0, 64, 2});
  EXPECT_EQ(layout.begins, (std::vector<int64_t>{1024, 64, 0}));
  EXPECT_EQ(layout.elements, 2624);
}

TEST(MegatronBuffers, PaddingAtTheEndOfBucketsIsNotStored) {
  const BufferLayout layout = LayOutBuffer(kParameters, {800, 64, 2});
  EXPECT_EQ(layout.begins, (std::vector<int64_t>{964, 64, 0}));
  EXPECT_EQ(layout.elements, 2564);
  EXPECT_EQ(layout.larger, 965);
}

TEST(MegatronBuffers, SharedEmbeddingsStandAlone) {
  const BufferParameter parameters[] = {{1600, true}, {900, false}, {6, false}};
  const BufferLayout layout = LayOutBuffer(parameters, {0, 64, 2});
  EXPECT_EQ(layout.begins, (std::vector<int64_t>{1024, 64, 0}));
  EXPECT_EQ(layout.elements, 2624);
}

TEST(MegatronBuffers, TheOneDivisionThatFits) {
  for (int64_t bucket : {0, 800, 3}) {
    const BufferLayout layout = LayOutBuffer(kParameters, {bucket, 64, 4});
    auto found = FindBufferLayout(kParameters, 4, layout.elements);
    ASSERT_TRUE(found) << bucket;
    EXPECT_EQ(found->begins, layout.begins);
  }
  EXPECT_FALSE(FindBufferLayout(kParameters, 4, 2600));
}

TEST(MegatronFolder, Names) {
  EXPECT_EQ(RankFolderNumbers("mp_rank_01_003"), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(RankFolderNumbers("mp_rank_00"), (std::vector<int64_t>{0}));
  for (const char* other : {"mp_rank_", "mp_rank_0", "mp_rank_00_1", "mp_rank_00_", "mp_rank_0x", "rank_00"})
    EXPECT_FALSE(RankFolderNumbers(other)) << other;
  EXPECT_EQ(RankFolderName(1, 2, 4), "mp_rank_01_002");
  EXPECT_EQ(RankFolderName(1, 0, 1), "mp_rank_01");
  EXPECT_EQ(IterationFolderName(100), "iter_0000100");
}

TEST(MegatronValues, PathsBeforeCore) {
  using Path = std::vector<std::string>;
  EXPECT_EQ(MegatronPath("decoder.layers.0.mlp.linear_fc1.weight"), Path{"decoder.layers.0.mlp.linear_fc1.weight"});
  EXPECT_EQ(MegatronPath("language_model.encoder.layers.0.mlp.dense_4h_to_h.weight"),
            (Path{"language_model", "encoder", "layers.0.mlp.dense_4h_to_h.weight"}));
  EXPECT_EQ(MegatronPath("word_embeddings_for_head.weight"), (Path{"word_embeddings_for_head", "weight"}));
}

// A copy of a checkpoint of the tests, whose files can be moved.
fs::path CopyOf(const std::string& name, const fs::path& folder) {
  fs::copy(fs::path(AOA_TEST_DATA) / "megatron" / name, folder, fs::copy_options::recursive);
  return folder;
}

std::string Failure(const fs::path& path) {
  auto schema = MegatronFormat().Read(path.native(), {1});
  std::string message = schema.ok() ? "none" : schema.status().message();
  for (size_t at; (at = message.find(path.native())) != std::string::npos;)
    message.replace(at, path.native().size(), "");
  return message;
}

TEST(MegatronRead, VirtualStagesAreNumberedOn) {
  auto schema = MegatronFormat().Read(std::string(AOA_TEST_DATA) + "/megatron/vpp2", {2});
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  EXPECT_EQ(schema->variant, "legacy");
  EXPECT_EQ(schema->mesh, (std::vector<std::pair<std::string, int64_t>>{{"pp", 2}, {"dp", 1}, {"tp", 1}, {"vpp", 2}}));
  ASSERT_EQ(schema->files.size(), 2u);
  EXPECT_TRUE(schema->names.Find("decoder.layers.1.mlp.linear_fc2.weight"));
  EXPECT_FALSE(schema->names.Find("decoder.layers.2.mlp.linear_fc2.weight"));
}

TEST(MegatronRead, RanksThatAreNotThere) {
  testing::Scratch scratch;
  const fs::path folder = CopyOf("vpp2", scratch.At("a"));
  fs::rename(folder / "iter_0000100/mp_rank_00_001", folder / "iter_0000100/mp_rank_01_001");
  EXPECT_EQ(Failure(folder), "/iter_0000100: the mesh pp=2, dp=1, tp=1, vpp=2 has 2 ranks; missing: `mp_rank_00_001`");
  fs::copy(folder / "iter_0000100/mp_rank_01_001", folder / "iter_0000100/mp_rank_00_001");
  EXPECT_EQ(Failure(folder), "/iter_0000100: the mesh pp=2, dp=1, tp=1, vpp=2 has no ranks `mp_rank_01_001`");
}

TEST(MegatronRead, RanksOfOtherRuns) {
  testing::Scratch scratch;
  const fs::path folder = CopyOf("vpp2", scratch.At("a"));
  fs::copy_file(fs::path(AOA_TEST_DATA) / "megatron/lm/iter_0000002/mp_rank_00_001/model_optim_rng.pt",
                folder / "iter_0000100/mp_rank_00_001/model_optim_rng.pt", fs::copy_options::overwrite_existing);
  EXPECT_EQ(Failure(folder),
            "/iter_0000100: ranks disagree about the mesh: `mp_rank_00_000` says pp=2, dp=1, tp=1, vpp=2, "
            "`mp_rank_00_001` says pp=2, dp=1, tp=2");
}

TEST(MegatronRead, TrackersThatMislead) {
  testing::Scratch scratch;
  const fs::path folder = CopyOf("vpp2", scratch.At("a"));
  fs::rename(folder / "iter_0000100", folder / "iter_0000200");
  EXPECT_EQ(Failure(folder), "/latest_checkpointed_iteration.txt names `iter_0000100`, which is missing");
  fs::remove(folder / "latest_checkpointed_iteration.txt");
  auto schema = MegatronFormat().Read(folder.native(), {1});
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  EXPECT_EQ(schema->notes.size(), 1u);  // the files are of iteration 100
}

}  // namespace
}  // namespace aoa::formats
