#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/formats/format.h"
#include "runtime/formats/torch_file.h"
#include "runtime/formats/torch_writer.h"
#include "tests/unit/checkpoints.h"
#include "tests/unit/pickle_text.h"
#include "tests/unit/safetensors_files.h"
#include "tests/unit/torch_files.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using testing::Assemble;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MustRead;
using testing::PickleText;
using testing::ReadFile;
using testing::Reason;
using testing::Scratch;
using testing::Tensor;
using ::testing::UnorderedElementsAre;

const std::string kHostile = AOA_TEST_DATA "/hostile/";
const std::string kTorch = AOA_TEST_DATA "/torch/";

// "NAME TYPE SHAPE at BEGIN" of every tensor of a file, with strides where it is not row-major.
std::vector<std::string> TensorsOf(const Schema& schema, size_t file = 0) {
  std::vector<std::string> out;
  for (const StoredTensor& tensor : schema.tables[schema.files[file].table]) {
    std::string line = fmt::format("{} {} {} at {}", schema.names[tensor.name], Name(tensor.dtype),
                                   ToString(schema.shapes[tensor.shape]), tensor.begin);
    if (tensor.strides != StoredTensor::kRowMajor) line += " by " + ToString(schema.shapes[tensor.strides]);
    out.push_back(line);
  }
  return out;
}

// ---------------------------------------------------------------- hostile files

// Files that hold a good tensor beside what is odd, and files that hold no tensor and nothing that might be one.
const std::vector<std::string> kReadable = {"ok",
                                            "nested_in_good_model",
                                            "recursive_dict_tensor",
                                            "path_name",
                                            "control_chars_name",
                                            "huge_memo_index",
                                            "deep_nesting",
                                            "deep_tuples",
                                            "long1_huge",
                                            "surrogate_utf8",
                                            "recursive_list"};

TEST(HostileTorch, AllButTheControlsAreRefused) {
  size_t refused = 0;
  for (const char* folder : {"pickle", "tensor", "zip", "legacy"}) {
    for (const auto& entry : fs::directory_iterator(kHostile + folder)) {
      const std::string path = entry.path(), name = entry.path().stem();
      if (std::find(kReadable.begin(), kReadable.end(), name) != kReadable.end()) {
        EXPECT_EQ(MustRead(path, "torch").files.size(), 1u) << path;
        continue;
      }
      EXPECT_THAT(Reason(path, "torch"), ::testing::StartsWith(path + ": ")) << path;
      ++refused;
    }
  }
  EXPECT_EQ(refused, 88u);
}

// What the table of hostile files asks of single messages.
TEST(HostileTorch, SaysWhatIsWrong) {
  const std::map<std::string, std::string> expected = {
      {"pickle/os_system_reduce", "it holds no tensor: `w` is made by `posix.system`"},
      {"pickle/builtins_eval", "`builtins.eval`"},
      {"pickle/py2_builtin_exec", "`builtins.execfile`"},
      {"pickle/reduce_tensor_subclass", "tensor `w`: it is made by `posix.system`"},
      {"pickle/memo_missing", "data.pkl: byte 48: nothing was put into place 7 of the memo"},
      {"pickle/huge_string_length", "byte 48: 4294967295 bytes are announced, 4 are left"},
      {"pickle/duplicate_key", "there are two tensors `w`"},
      {"tensor/storage_short", "the record `data/0` has 20 bytes, its storage 24"},
      {"tensor/storage_missing", "there is no record `data/0`"},
      {"tensor/offset_beyond", "its elements reach to number 11 of 6 of storage 0"},
      {"tensor/unknown_storage_class", "storage 0 is of `torch.Float128Storage`"},
      {"tensor/key_traversal", "a storage key `../../../etc/passwd` that is no number"},
      {"tensor/size_expanded_2_60", "its elements lie beyond its storage"},
      {"zip/crc_wrong", "byte 283: `archive/data/0` is damaged: its CRC-32 is 91e79017, the archive says 12345678"},
      {"zip/deflated", "is compressed"},
      {"zip/truncated_half", "truncated"},
      {"zip/torchscript", "a TorchScript archive"},
      {"zip/offset_to_other", "byte 0: the record here is not `archive/data/0`, as the directory says"},
      {"zip/duplicate_entry", "there are two records `archive/data/0`"},
      {"zip/absolute_names", "the record `/etc/passwd` lies outside of `archive/`"},
      {"zip/empty", "neither a zip archive nor a stream of torch.save"},
      {"legacy/truncated", "byte 303: storage 77 has 24 bytes, 10 are left"},
      {"legacy/key_missing", "storage 77 is not there"},
  };
  for (const auto& [name, reason] : expected)
    EXPECT_THAT(Reason(kHostile + name + ".pt", "torch"), HasSubstr(reason)) << name;
}

// Nothing is called, and the reader says what would have been.
TEST(HostileTorch, CodeBesideTensorsIsNoted) {
  const Schema schema = MustRead(kHostile + "pickle/nested_in_good_model.pt", "torch");
  EXPECT_THAT(TensorsOf(schema), ElementsAre(HasSubstr("w f32 [2, 3] at")));
  ASSERT_EQ(schema.notes.size(), 1u);
  EXPECT_THAT(schema.notes[0], HasSubstr("loaded by torch, it would call `posix.system`"));
}

TEST(HostileTorch, OtherThingsUnderItsName) {
  Scratch scratch;
  EXPECT_THAT(Reason(scratch.Write("a.pt", "version https://git-lfs.github.com/spec/v1\n"), "torch"),
              HasSubstr("a pointer of Git LFS"));
  std::string tar(1024, '\0');
  tar.replace(0, 8, "sys_info").replace(257, 5, "ustar");
  EXPECT_THAT(Reason(scratch.Write("b.pt", tar), "torch"), HasSubstr("as torch wrote before version 0.2"));
  EXPECT_TRUE(FindFormat("torch")->Recognizes(scratch.At("a.pt")));
}

// ---------------------------------------------------------------- real files

TEST(TorchReader, FilesOfTorch113) {
  EXPECT_THAT(TensorsOf(MustRead(kTorch + "zip_1_13.pt", "torch")),
              ElementsAre("w f32 [2, 3] at 448", "wt f32 [3, 2] at 448 by [1, 3]", "b bf16 [2] at 576"));
  EXPECT_THAT(TensorsOf(MustRead(kTorch + "legacy_1_13.pt", "torch")),
              ElementsAre("h f16 [2] at 513", "w f32 [4] at 525", "v f32 [2] at 529"));
}

// Both hold the same: transposed, sliced, repeated and overlapping views, one element, none.
TEST(TorchReader, Views) {
  auto names = [](const Schema& schema) {
    std::vector<std::string> out;
    for (std::string line : TensorsOf(schema)) {
      const size_t at = line.find(" at "), by = line.find(" by ");
      out.push_back(line.substr(0, at) + (by == line.npos ? "" : line.substr(by)));
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  const Schema zip = MustRead(kTorch + "views.pt", "torch"), legacy = MustRead(kTorch + "views_legacy.pt", "torch");
  EXPECT_EQ(names(zip), names(legacy));
  EXPECT_THAT(names(zip), ::testing::IsSupersetOf({"base f32 [12, 10]", "transposed f32 [10, 12] by [1, 10]",
                                                   "rows f32 [4, 10]", "columns f32 [12, 3] by [10, 3]"}));
}

// ---------------------------------------------------------------- writing

TargetContent ContentWith(std::vector<TargetTensor> table, int64_t ranks = 1) {
  TargetContent content;
  content.has_mesh = ranks > 1;
  if (content.has_mesh) content.mesh = fmt::format("tp={}", ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) content.ranks.emplace_back(rank, 0);
  content.tables = {std::move(table)};
  return content;
}

std::string WriteFirst(const Scratch& scratch, const TargetContent& content, const WriteOptions& options) {
  auto layout = FindFormat("torch")->LayOut(content, options);
  EXPECT_TRUE(layout.ok()) << layout.status().message();
  for (const TargetFile& file : layout->files) scratch.Write("out/" + file.path, Assemble(file, content));
  return scratch.At("out/" + layout->files[0].path);
}

WriteOptions Variant(const char* variant) {
  WriteOptions options;
  options.variant = variant;
  return options;
}

TEST(TorchWriter, WhatIsWrittenIsRead) {
  const TargetContent content =
      ContentWith({Tensor("a", DType::kBF16, {2, 3}), Tensor("b.c", DType::kF8E4M3, {5}),
                   Tensor("none", DType::kF32, {0, 4}), Tensor("one", DType::kI64, {}), Tensor("u", DType::kU16, {3})});
  for (const char* variant : {"zip", "legacy"}) {
    Scratch scratch;
    const std::string path = WriteFirst(scratch, content, Variant(variant));
    const Schema schema = MustRead(path, "torch");
    EXPECT_EQ(schema.variant, variant);
    const std::string bytes = ReadFile(path);
    std::vector<std::string> found;
    for (const StoredTensor& tensor : schema.tables[0]) {
      std::string values = bytes.substr(tensor.begin, tensor.bytes);
      const bool same = std::all_of(values.begin(), values.end(), [&](char c) { return c == values[0]; });
      found.push_back(fmt::format("{} {} {} {}", schema.names[tensor.name], Name(tensor.dtype),
                                  ToString(schema.shapes[tensor.shape]), same && !values.empty() ? int{values[0]} : 0));
    }
    EXPECT_THAT(found, UnorderedElementsAre("a bf16 [2, 3] 1", "b.c f8_e4m3 [5] 2", "none f32 [0, 4] 0", "one i64 [] 4",
                                            "u u16 [3] 5"))
        << variant;
  }
}

// Meta's files of ranks, and back.
TEST(TorchWriter, RanksHaveFilesOfTheirOwn) {
  Scratch scratch;
  WriteFirst(scratch, ContentWith({Tensor("w", DType::kF16, {4})}, 2), Variant(""));
  const Schema schema = MustRead(scratch.At("out"), "torch");
  ASSERT_EQ(schema.files.size(), 2u);
  EXPECT_TRUE(schema.has_mesh);
  EXPECT_EQ(schema.files[1].rank, 1);
  EXPECT_TRUE(schema.files[1].path.ends_with("consolidated.01.pth"));
  fs::remove(scratch.At("out/consolidated.00.pth"));
  EXPECT_THAT(Reason(scratch.At("out"), "torch"), HasSubstr("`consolidated.00.pth` is missing"));
}

// Trainers keep the model's dictionary in another.
TEST(TorchWriter, AModelBelowStateDict) {
  Scratch scratch;
  const std::string path =
      WriteFirst(scratch, ContentWith({Tensor("state_dict.a.b", DType::kF16, {4})}), Variant("zip"));
  auto file = TorchFile::Open(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->root().Find("state_dict"));
  EXPECT_TRUE(file->root().Find("state_dict")->Find("a.b"));
}

// ---------------------------------------------------------------- what stands around tensors

// {"epoch": 3, "args": Namespace(lr=0.5), "state_dict": {"a.b": tensor, "old": tensor}, "long": 70,000 bytes}
std::string TrainersFile(const Scratch& scratch) {
  pickle::Tree tree;
  TorchStorages storages(TorchFile::Container::kZip, tree);
  pickle::Value *root = tree.Dict(), *model = tree.Dict(), *attributes = tree.Dict();
  tree.Set(root, "epoch", tree.Int(3));
  pickle::Value* arguments = tree.Call("argparse Namespace", {});
  tree.Set(attributes, "lr", tree.Float(0.5));
  arguments->made = pickle::Value::Made::kNew;
  arguments->state = attributes;
  tree.Set(root, "args", arguments);
  tree.Set(model, "a.b", storages.Tensor(DType::kF32, {2}));
  tree.Set(model, "old", storages.Tensor(DType::kF32, {3}));
  tree.Set(root, "state_dict", model);
  tree.Set(root, "long", tree.Text(std::string(70000, 'z')));
  auto layout = LayOutTorch("last.ckpt", *root, storages);
  EXPECT_TRUE(layout.ok());
  return scratch.Write("last.ckpt", Assemble(layout->size, layout->inserts, layout->checksums));
}

std::string Beginning(const pickle::Value& root) { return PickleText().Show(root).substr(0, 78); }

TEST(TorchSurroundings, AreKeptWhereEveryTensorHasItsPlace) {
  Scratch scratch;
  WriteOptions options;
  options.preserved = MustRead(TrainersFile(scratch), "torch").preserved;
  ASSERT_TRUE(options.preserved);
  const std::string path = WriteFirst(scratch, ContentWith({Tensor("state_dict.a.b", DType::kBF16, {7})}), options);
  auto file = TorchFile::Open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(Beginning(file->root()), "{'epoch': 3, 'args': argparse Namespace() state {'lr': 0.5}, 'state_dict': {'a");
  EXPECT_EQ(file->root().Find("state_dict")->entries.size(), 2u);
  EXPECT_EQ(file->root().Find("long")->integer, 70000);
  EXPECT_THAT(TensorsOf(MustRead(path, "torch")), ElementsAre(HasSubstr("state_dict.a.b bf16 [7]")));
}

TEST(TorchSurroundings, AreNothingToTensorsOfOtherNames) {
  Scratch scratch;
  WriteOptions options;
  options.preserved = MustRead(TrainersFile(scratch), "torch").preserved;
  const std::string path = WriteFirst(scratch, ContentWith({Tensor("w", DType::kF32, {2})}), options);
  auto file = TorchFile::Open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->root().IsMadeBy("collections OrderedDict"));
}

}  // namespace
}  // namespace aoa::formats
