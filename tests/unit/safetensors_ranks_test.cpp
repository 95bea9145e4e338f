#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/formats/rank_files.h"
#include "tests/unit/checkpoints.h"
#include "tests/unit/safetensors_files.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using testing::Entry;
using testing::FileOf;
using testing::FileWith;
using ::testing::HasSubstr;
using testing::MustRead;
using testing::RankMetadata;
using testing::Reason;
using testing::Scratch;

using Strings = std::vector<std::string>;

class RankFolder : public ::testing::Test {
 protected:
  void Write(int64_t rank, const std::string& mesh, const Strings& names = {"w"}) {
    scratch_.Write("m/" + RankFileName(rank), FileWith(names, RankMetadata(mesh, std::to_string(rank))));
  }
  std::string folder() const { return scratch_.At("m"); }

  Scratch scratch_;
};

TEST_F(RankFolder, IsReadInRankOrder) {
  for (int64_t rank = 11; rank >= 0; --rank) Write(rank, "pp=3,tp=4", {rank < 4 ? "first" : "w"});
  Schema schema = MustRead(folder());
  EXPECT_TRUE(schema.has_mesh);
  EXPECT_EQ(schema.mesh, MeshAxes({{"pp", 3}, {"tp", 4}}));
  ASSERT_EQ(schema.files.size(), 12u);
  for (int64_t rank = 0; rank < 12; ++rank) {
    EXPECT_EQ(schema.files[rank].rank, rank);
    EXPECT_EQ(schema.files[rank].path, folder() + "/" + RankFileName(rank));
    EXPECT_EQ(schema.files[rank].table, rank < 4 ? 0u : 1u);
  }
  EXPECT_EQ(schema.tables.size(), 2u);
}

TEST_F(RankFolder, StagesAreReadFromAnyFile) {
  auto write = [&](int64_t rank, const std::string& stages) {
    std::string metadata = RankMetadata("pp=2,tp=1", std::to_string(rank));
    if (!stages.empty()) {
      metadata.pop_back();
      metadata += ",\"aoa.stages\":" + nlohmann::json(stages).dump() + "}";
    }
    scratch_.Write("m/" + RankFileName(rank), FileWith({"w"}, metadata));
  };
  auto write_both = [&](const std::string& stages) {
    for (int64_t rank : {0, 1}) write(rank, stages);
  };
  write_both(R"({"pp":[3,5]})");
  Schema uneven = MustRead(folder());
  ASSERT_EQ(uneven.stages.size(), 1u);
  EXPECT_EQ(uneven.stages[0], (std::pair<std::string, std::vector<int64_t>>("pp", {3, 5})));
  write_both(R"({"vpp":2})");
  EXPECT_EQ(MustRead(folder()).mesh, MeshAxes({{"pp", 2}, {"tp", 1}, {"vpp", 2}}));
  for (const char* wrong : {"x", "[]", R"({"pp":2})", R"({"pp":[3]})", R"({"pp":[3,-1]})", R"({"vpp":0})",
                            R"({"vpp":[1]})", R"({"pp":[1,"2"]})", R"({"vpp":18446744073709551615})"}) {
    write_both(wrong);
    EXPECT_THAT(Reason(folder()), HasSubstr("which is not like")) << wrong;
  }
  write(0, R"({"vpp":2})");
  write(1, "");
  EXPECT_THAT(Reason(folder()), HasSubstr("do not say the same of their stages"));
}

TEST_F(RankFolder, MissingRanksAreListed) {
  Write(0, "tp=2");
  EXPECT_EQ(Reason(folder()),
            folder() + ": of the 2 ranks of the mesh `tp=2` there are 1; missing: rank_00001.safetensors");
  Scratch other;
  for (int64_t rank : {1, 4, 5})
    other.Write("m/" + RankFileName(rank), FileWith({"w"}, RankMetadata("pp=2,tp=4", std::to_string(rank))));
  EXPECT_THAT(Reason(other.At("m")),
              HasSubstr("missing: rank_00000.safetensors, rank_00002.safetensors to rank_00003.safetensors, "
                        "rank_00006.safetensors to rank_00007.safetensors"));
}

TEST_F(RankFolder, RanksThatTheMeshLacks) {
  for (int64_t rank : {0, 1, 2}) Write(rank, "tp=2");
  EXPECT_EQ(Reason(folder()), folder() + "/rank_00002.safetensors: the mesh `tp=2` has no rank 2");
}

TEST_F(RankFolder, FilesThatDisagree) {
  Write(0, "tp=2");
  Write(1, "pp=2");
  EXPECT_EQ(Reason(folder()), folder() + "/rank_00000.safetensors is of the mesh `tp=2`, " + folder() +
                                  "/rank_00001.safetensors of `pp=2`");
  scratch_.Write("m/rank_00001.safetensors", FileWith({"w"}, RankMetadata("tp=2", "0")));
  EXPECT_EQ(Reason(folder()), folder() + "/rank_00001.safetensors: its metadata says that it is rank `0`");
  scratch_.Write("m/rank_00001.safetensors", FileWith({"w"}, RankMetadata("tp=2", "01")));
  EXPECT_THAT(Reason(folder()), HasSubstr("that it is rank `01`"));
  scratch_.Write("m/rank_00001.safetensors", FileWith({"w"}, R"("__metadata__":{"aoa.mesh":"tp=2"})"));
  EXPECT_THAT(Reason(folder()), HasSubstr("rank_00001.safetensors: `aoa.rank` is missing in its metadata"));
  scratch_.Write("m/rank_00000.safetensors", FileWith({"w"}));
  EXPECT_THAT(Reason(folder()), HasSubstr("rank_00000.safetensors: `aoa.mesh` is missing in its metadata"));
}

TEST_F(RankFolder, MeshesThatAreNone) {
  for (const char* mesh :
       {"", "tp", "tp=", "=2", "tp=0", "tp=-1", "tp=2,", ",tp=2", "tp=2,tp=2", "tp=two", "tp=99999999999"}) {
    Write(0, mesh);
    EXPECT_THAT(Reason(folder()), HasSubstr("is no list like `pp=2,tp=2`")) << mesh;
  }
}

TEST(RankCount, OverlaysMultiplyNothing) {
  auto count = [](const char* mesh, int64_t highest) { return CountRanks(*ParseMesh(mesh), highest); };
  EXPECT_EQ(count("tp=1", 0), 1);
  EXPECT_EQ(count("pp=1,dp=1,tp=2", 0), 2);
  EXPECT_EQ(count("dp=4,tp=2,wdp=2,wp=4", 7), 8);
  EXPECT_EQ(count("dp=4,tp=2,wdp=2,wp=4", 5), 8);
  EXPECT_EQ(count("dp=2,tp=2,a=2,b=2,c=2", 3), 4);  // an overlay of tp, or of dp, and one of both
  EXPECT_EQ(count("dp=6,wp=5", 5), 30);             // five do not divide six
  EXPECT_EQ(count("tp=2", 2), std::nullopt);
  EXPECT_EQ(count("a=1000000000,b=1000000000", 5), 1000000000);
}

// Headers that differ in nothing but where they belong are one table, wherever the metadata stand.
TEST(HeaderSharing, EqualTensorsAreOneTable) {
  Scratch scratch;
  constexpr int64_t kRanks = 8;
  std::string entries = Entry("a", 0, 2) + "," + Entry("b", 8, 1);
  for (int64_t rank = 0; rank < kRanks; ++rank) {
    std::string metadata = RankMetadata("tp=8", std::to_string(rank));
    std::string header = rank == 3   ? "{" + entries + "," + metadata + "}"
                         : rank == 4 ? "{" + metadata + "," + Entry("b", 8, 1) + "," + Entry("a", 0, 2) + "}   "
                         : rank == 5 ? "{" + metadata + "," + Entry("a", 0, 1) + "," + Entry("b", 4, 2) + "}"
                                     : "{" + metadata + "," + entries + "}" + std::string(rank % 2, ' ');
    scratch.Write("m/" + RankFileName(rank), FileOf(header, 12));
  }
  for (int threads : {1, 3, 16}) {
    Schema schema = MustRead(scratch.At("m"), "safetensors", threads);
    ASSERT_EQ(schema.tables.size(), 2u);
    for (int64_t rank = 0; rank < kRanks; ++rank) EXPECT_EQ(schema.files[rank].table, rank == 5 ? 1u : 0u);
    EXPECT_EQ(schema.names.size(), 2u);
  }
}

// A header that was not parsed for itself is held against its own file all the same.
TEST(HeaderSharing, EveryFileIsChecked) {
  Scratch scratch;
  for (int64_t rank = 0; rank < 4; ++rank) {
    std::string header = "{" + RankMetadata("tp=4", std::to_string(rank)) + "," + Entry("a", 0, 2) + "}";
    scratch.Write("m/" + RankFileName(rank), FileOf(header, rank == 2 ? 9 : 8));
  }
  EXPECT_EQ(Reason(scratch.At("m")), scratch.At("m/rank_00002.safetensors: 1 bytes follow behind the last tensor"));
  scratch.Write("m/rank_00002.safetensors",
                FileOf("{" + RankMetadata("tp=4", "2\",\"aoa.rank\":\"2") + "," + Entry("a", 0, 2) + "}", 8));
  EXPECT_THAT(Reason(scratch.At("m")), HasSubstr("metadata `aoa.rank` stands twice"));
  scratch.Write("m/rank_00002.safetensors", FileOf("{" + RankMetadata("tp=4", "2") + "," + Entry("a", 0, 2) + "]", 8));
  EXPECT_THAT(Reason(scratch.At("m")), HasSubstr("rank_00002.safetensors: "));
}

TEST(HeaderSharing, OfSeveralFailuresTheFirstFilesIsReported) {
  Scratch scratch;
  for (int64_t rank = 0; rank < 16; ++rank)
    scratch.Write("m/" + RankFileName(rank), FileOf("{" + Entry("a", 0, rank % 2 == 0 ? 2 : 3) + "}", 9));
  for (int threads : {1, 2, 7}) {
    EXPECT_EQ(testing::Read(scratch.At("m"), "safetensors", threads).status().message(),
              scratch.At("m/rank_00000.safetensors: 1 bytes follow behind the last tensor"));
  }
}

// A large model: many tensors, and ranks that differ in their number only.
TEST(HeaderSharing, AHundredThousandTensors) {
  TargetContent content;
  content.has_mesh = true;
  content.mesh = "tp=8";
  auto& table = content.tables.emplace_back();
  for (int64_t i = 0; i < 100'000; ++i)
    table.push_back(testing::Tensor("layers." + std::to_string(i) + ".weight", DType::kBF16, {i % 5, 3}));
  for (int64_t rank = 0; rank < 8; ++rank) content.ranks.emplace_back(rank, 0);
  auto layout = FindFormat("safetensors")->LayOut(content, {});
  ASSERT_TRUE(layout.ok());
  Scratch scratch;
  for (const TargetFile& file : layout->files)
    fs::resize_file(scratch.Write(file.path, testing::HeadOf(file)), file.size);
  Schema schema = MustRead(scratch.root());
  EXPECT_EQ(schema.files.size(), 8u);
  EXPECT_EQ(schema.tables.size(), 1u);
  EXPECT_EQ(schema.names.size(), 100'000u);
  EXPECT_EQ(schema.shapes.size(), 5u);
}

// Metadata longer than the first look go the long way.
TEST(HeaderSharing, LongMetadata) {
  Scratch scratch;
  std::string text =
      "\"__metadata__\":{\"aoa.mesh\":\"tp=1\",\"aoa.rank\":\"0\",\"x\":\"" + std::string(200000, 'x') + "\"}";
  scratch.Write("m/rank_00000.safetensors", FileWith({"w"}, text));
  EXPECT_TRUE(MustRead(scratch.At("m")).has_mesh);
}

}  // namespace
}  // namespace aoa::formats
