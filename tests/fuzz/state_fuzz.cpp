// What a run leaves on disk for a later one, changed in any way: a journal names no job that was not done, and a kernel
// from a damaged cache does what its key says.
//
// An input patches good files: three bytes each, two of them a place, one a value; the first two bytes cut the file
// off.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "compiler/codegen/codegen.h"
#include "runtime/io/file.h"
#include "runtime/io/journal.h"
#include "tests/fuzz/harness.h"

namespace {

namespace fs = std::filesystem;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

// A folder of this process with a good journal and a good cache.
class Good {
 public:
  static constexpr uint64_t kJobs = 40;

  Good() {
    std::string pattern =
        (access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path()) / "aoac-fuzz-XXXXXX";
    Require(mkdtemp(pattern.data()) != nullptr, "no folder");
    folder = pattern;
    auto opened = aoa::io::Journal::Open(Open(folder / "journal"), "key", kJobs);
    Require(opened.ok(), "no journal");
    for (uint64_t job = 0; job < kJobs; job += 2) Require(opened->Append(job, ValueOf(job)).ok(), "no record");
    journal = ReadFile(folder / "journal");
    UseKernel();
    for (const auto& entry : fs::directory_iterator(folder / "cache")) cached_path = entry.path();
    cached = ReadFile(cached_path);
    Require(!cached.empty(), "no cache");
  }
  ~Good() { fs::remove_all(folder); }

  static aoa::io::File Open(const fs::path& path) {
    return aoa::io::File(aoa::io::Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), path.string());
  }
  // Compiles or loads a kernel, and looks at what it does. True if it was loaded.
  bool UseKernel() const {
    aoa::KernelKey key;
    key.in = key.out = aoa::DType::kU16;
    key.dims = {{3, 1, 2, 0}, {2, 3, 1, 0}};
    aoa::codegen::Options options;
    options.cache_folder = (folder / "cache").string();
    auto table = aoa::codegen::KernelTable::Start({key}, options);
    auto kernel = table->Get(0);
    Require(kernel.ok(), "no kernel");
    const uint16_t in[6] = {10, 11, 12, 13, 14, 15};
    uint16_t out[6] = {};
    Require((*kernel)(in, out, nullptr, nullptr) == 0, "the kernel fails");
    const uint16_t expected[6] = {10, 13, 11, 14, 12, 15};
    Require(std::equal(out, out + 6, expected), "the kernel does something else");
    return table->statistics().loaded == 1;
  }

  static uint64_t ValueOf(uint64_t job) { return job * 77 + 1; }

  fs::path folder, cached_path;
  std::string journal, cached;
};

std::string Patched(std::string content, const uint8_t* data, size_t size) {
  if (size >= 2) content.resize(std::min<size_t>(content.size(), (data[0] << 8 | data[1]) % (2 * content.size() + 1)));
  for (size_t i = 2; i + 2 < size && !content.empty(); i += 3) {
    content[static_cast<size_t>(data[i] << 8 | data[i + 1]) % content.size()] = static_cast<char>(data[i + 2]);
  }
  return content;
}

void TestJournal(const Good& good, const uint8_t* data, size_t size) {
  fs::path path = good.folder / "patched";
  std::string content = Patched(good.journal, data, size);
  WriteFile(path, content);
  auto journal = aoa::io::Journal::Open(Good::Open(path), "key", Good::kJobs);
  Require(journal.ok(), "a damaged journal is an error");
  Require(journal->done().size() == Good::kJobs, "other jobs");
  size_t done = 0;
  for (uint64_t job = 0; job < Good::kJobs; ++job) {
    if (!journal->done()[job]) continue;
    ++done;
    Require(job % 2 == 0 && journal->values()[job] == Good::ValueOf(job), "a job that was not done");
  }
  Require(content != good.journal || done == Good::kJobs / 2, "a good journal is not believed");
  Require(journal->Append(1, 5).ok(), "no record after damage");
}

void TestCache(const Good& good, const uint8_t* data, size_t size) {
  std::string content = Patched(good.cached, data, size);
  WriteFile(good.cached_path, content);
  bool loaded = good.UseKernel();
  Require(loaded == (content == good.cached), loaded ? "a damaged object is used" : "a good object is not");
}

}  // namespace

void aoa::fuzz::Test(std::string_view input) {
  const auto* data = reinterpret_cast<const uint8_t*>(input.data());
  const size_t size = input.size();
  static const Good good;
  TestJournal(good, data, size);
  static unsigned inputs = 0;
  if (inputs++ % 64 == 0) TestCache(good, data, size);  // a miss compiles
}

const std::vector<std::string>& aoa::fuzz::Words() {
  static const std::vector<std::string> words = {std::string("\0\0\0", 3),   std::string("\xff\xff", 2),
                                                 std::string("\0\x08\0", 3), std::string("\0\x40\x01", 3),
                                                 std::string("\0\x20\0", 3), std::string("\x01\x00", 2)};
  return words;
}
