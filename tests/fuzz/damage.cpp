#include "tests/fuzz/damage.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <span>

#include "runtime/formats/zip.h"
#include "runtime/io/crc32.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/memory_file.h"
#include "tests/unit/torch_files.h"

namespace aoa::fuzz {
namespace {

constexpr size_t kEdit = 5;
constexpr std::string_view kEnd("PK\5\6"), kDirectory("PK\1\2");

template <class Number>
Number At(std::string_view file, size_t at) {
  Number number = 0;
  if (at <= file.size() && sizeof(number) <= file.size() - at) std::memcpy(&number, file.data() + at, sizeof(number));
  return number;
}

// An integer that is at an edge of something, in 1, 2, 4 or 8 bytes.
std::string EdgeNumber(uint8_t argument) {
  static constexpr uint64_t kEdges[] = {0,          1,          0x7F,       0x80,          0xFF,         0xFFFF,
                                        0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ull << 40,    (1ull << 62), ~0ull >> 1,
                                        1ull << 63, ~0ull,      ~0ull - 7,  1ull << 32 | 8};
  const uint64_t number = kEdges[argument % 16];
  return std::string(reinterpret_cast<const char*>(&number), size_t{1} << (argument / 16 % 4));
}

struct Edit {
  size_t at = 0;
  uint8_t what = 0, argument = 0;
};

// What an edit puts in place of `bytes.size()` bytes, or `erased` ones.
struct Replacement {
  size_t erased = 0;
  std::string bytes;
};

Replacement ReplacementOf(const Edit& edit, std::string_view content) {
  const size_t left = content.size() - edit.at;
  const auto byte = static_cast<char>(edit.argument);
  const std::string& word = Words()[edit.argument % Words().size()];
  switch (edit.what % 9) {
    case 0:
      return {1, std::string(1, byte)};
    case 1:
      return {1, left == 0 ? "" : std::string(1, static_cast<char>(content[edit.at] ^ (1 << edit.argument % 8)))};
    case 2:
      return {size_t{1} + edit.argument, ""};
    case 3:
      return {0, word};
    case 4:
      return {word.size(), word};
    case 5:
      return {0, std::string(content.substr(edit.at, 1 + edit.argument % 64))};
    case 6: {
      std::string number = EdgeNumber(edit.argument);
      return {number.size(), number};
    }
    case 7:
      return {0, std::string(1, byte)};
    default:
      return {edit.argument < 64 ? left : 1, ""};
  }
}

}  // namespace

DamageableFile::DamageableFile(std::string content) {
  MemoryFile file(content);
  auto entries = formats::ReadZip(file.file(), 0, content.size());
  fixed_size_ = !entries.ok() && content.find(kEnd) != content.npos;
  for (size_t i = 0; entries.ok() && i < entries->size(); ++i) {
    const auto& entry = (*entries)[i];
    Part part{entry.name, content.substr(entry.offset, entry.size), {}};
    part.places = PlacesOf(part.content);
    parts_.push_back(std::move(part));
  }
  whole_.content = std::move(content);
  whole_.places = PlacesOf(whole_.content);
}

std::vector<uint32_t> DamageableFile::PlacesOf(std::string_view content) {
  constexpr size_t kText = 4, kNear = 24;
  std::vector<uint32_t> places;
  size_t done = 0, run = 0;  // places are found up to `done`
  for (size_t i = 0; i < content.size(); ++i) {
    run = std::isprint(static_cast<unsigned char>(content[i])) ? run + 1 : 0;
    if (run < kText) continue;
    for (size_t at = std::max(done, i - std::min(i, kNear)); at < std::min(i + kNear, content.size()); ++at)
      places.push_back(static_cast<uint32_t>(at));
    done = std::max(done, std::min(i + kNear, content.size()));
  }
  return places;
}

std::string DamageableFile::Edited(const Part& part, std::string_view edits) const {
  std::string out = part.content;
  for (; edits.size() >= kEdit; edits.remove_prefix(kEdit)) {
    const auto* byte = reinterpret_cast<const uint8_t*>(edits.data());
    const size_t place = byte[0] | byte[1] << 8 | (byte[2] & 0x7F) << 16;
    // Anywhere, or more often near a text.
    const bool anywhere = byte[2] >= 0xE0 || part.places.empty();
    const size_t at =
        anywhere ? place % (out.size() + 1) : std::min<size_t>(part.places[place % part.places.size()], out.size());
    Replacement with = ReplacementOf({at, byte[3], byte[4]}, out);
    if (fixed_size_) {
      with.bytes.resize(std::min(with.bytes.size(), out.size() - at));
      with.erased = with.bytes.size();
    }
    out.replace(at, with.erased, with.bytes);
  }
  return out;
}

std::string DamageableFile::Damaged(size_t part, std::string_view edits) const {
  if (parts_.empty()) {
    std::string out = Edited(whole_, edits);
    MendChecksums(out);
    return out;
  }
  std::vector<formats::ZipRecord> records;
  for (size_t i = 0; i < parts_.size(); ++i) {
    auto content = std::make_shared<const std::string>(i == part ? Edited(parts_[i], edits) : parts_[i].content);
    records.push_back({parts_[i].name, content->size(), content});
  }
  const formats::ZipLayout layout = formats::LayOutZip(records);
  return testing::Assemble(layout.size, layout.inserts, layout.checksums);
}

void MendChecksums(std::string& file) {
  for (size_t end = file.find(kEnd); end != file.npos; end = file.find(kEnd, end + 1)) {
    const size_t bytes = At<uint32_t>(file, end + 12), offset = At<uint32_t>(file, end + 16);
    if (bytes + offset > end) continue;
    const size_t begin = end - bytes - offset;
    for (size_t at = end - bytes; at + 46 <= end && std::string_view(file).substr(at, 4) == kDirectory;) {
      const size_t header = begin + At<uint32_t>(file, at + 42), size = At<uint32_t>(file, at + 24);
      const size_t data = header + 30 + At<uint16_t>(file, header + 26) + At<uint16_t>(file, header + 28);
      if (data <= end && size <= end - data) {
        const uint32_t crc = io::Crc32(std::as_bytes(std::span(file).subspan(data, size)));
        std::memcpy(file.data() + at + 16, &crc, sizeof(crc));
        std::memcpy(file.data() + header + 14, &crc, sizeof(crc));
      }
      at += 46 + At<uint16_t>(file, at + 28) + At<uint16_t>(file, at + 30) + At<uint16_t>(file, at + 32);
    }
  }
}

}  // namespace aoa::fuzz
