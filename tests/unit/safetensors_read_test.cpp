#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runtime/formats/format.h"
#include "tests/unit/checkpoints.h"
#include "tests/unit/safetensors_files.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;
using testing::FileWith;
using ::testing::HasSubstr;
using testing::MustRead;
using testing::RankMetadata;
using testing::Reason;
using testing::Scratch;

const std::string kHostile = AOA_TEST_DATA "/hostile/";
constexpr const char* kIndex = "model.safetensors.index.json";

std::vector<std::string> TensorsOf(const Schema& schema, size_t file) {
  std::vector<std::string> names;
  for (const StoredTensor& tensor : schema.tables[schema.files[file].table]) names.push_back(schema.names[tensor.name]);
  return names;
}

using Strings = std::vector<std::string>;

TEST(HostileSafetensors, AllButTheControlsAreRefused) {
  size_t refused = 0;
  for (const auto& entry : fs::directory_iterator(kHostile + "safetensors")) {
    const std::string path = entry.path(), name = entry.path().stem();
    if (name == "ok" || name == "nul_in_name") {
      EXPECT_EQ(MustRead(path).files.size(), 1u) << path;
      continue;
    }
    EXPECT_THAT(Reason(path), ::testing::StartsWith(path + ": ")) << path;
    ++refused;
  }
  EXPECT_EQ(refused, 40u);
}

// What the table of hostile files asks of single messages.
TEST(HostileSafetensors, SaysWhatIsWrong) {
  const std::map<std::string, std::string> expected = {
      {"header_2_60", "byte 0: a header of 1152921504606846976 bytes is announced, 100000000 are allowed"},
      {"header_max", "byte 0: a header of 18446744073709551615 bytes"},
      {"header_100mb", "byte 0: a header of "},
      {"past_end", "the file is truncated: 4 bytes follow its header, the tensors take 8; the first one cut is `a`"},
      {"unknown_dtype", "tensor `a` at byte 10: dtype `F31` is unknown"},
      {"sub_byte", "F4"},
      {"seven_bytes", "the file ends at byte 7, inside of the header's length"},
      {"empty", "the file ends at byte 0, inside of the header's length"},
      {"negative_offset", "in its data_offsets, `-8` is no whole number below 2^64"},
      {"overlap", "tensor `b` begins at offset 4, before tensor `a` ends at 8"},
      {"hole", "tensor `b` begins at offset 12, and no tensor covers the bytes from 8 on"},
      {"trailing", "12 bytes follow behind the last tensor"},
  };
  for (const auto& [name, reason] : expected)
    EXPECT_THAT(Reason(kHostile + "safetensors/" + name + ".safetensors"), HasSubstr(reason));
}

std::string FolderWithIndex(const Scratch& scratch, const std::string& index) {
  scratch.Write("model/model.safetensors.index.json", index);
  return scratch.At("model");
}

TEST(HostileIndex, IsRefusedBeforeAnyShardIsOpened) {
  const std::map<std::string, std::string> expected = {
      {"escape.safetensors.index.json",
       "the shard of tensor `w` is `../../../etc/passwd`, and may only be a name of a file in this folder"},
      {"missing_shard.safetensors.index.json",
       "it lists shards that are not there: `model-00001-of-00001.safetensors`"},
      {"duplicate_keys.json", "key `w` stands twice"},
      {"deep.json", "`weight_map` is no object"},
  };
  for (const auto& entry : fs::directory_iterator(kHostile + "index")) {
    Scratch scratch;
    const std::string folder = FolderWithIndex(scratch, testing::ReadFile(entry.path()));
    const std::string name = entry.path().filename();
    ASSERT_TRUE(expected.contains(name)) << name;
    for (const char* format : {"safetensors", "hf"}) {
      EXPECT_EQ(Reason(folder, format), folder + "/" + kIndex + ": " + expected.at(name));
    }
  }
}

TEST(SafetensorsFile, IsReadAsItStands) {
  Scratch scratch;
  const std::string path = scratch.Write("x/any.name", FileWith({"b", "a"}, RankMetadata("tp=2", "1")));
  scratch.Write("x/config.json", R"({"a": 1})");
  Schema schema = MustRead(path);
  EXPECT_EQ(schema.path, path);
  EXPECT_EQ(schema.format, "safetensors");
  EXPECT_EQ(schema.variant, "");
  EXPECT_FALSE(schema.has_mesh);
  EXPECT_EQ(schema.config, R"({"a": 1})");
  ASSERT_EQ(schema.files.size(), 1u);
  EXPECT_EQ(schema.files[0].path, path);
  EXPECT_EQ(schema.files[0].size, fs::file_size(path));
  EXPECT_EQ(schema.files[0].data_start, fs::file_size(path) - 8);
  EXPECT_EQ(TensorsOf(schema, 0), Strings({"b", "a"}));
}

TEST(SafetensorsFolder, OnlyTheCheckpointIsLookedAt) {
  Scratch scratch;
  scratch.Write("m/model.safetensors", FileWith({"w"}));
  for (const char* other :
       {"expected-paddle.safetensors", "logits.safetensors", "rank_0.safetensors", "rank_000001.safetensors",
        "rank_x.safetensors", "model-00001-of-00002.safetensors", "Model.safetensors"}) {
    scratch.Write(std::string("m/").append(other), "broken");
  }
  EXPECT_EQ(MustRead(scratch.At("m")).files.size(), 1u);
  EXPECT_EQ(MustRead(scratch.At("m/"), "hf").variant, "safetensors");
}

TEST(SafetensorsFolder, WhatIsNotThere) {
  Scratch scratch;
  fs::create_directory(scratch.At("m"));
  EXPECT_EQ(Reason(scratch.At("nowhere")), scratch.At("nowhere") + " does not exist");
  EXPECT_EQ(Reason(scratch.At("m")),
            scratch.At("m") +
                " holds neither `model.safetensors` nor `model.safetensors.index.json` nor `rank_00000.safetensors`");
  EXPECT_EQ(Reason(scratch.At("m"), "hf"),
            scratch.At("m") + " holds neither `model.safetensors` nor `model.safetensors.index.json`");
  scratch.Write("m/rank_00000.safetensors", FileWith({"w"}, RankMetadata("tp=1", "0")));
  EXPECT_THAT(Reason(scratch.At("m"), "hf"), HasSubstr("holds neither"));
}

TEST(SafetensorsFolder, TwoCheckpointsInOneAreAmbiguous) {
  Scratch scratch;
  scratch.Write("a/model.safetensors", FileWith({"w"}));
  scratch.Write("a/rank_00000.safetensors", FileWith({"w"}, RankMetadata("tp=1", "0")));
  EXPECT_EQ(Reason(scratch.At("a")),
            scratch.At("a") +
                " holds `model.safetensors` and `rank_00000.safetensors`: either of them may be the checkpoint");
  EXPECT_EQ(MustRead(scratch.At("a"), "hf").files.size(), 1u);  // which knows no ranks
  scratch.Write("b/model.safetensors", FileWith({"w"}));
  scratch.Write("b/shard", FileWith({"w"}));
  scratch.Write("b/model.safetensors.index.json", R"({"weight_map":{"w":"shard"}})");
  EXPECT_THAT(Reason(scratch.At("b")), HasSubstr("beside it there is `model.safetensors`, which it does not list"));
  scratch.Write("b/model.safetensors.index.json", R"({"weight_map":{"w":"model.safetensors"}})");
  EXPECT_EQ(MustRead(scratch.At("b")).files.size(), 1u);
}

TEST(SafetensorsFolder, TheConfigurationIsAnObject) {
  Scratch scratch;
  scratch.Write("m/model.safetensors", FileWith({"w"}));
  EXPECT_EQ(MustRead(scratch.At("m")).config, "");
  scratch.Write("m/config.json", "{\n \"a\": [1, {\"b\": null}] }\n");
  EXPECT_EQ(MustRead(scratch.At("m"), "hf").config, "{\n \"a\": [1, {\"b\": null}] }\n");
  scratch.Write("m/config.json", R"({"a": [-Infinity, NaN, "Infinity\"NaN"], "b": Infinity})");  // as Python writes
  EXPECT_EQ(MustRead(scratch.At("m")).config, R"({"a": [null, null, "Infinity\"NaN"], "b": null})");
  const std::string config = scratch.At("m/config.json");
  for (std::string_view text : {""sv, "[]"sv, "{"sv, "{\"a\": Infinit}"sv, "{} x"sv, "{\"a\":1,\"a\":2}"sv, "\xff"sv,
                                "7"sv, "{}\0x"sv, "\xef\xbb\xbf{}"sv}) {
    scratch.Write("m/config.json", text);
    EXPECT_THAT(Reason(scratch.At("m")), ::testing::StartsWith(config + ": ")) << text;
  }
}

TEST(SafetensorsFolder, SymlinksAreFollowed) {
  Scratch scratch;
  scratch.Write("blobs/1234", FileWith({"w"}));
  fs::create_directory(scratch.At("m"));
  fs::create_symlink("../blobs/1234", scratch.At("m/model.safetensors"));
  EXPECT_EQ(TensorsOf(MustRead(scratch.At("m"), "hf"), 0), Strings({"w"}));
}

TEST(SafetensorsFolder, GitLfsPointersAreNamed) {
  Scratch scratch;
  scratch.Write("m/model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  EXPECT_THAT(Reason(scratch.At("m")), HasSubstr("git lfs pull"));
}

TEST(SafetensorsFolder, NoPipeIsWaitedFor) {
  Scratch scratch;
  fs::create_directory(scratch.At("m"));
  ASSERT_EQ(mkfifo(scratch.At("m/model.safetensors").c_str(), 0600), 0);
  EXPECT_THAT(Reason(scratch.At("m")), HasSubstr("it is no regular file"));
}

class ShardedFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    scratch_.Write("m/s2", FileWith({"a", "b"}));
    scratch_.Write("m/s1", FileWith({"c"}));
  }

  std::string ReasonWith(const std::string& index) {
    scratch_.Write("m/model.safetensors.index.json", index);
    EXPECT_EQ(Reason(scratch_.At("m")), Reason(scratch_.At("m"), "hf"));
    return Reason(scratch_.At("m"), "hf");
  }

  Scratch scratch_;
};

TEST_F(ShardedFolder, IsReadByItsIndex) {
  scratch_.Write(
      "m/model.safetensors.index.json",
      R"({"metadata":{"total_size":1.5e3,"x":[{"y":0}]},"weight_map":{"a":"s2","c":"s1","b":"s2"},"other":[]})");
  Schema schema = MustRead(scratch_.At("m"), "hf");
  EXPECT_EQ(schema.format, "hf");
  EXPECT_EQ(schema.files[0].path, scratch_.At("m/s1"));
  EXPECT_EQ(TensorsOf(schema, 0), Strings({"c"}));
  EXPECT_EQ(TensorsOf(schema, 1), Strings({"a", "b"}));
}

TEST_F(ShardedFolder, AnIndexIsTrue) {
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":"s2","c":"s1"}})"), HasSubstr("tensor `b` of `s2` is not listed"));
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":"s2","c":"s1","b":"s1"}})"),
              HasSubstr("tensor `b` of `s2` is listed for `s1`"));
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":"s2","c":"s1","b":"s2","d":"s1"}})"),
              HasSubstr("tensor `d` is listed for `s1`, which does not hold it"));
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":"s2","c":"s1","b":"s2","d":"s3"}})"),
              HasSubstr("it lists shards that are not there: `s3`"));
  scratch_.Write("m/s1", FileWith({"c", "b"}));
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":"s2","c":"s1","b":"s2"}})"),
              HasSubstr("tensor `b` of `s1` is listed for `s2`"));
}

TEST_F(ShardedFolder, AnIndexIsAMapOfNames) {
  EXPECT_THAT(ReasonWith("{}"), HasSubstr("`weight_map` is missing"));
  EXPECT_THAT(ReasonWith(R"({"weight_map":["s1"]})"), HasSubstr("`weight_map` is no object"));
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":1}})"), HasSubstr("the shard of tensor `a` is no text"));
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":{"b":"s1"}}})"), HasSubstr("the shard of tensor `a` is no text"));
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":"s1"},"weight_map":{"a":"s1"}})"),
              HasSubstr("key `weight_map` stands twice"));
  EXPECT_THAT(ReasonWith(R"({"weight_map":{"a":"s1")"), HasSubstr(": byte "));
  for (const char* name : {"", ".", "..", "/etc/passwd", "a/b", "..\\\\b", "s1\\u0000"}) {
    EXPECT_THAT(ReasonWith(std::string(R"({"weight_map":{"a":")") + name + "\"}}"),
                HasSubstr("may only be a name of a file in this folder"))
        << name;
  }
}

// Paddle's exporter leaves the map empty.
TEST(ShardsWithoutAMap, AreThoseThatAreThereByName) {
  Scratch scratch;
  scratch.Write("m/model.safetensors.index.json", R"({"metadata":{"total_size":0},"weight_map":{}})");
  EXPECT_THAT(Reason(scratch.At("m")),
              HasSubstr("it lists no tensor, and beside it there are shards of 0 checkpoints"));
  scratch.Write("m/model-00001-of-00002.safetensors", FileWith({"a"}));
  EXPECT_THAT(Reason(scratch.At("m")), HasSubstr("some are missing: `model-00002-of-00002.safetensors`"));
  scratch.Write("m/model-00002-of-00002.safetensors", FileWith({"b"}));
  scratch.Write("m/logits.safetensors", FileWith({"x"}));
  EXPECT_EQ(MustRead(scratch.At("m"), "hf").names.size(), 2u);
  scratch.Write("m/model-00001-of-00001.safetensors", FileWith({"a"}));
  EXPECT_THAT(Reason(scratch.At("m")), HasSubstr("shards of 2 checkpoints"));
  fs::remove(scratch.At("m/model-00001-of-00001.safetensors"));
  scratch.Write("m/model-00002-of-00002.safetensors", FileWith({"b", "a"}));
  EXPECT_THAT(
      Reason(scratch.At("m")),
      HasSubstr("tensor `a` is in `model-00001-of-00002.safetensors` and in `model-00002-of-00002.safetensors`"));
}

TEST(Recognition, ByWhatIsThere) {
  Scratch scratch;
  auto recognized = [&](const char* path) {
    const Format* format = RecognizeFormat(scratch.At(path));
    return format == nullptr ? "" : std::string(format->name());
  };
  scratch.Write("plain/model.safetensors", FileWith({"w"}));
  scratch.Write("ranks/rank_00000.safetensors", FileWith({"w"}));
  scratch.Write("ranks/config.json", "{}");
  scratch.Write("model/model.safetensors", FileWith({"w"}));
  scratch.Write("model/config.json", "{}");
  scratch.Write("shards/model.safetensors.index.json", "{}");
  scratch.Write("shards/config.json", "{}");
  scratch.Write("other/pytorch_model.bin", "PK");
  EXPECT_EQ(recognized("plain"), "safetensors");
  EXPECT_EQ(recognized("plain/model.safetensors"), "safetensors");
  EXPECT_EQ(recognized("ranks"), "safetensors");
  EXPECT_EQ(recognized("model"), "hf");
  EXPECT_EQ(recognized("shards"), "hf");
  EXPECT_EQ(recognized("other"), "");
  EXPECT_EQ(recognized("other/pytorch_model.bin"), "");
  EXPECT_EQ(recognized("nowhere"), "");
  EXPECT_EQ(FindFormat("gguf"), nullptr);
}

TEST(Companions, WhatTravelsWithAModel) {
  Scratch scratch;
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "merges.txt",
        "chat_template.jinja", "modeling_x.py", "additional_chat_templates/rag.jinja", "LICENSE", "qwen.tiktoken",
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
        "README.md", "optimizer.pt", "adapter_config.json", "sub/config.json"}) {
    scratch.Write(std::string("m/").append(name), "x");
  }
  fs::create_symlink("config.json", scratch.At("m/vocab.json"));
  fs::create_symlink("nowhere", scratch.At("m/vocab.txt"));
  fs::create_directory(scratch.At("m/added_tokens.json"));
  const Strings expected = {"LICENSE",
                            "additional_chat_templates/rag.jinja",
                            "chat_template.jinja",
                            "config.json",
                            "generation_config.json",
                            "merges.txt",
                            "modeling_x.py",
                            "qwen.tiktoken",
                            "tokenizer.json",
                            "tokenizer.model",
                            "vocab.json"};
  for (const char* format : {"safetensors", "hf"}) {
    EXPECT_EQ(FindFormat(format)->Companions(scratch.At("m")), expected);
    EXPECT_EQ(FindFormat(format)->Companions(scratch.At("m/model.safetensors")), Strings());
  }
}

}  // namespace
}  // namespace aoa::formats
