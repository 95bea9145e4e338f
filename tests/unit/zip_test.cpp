#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/formats/zip.h"
#include "runtime/io/crc32.h"
#include "tests/unit/scratch.h"
#include "tests/unit/torch_files.h"

namespace aoa::formats {
namespace {

using testing::Assemble;
using ::testing::HasSubstr;
using testing::ReadFile;
using testing::Scratch;

std::shared_ptr<const std::string> Content(const std::string& text) {
  return std::make_shared<const std::string>(text);
}

struct Archive {
  Scratch scratch;
  std::string path;
  std::vector<ZipEntry> entries;
  Status status;

  explicit Archive(std::string_view bytes) : path(scratch.Write("a.zip", bytes)) { Read(0, bytes.size()); }
  void Read(uint64_t begin, uint64_t end) {
    auto file = io::File::OpenForReading(path);
    ASSERT_TRUE(file.ok());
    auto read = ReadZip(*file, begin, end);
    status = read.status();
    if (read.ok()) entries = *std::move(read);
  }
};

TEST(ZipWriter, PayloadsAreAlignedAndChecksumsHaveTheirPlaces) {
  ZipLayout layout =
      LayOutZip({{"r/data.pkl", 5, Content("hello")}, {"r/data/0", 100, nullptr}, {"r/empty", 0, nullptr}});
  for (uint64_t offset : layout.offsets) EXPECT_EQ(offset % 64, 0u);
  ASSERT_EQ(layout.checksums.size(), 1u);
  EXPECT_EQ(layout.checksums[0].begin, layout.offsets[1]);
  EXPECT_EQ(layout.checksums[0].places.size(), 2u);
  Archive archive(Assemble(layout.size, layout.inserts, layout.checksums));
  ASSERT_TRUE(archive.status.ok()) << archive.status.message();
  ASSERT_EQ(archive.entries.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(archive.entries[i].offset, layout.offsets[i]);
  auto file = io::File::OpenForReading(archive.path);
  EXPECT_EQ(*ReadZipEntry(*file, archive.entries[0], 100), "hello");
  EXPECT_TRUE(CheckZipEntry(*file, archive.entries[1]).ok());
  EXPECT_THAT(ReadZipEntry(*file, archive.entries[1], 99).status().message(), HasSubstr("has 100 bytes, too many"));
}

// Six gigabytes in a sparse file: a record that is too large for 32 bits, and one that begins too far.
TEST(ZipWriter, LargeArchives) {
  const uint64_t large = (4ull << 30) + 100;
  ZipLayout layout = LayOutZip({{"r/data/0", large, nullptr}, {"r/data/1", 1ull << 20, nullptr}});
  Scratch scratch;
  const std::string path = scratch.Write("large.zip", "");
  std::filesystem::resize_file(path, layout.size);
  std::fstream out(path, std::ios::in | std::ios::out | std::ios::binary);
  for (const Insert& insert : layout.inserts) {
    out.seekp(static_cast<std::streamoff>(insert.offset));
    out << *insert.content;
  }
  out.close();
  auto file = io::File::OpenForReading(path);
  auto entries = ReadZip(*file, 0, layout.size);
  ASSERT_TRUE(entries.ok()) << entries.status().message();
  EXPECT_EQ((*entries)[0].size, large);
  EXPECT_EQ((*entries)[1].offset, layout.offsets[1]);
  EXPECT_GT(layout.offsets[1], large);
  EXPECT_EQ(layout.offsets[1] % 64, 0u);
}

// The archive as a part of a file, as DCP has many in one.
TEST(ZipReader, PartsOfFiles) {
  ZipLayout layout = LayOutZip({{"r/version", 2, Content("3\n")}});
  const std::string bytes = Assemble(layout.size, layout.inserts, layout.checksums);
  Archive archive("before" + bytes + "behind");
  EXPECT_THAT(archive.status.message(), HasSubstr("no end record: it is truncated, or bytes follow it"));
  archive.Read(6, 6 + bytes.size());
  ASSERT_TRUE(archive.status.ok()) << archive.status.message();
  EXPECT_EQ(archive.entries[0].offset, layout.offsets[0] + 6);
}

// Written with checksums switched off, torch's records have 0 in their place.
TEST(ZipReader, AbsentChecksums) {
  ZipLayout layout = LayOutZip({{"r/data/0", 4, nullptr}});
  std::string bytes = Assemble(layout.size, layout.inserts, {});
  bytes.replace(layout.offsets[0], 4, "abcd");
  Archive archive(bytes);
  auto file = io::File::OpenForReading(archive.path);
  ASSERT_TRUE(archive.status.ok());
  EXPECT_TRUE(CheckZipEntry(*file, archive.entries[0]).ok());
}

// Any bit of the headers that is turned is noticed, or changes nothing that is read.
TEST(ZipReader, EveryBrokenByteIsSeenOrHarmless) {
  ZipLayout layout = LayOutZip({{"r/a", 3, Content("abc")}, {"r/b", 3, Content("def")}});
  const std::string bytes = Assemble(layout.size, layout.inserts, layout.checksums);
  size_t refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string broken = bytes;
    broken[at] = static_cast<char>(broken[at] ^ 0xFF);
    Archive archive(broken);
    refused += !archive.status.ok();
    for (const ZipEntry& entry : archive.entries) EXPECT_LE(entry.offset + entry.size, bytes.size());
  }
  EXPECT_GT(refused, 150u);
}

}  // namespace
}  // namespace aoa::formats
