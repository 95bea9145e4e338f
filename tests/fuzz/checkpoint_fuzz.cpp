// Checkpoints of all formats of which one file is damaged. Whatever the input: no crash, little memory, and either a
// reason why not or a schema that holds to its laws, whose tensors can then be read through a plan, or say why not.
//
// An input is three bytes for the checkpoint, its file, and the file's part, and edits of it (damage.h).

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "compiler/plan/plain.h"
#include "runtime/exec/digest.h"
#include "runtime/formats/format.h"
#include "tests/fuzz/allocations.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/schema_laws.h"

namespace aoa::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostMemory = 100 << 20;    // bytes asked for while one checkpoint's headers are read
constexpr uint64_t kMostElements = 4 << 20;  // of tensors that are read: views may repeat a byte without end
constexpr uint64_t kChunk = 64 << 10;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct File {
  fs::path path, original;
  DamageableFile content;
};

// A checkpoint below the folder of this process.
struct Checkpoint {
  std::string path;
  const formats::Format* format = nullptr;
  formats::ReadOptions options;
  std::vector<File> files;
};

// Copies of the cases of tests/data/checkpoints that consist of links, of which one is replaced for each input. A
// case's name begins with its format.
class Checkpoints {
 public:
  Checkpoints() {
    std::string pattern =
        (access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path()) / "aoac-fuzz-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    std::vector<fs::path> cases;
    for (const auto& entry : fs::directory_iterator(AOA_TEST_DATA "/checkpoints")) {
      if (entry.is_directory()) cases.push_back(entry.path());
    }
    std::sort(cases.begin(), cases.end());
    for (const fs::path& path : cases) AddCase(path);
  }
  ~Checkpoints() { fs::remove_all(root_); }

  size_t size() const { return checkpoints_.size(); }
  const Checkpoint& operator[](size_t number) const { return checkpoints_[number]; }

 private:
  void AddCase(const fs::path& original) {
    const fs::path folder = root_ / original.filename();
    Checkpoint& checkpoint = checkpoints_.emplace_back();
    std::vector<fs::path> paths;
    for (const auto& entry : fs::recursive_directory_iterator(original / "ckpt")) {
      if (entry.is_regular_file()) paths.push_back(entry.path().lexically_relative(original / "ckpt"));
    }
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) {
      fs::create_directories((folder / path).parent_path());
      fs::create_symlink(original / "ckpt" / path, folder / path);
      checkpoint.files.push_back(
          {folder / path, original / "ckpt" / path, DamageableFile(ReadFile(original / "ckpt" / path))});
    }
    const std::string name = original.filename();
    checkpoint.format = formats::FindFormat(name.substr(0, name.find('-')));
    REQUIRE(checkpoint.format != nullptr);
    checkpoint.path = folder;
    if (!checkpoint.format->Recognizes(checkpoint.path)) checkpoint.path = folder / paths[0];  // a file by itself
    REQUIRE(checkpoint.format->Recognizes(checkpoint.path));
    if (!fs::exists(original / "strategy")) return;
    auto layout = checkpoint.format->ReadLayout(original / "strategy");
    REQUIRE(layout.ok());
    checkpoint.options.layout = *layout;
  }

  fs::path root_;
  std::vector<Checkpoint> checkpoints_;
};

const Checkpoints& All() {
  static const Checkpoints checkpoints;
  return checkpoints;
}

void Replace(const fs::path& path, const std::string& content) {
  fs::remove(path);
  std::ofstream(path, std::ios::binary) << content;
}

void Restore(const File& file) {
  fs::remove(file.path);
  fs::create_symlink(file.original, file.path);
}

// Reads every tensor as a run without rules does.
void ReadTensors(const Schema& schema) {
  uint64_t elements = 0;
  for (const SchemaFile& file : schema.files) {
    for (const StoredTensor& tensor : schema.tables[file.table]) {
      const uint32_t shape = tensor.whole == StoredTensor::kNoChunk ? tensor.shape : tensor.whole;
      elements += std::min<uint64_t>(static_cast<uint64_t>(ElementCount(schema.shapes[shape])), kMostElements);
      if (elements >= kMostElements) return;
    }
  }
  std::vector<plan::PlainTensor> tensors;
  const Plan plan = plan::PlainPlan(schema, kChunk, tensors);
  exec::Sources sources(plan, 256);
  const exec::FillContext context{plan, sources, {}, [](uint32_t) { return std::string("tensor"); }, {}};
  for (const Plan::OutShard& shard : plan.out_shards) {
    const plan::PlainTensor& tensor = tensors[shard.target];
    auto digest =
        exec::DigestShard(context, shard, {schema.names[tensor.name], tensor.dtype, schema.shapes[tensor.shape]});
    if (!digest.ok()) REQUIRE(digest.status().code() != StatusCode::kSystem);
  }
}

void Read(const Checkpoint& checkpoint) {
  (void)formats::RecognizeFormat(checkpoint.path);
  auto schema = [&] {
    testing::AllocationBound bound(kMostMemory);
    return checkpoint.format->Read(checkpoint.path, checkpoint.options);
  }();
  if (!schema.ok()) return CheckRefusal(schema.status(), 8000);
  CheckSchema(*schema);
  (void)checkpoint.format->Companions(checkpoint.path);
  ReadTensors(*schema);
}

}  // namespace

void Test(std::string_view input) {
  if (input.size() < 3) return;
  const auto* byte = reinterpret_cast<const uint8_t*>(input.data());
  const Checkpoint& checkpoint = All()[byte[0] % All().size()];
  const File& file = checkpoint.files[byte[1] % checkpoint.files.size()];
  Replace(file.path, file.content.Damaged(byte[2] % file.content.parts(), input.substr(3)));
  Read(checkpoint);
  Restore(file);
}

// A few files of every checkpoint as they are.
std::vector<std::string> MoreSeeds() {
  constexpr size_t kFiles = 6;
  std::vector<std::string> seeds;
  for (size_t i = 0; i < All().size(); ++i) {
    const size_t files = All()[i].files.size();
    for (size_t k = 0; k < std::min(files, kFiles); ++k)
      seeds.push_back({static_cast<char>(i), static_cast<char>(k * files / std::min(files, kFiles)), '\0'});
  }
  return seeds;
}

// Pieces of pickles, protocol buffers, headers and names.
const std::vector<std::string>& Words() {
  using namespace std::string_literals;
  static const std::vector<std::string> words = {"."s,
                                                 "("s,
                                                 "N"s,
                                                 "]"s,
                                                 "}"s,
                                                 ")"s,
                                                 "t"s,
                                                 "e"s,
                                                 "u"s,
                                                 "s"s,
                                                 "a"s,
                                                 "R"s,
                                                 "b"s,
                                                 "Q"s,
                                                 "0"s,
                                                 "\x81"s,
                                                 "\x85"s,
                                                 "\x86"s,
                                                 "\x87"s,
                                                 "\x88"s,
                                                 "\x89"s,
                                                 "\x93"s,
                                                 "\x94"s,
                                                 "q\x01"s,
                                                 "h\x01"s,
                                                 "h\x05"s,
                                                 "j\x01\x00\x00\x00"s,
                                                 "K\x00"s,
                                                 "K\x01"s,
                                                 "K\x02"s,
                                                 "K\x03"s,
                                                 "K\xFF"s,
                                                 "M\x00\x01"s,
                                                 "J\xFF\xFF\xFF\x7F"s,
                                                 "J\xFF\xFF\xFF\xFF"s,
                                                 "J\x00\x00\x00\x80"s,
                                                 "G\x7F\xF8\x00\x00\x00\x00\x00\x00"s,
                                                 "\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"s,
                                                 "\x8A\x08\x00\x00\x00\x00\x00\x00\x00\x40"s,
                                                 "\x8A\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01"s,
                                                 "X\x00\x00\x00\x00"s,
                                                 "X\x01\x00\x00\x00w"s,
                                                 "cm\nC\n"s,
                                                 "ctorch\nFloatStorage\n"s,
                                                 "ctorch\nSize\n"s,
                                                 "ctorch._utils\n_rebuild_tensor_v2\n"s,
                                                 "cnumpy\ndtype\n"s,
                                                 "cposix\nsystem\n"s,
                                                 "\x0a\x00"s,
                                                 "\x12\x7F"s,
                                                 "\x1a\xFF\xFF\xFF\xFF\x0F"s,
                                                 "-1"s,
                                                 "0"s,
                                                 "9"s,
                                                 "99999999999999999999"s,
                                                 "4611686018427387904"s,
                                                 "null"s,
                                                 "[]"s,
                                                 "{}"s,
                                                 "\""s,
                                                 "'"s,
                                                 "/"s,
                                                 "../"s,
                                                 "."s,
                                                 "\0"s,
                                                 "\n"s,
                                                 "_"s,
                                                 "rank"s,
                                                 "weight"s,
                                                 "BF16"s,
                                                 "Float32"s,
                                                 "BoolTensor"s};
  return words;
}

}  // namespace aoa::fuzz
