// The table of kernels: what it keeps on disk, what it believes of that, and who may ask it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "compiler/core/check.h"
#include "tests/unit/kernel_case.h"

namespace aoa::codegen {
namespace {

namespace fs = std::filesystem;

// A folder that is removed in the end.
class CodegenCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "aoac-cache-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    folder_ = root_ / "a" / "b";
  }
  void TearDown() override { fs::remove_all(root_); }

  // Uses all kernels once, and says how many came from where.
  KernelTable::Statistics Use(const std::vector<KernelKey>& keys, int threads = 1) {
    auto table = KernelTable::Start(keys, {.cache_folder = folder_, .threads = threads});
    for (size_t i = 0; i < keys.size(); ++i) {
      Case c{keys[i], {}};
      for (const KernelDim& dim : keys[i].dims) c.extents.push_back(dim.extent);
      auto kernel = table->Get(i);
      EXPECT_TRUE(kernel.ok());
      Check(*kernel, c, FillWithTameFloats);
    }
    return table->statistics();
  }

  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
  }

  void ExpectRecompiles() {
    auto statistics = Use({key_});
    EXPECT_EQ(statistics.compiled, 1);
    EXPECT_EQ(statistics.loaded, 0);
    EXPECT_EQ(Use({key_}).loaded, 1);  // and repaired
  }

  fs::path root_, folder_;
  KernelKey key_{DType::kF32, DType::kBF16, {CastTo(DType::kBF16)}, {{70, 1, 90}, {90, 70, 1}}};
  KernelKey other_{DType::kU16, DType::kU16, {}, {{70, 1, 90}, {90, 70, 1}}};
};

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void WriteFile(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

TEST_F(CodegenCacheTest, CompilesOnce) {
  auto first = Use({key_, other_}, 2), second = Use({key_, other_}, 2);
  EXPECT_EQ(first.compiled, 2);
  EXPECT_EQ(first.loaded, 0);
  EXPECT_EQ(second.compiled, 0);
  EXPECT_EQ(second.loaded, 2);
  ASSERT_EQ(Files().size(), 2u);
  for (const fs::path& file : Files()) EXPECT_EQ(fs::status(file).permissions(), fs::perms(0600));
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms(0700));
}

TEST_F(CodegenCacheTest, NoticesEveryDamage) {
  Use({key_});
  fs::path file = Files().at(0);
  std::string content = ReadFile(file);
  for (size_t size : {size_t{0}, size_t{7}, size_t{40}, content.size() / 2, content.size() - 1}) {
    WriteFile(file, content.substr(0, size));
    ExpectRecompiles();
  }
  for (size_t at : {size_t{0}, size_t{8}, size_t{16}, size_t{24}, size_t{50}, content.size() / 2, content.size() - 1}) {
    std::string damaged = content;
    damaged[at] ^= 0x10;
    WriteFile(file, damaged);
    ExpectRecompiles();
  }
  WriteFile(file, content + "x");
  ExpectRecompiles();
}

TEST_F(CodegenCacheTest, DoesNotTrustAName) {
  Use({key_});
  fs::path file = Files().at(0);
  KernelKey like = key_;  // its text has the same length
  like.dims[0].out = 91;
  Use({like});
  std::vector<fs::path> files = Files();
  ASSERT_EQ(files.size(), 2u);
  fs::path its = files[0] == file ? files[1] : files[0];
  fs::copy_file(its, file, fs::copy_options::overwrite_existing);
  ExpectRecompiles();
}

TEST_F(CodegenCacheTest, DoesNotTrustWhatOthersMayWrite) {
  Use({key_});
  fs::path file = Files().at(0);
  fs::permissions(file, fs::perms(0620));
  ExpectRecompiles();
  if (geteuid() == 0) {  // only root may give files away
    ASSERT_EQ(chown(file.c_str(), 65534, -1), 0);
    ExpectRecompiles();
  }
  fs::path elsewhere = root_ / "elsewhere";
  fs::rename(file, elsewhere);
  fs::create_symlink(elsewhere, file);
  ExpectRecompiles();
}

TEST_F(CodegenCacheTest, WorksWithoutAFolder) {
  WriteFile(root_ / "file", "");
  folder_ = root_ / "file" / "below";
  EXPECT_EQ(Use({key_}).compiled, 1);
  folder_ = "/proc/aoac";
  EXPECT_EQ(Use({key_}).compiled, 1);
  folder_ = "";
  EXPECT_EQ(Use({key_}).compiled, 1);
}

TEST(KernelTableTest, ServesManyThreads) {
  std::vector<KernelKey> keys;
  for (int64_t i = 0; i < 24; ++i) keys.push_back({DType::kU16, DType::kU16, {}, {{2, 1, 100 + i}, {3, 50, 1}}});
  auto table = KernelTable::Start(keys, {.threads = 3});
  std::vector<std::thread> threads;
  std::vector<std::vector<KernelFunction>> got(6);
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < keys.size(); ++i) {
        auto kernel = table->Get((i * 7 + t) % keys.size());
        if (kernel.ok()) got[t].push_back(*kernel);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 6; ++t) {
    ASSERT_EQ(got[t].size(), keys.size());
    for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(got[t][i], *table->Get((i * 7 + t) % keys.size()));
  }
  EXPECT_EQ(table->statistics().compiled, 24);
}

TEST(KernelTableTest, MayEndBeforeItsWork) {
  std::vector<KernelKey> keys(50, {DType::kU16, DType::kU16, {}, {{200, 1, 300}, {300, 200, 1}}});
  for (size_t i = 0; i < keys.size(); ++i) keys[i].dims[0].out += i;
  KernelTable::Start(keys, {.threads = 2});
  KernelTable::Start({}, {});
}

TEST(KernelTableTest, SaysWhatTheProcessorIsNot) {
  auto table = KernelTable::Start({{DType::kU8, DType::kU8, {}, {{0, 1, 1}}}}, {.cpu = "abacus"});
  auto kernel = table->Get(0);
  ASSERT_FALSE(kernel.ok());
  EXPECT_EQ(kernel.status().code(), StatusCode::kUsage);
  EXPECT_EQ(kernel.status().message(), "LLVM knows no processor `abacus`");
}

TEST(KernelTableTest, HandsOutFailedChecks) {
  ValueChain chain = {{.kind = ValueStep::Kind::kMean}, CastTo(DType::kBF16)};
  auto table = KernelTable::Start({{DType::kBF16, DType::kBF16, chain, {{0, 1, 1}}}}, {});
  EXPECT_THROW((void)table->Get(0), InternalError);
  EXPECT_THROW((void)table->Get(1), InternalError);
}

TEST(EmitTest, ShowsWhatRuns) {
  std::vector<KernelKey> keys = {{DType::kU16, DType::kU16, {}, {{70, 1, 90}, {90, 70, 1}}},
                                 {DType::kF32, DType::kBF16, {CastTo(DType::kBF16)}, {{0, 1, 1}}}};
  auto llvm = EmitLlvm(keys), assembly = EmitAssembly(keys);
  ASSERT_TRUE(llvm.ok() && assembly.ok());
  for (const KernelKey& key : keys) {
    EXPECT_NE(llvm->find(": " + ToString(key) + "\n"), std::string::npos) << *llvm;
    EXPECT_NE(assembly->find(": " + ToString(key) + "\n"), std::string::npos);
  }
  EXPECT_NE(llvm->find("define i32 @kernel_"), std::string::npos) << *llvm;
  EXPECT_NE(assembly->find("\nkernel_"), std::string::npos);
  EXPECT_EQ(*llvm, *EmitLlvm(keys));
  EXPECT_EQ(*assembly, *EmitAssembly(keys));
  EXPECT_EQ(LlvmVersion().substr(0, 5), "19.1.");
}

}  // namespace
}  // namespace aoa::codegen
