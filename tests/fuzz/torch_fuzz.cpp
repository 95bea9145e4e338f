// Files of torch.save from nowhere, and archives and streams around pickles from nowhere (whose checksums are right).
// Whatever the input: no crash, memory in proportion to it, and every tensor that is found lies in the file.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/formats/torch_file.h"
#include "runtime/formats/torch_surroundings.h"
#include "runtime/formats/torch_writer.h"
#include "runtime/io/crc32.h"
#include "tests/fuzz/allocations.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/memory_file.h"
#include "tests/unit/torch_files.h"

namespace aoa::formats {
namespace {

void CheckTensor(const TorchTensor& tensor, uint64_t size) {
  REQUIRE(tensor.offset <= size && tensor.bytes <= size - tensor.offset);
  REQUIRE(tensor.shape.size() == tensor.strides.size());
  __int128 last = 0, count = 1;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    REQUIRE(tensor.shape[i] >= 0 && tensor.strides[i] >= 0);
    count *= tensor.shape[i];
    last += std::max<__int128>(tensor.shape[i] - 1, 0) * tensor.strides[i];
  }
  REQUIRE(count == 0 || (last + 1) * Width(tensor.dtype) == static_cast<__int128>(tensor.bytes));
}

// What stands around the tensors can be kept, or the reason why not is said.
void TestSurroundings(const TorchFile& file, const std::vector<std::string>& names) {
  pickle::Tree tree;
  TensorValues values;
  for (const std::string& name : names) values[name] = tree.None();
  auto object = Surround(file, values, tree);
  if (object.ok() && *object) (void)pickle::Write(**object, pickle::Protocol::kTwo).ok();
}

void TestFile(std::string_view bytes) {
  fuzz::MemoryFile input(bytes);
  auto file = [&] {
    testing::AllocationBound bound(1000 * bytes.size() + (4 << 20));
    return TorchFile::Open(input.path());
  }();
  if (!file.ok()) return fuzz::CheckRefusal(file.status());
  std::vector<std::string> names;
  (void)file->Suspicions();
  Status status = EachLeaf(file->root(), [&](const std::string& name, const pickle::Value& value) -> Status {
    auto tensor = file->TensorOf(value, name);
    if (tensor.ok() && *tensor) {
      CheckTensor(**tensor, bytes.size());
      names.push_back(name);
    }
    return Status();
  });
  REQUIRE(status.ok());
  TestSurroundings(*file, names);
}

std::shared_ptr<const std::string> Shared(std::string_view text) { return std::make_shared<const std::string>(text); }

// The pickle in an archive with a few storages.
void TestPickle(std::string_view pickle) {
  std::vector<ZipRecord> records = {{"r/data.pkl", pickle.size(), Shared(pickle)}, {"r/version", 2, Shared("3\n")}};
  for (int i = 0; i < 3; ++i) records.push_back({"r/data/" + std::to_string(i), 24u * i + 4, nullptr});
  const ZipLayout zip = LayOutZip(records);
  TestFile(testing::Assemble(zip.size, zip.inserts, zip.checksums));
}

}  // namespace
}  // namespace aoa::formats

void aoa::fuzz::Test(std::string_view input) {
  formats::TestFile(input);
  // The pickle of the seeds' archives stands behind a header of at most 64 bytes.
  const size_t begin = input.starts_with("PK") ? input.find("\x80\x02", 30) : 0;
  if (begin != input.npos) formats::TestPickle(input.substr(begin));
}

const std::vector<std::string>& aoa::fuzz::Words() {
  using namespace std::string_literals;
  static const std::vector<std::string> words = {"PK\x01\x02"s,
                                                 "PK\x03\x04"s,
                                                 "PK\x05\x06"s,
                                                 "\xFF\xFF\xFF\xFF"s,
                                                 "\x00\x00\x00\x80"s,
                                                 "FB"s,
                                                 "."s,
                                                 "("s,
                                                 "N"s,
                                                 "}"s,
                                                 ")"s,
                                                 "t"s,
                                                 "\x85"s,
                                                 "\x86"s,
                                                 "R"s,
                                                 "Q"s,
                                                 "K\x00"s,
                                                 "K\x06"s,
                                                 "M\xFF\xFF"s,
                                                 "X\x07\x00\x00\x00storage"s,
                                                 "X\x01\x00\x00\x00"
                                                 "1"s,
                                                 "X\x03\x00\x00\x00"
                                                 "cpu"s,
                                                 "ctorch\nFloatStorage\n"s,
                                                 "ctorch.storage\nUntypedStorage\n"s,
                                                 "ctorch._utils\n_rebuild_tensor_v2\n"s,
                                                 "ctorch._utils\n_rebuild_tensor_v3\n"s,
                                                 "ctorch._utils\n_rebuild_parameter\n"s,
                                                 "ctorch._tensor\n_rebuild_from_type_v2\n"s,
                                                 "ctorch\nfloat8_e5m2\n"s,
                                                 "\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"s};
  return words;
}
