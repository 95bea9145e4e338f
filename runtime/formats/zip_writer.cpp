#include <bit>
#include <cstring>

#include "runtime/formats/zip.h"
#include "runtime/io/crc32.h"

namespace aoa::formats {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kLimit = 0xFFFFFFFF;  // sizes and offsets from here on stand in Zip64 fields
constexpr uint16_t kUtf8 = 0x0800;
constexpr uint16_t kNeeded = 20, kNeeded64 = 45;
constexpr uint64_t kCrcInLocal = 14, kCrcInCentral = 16;

template <class T>
void Put(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

uint32_t Small(uint64_t value) { return static_cast<uint32_t>(value < kLimit ? value : kLimit); }

class ZipWriter {
 public:
  ZipLayout LayOut(const std::vector<ZipRecord>& records) {
    for (const ZipRecord& record : records) AddRecord(record);
    AddEnd(records.size());
    return std::move(layout_);
  }

 private:
  void AddRecord(const ZipRecord& record) {
    const uint64_t local = layout_.size;
    const bool large = record.size >= kLimit;
    const uint32_t crc = record.content ? io::Crc32(std::as_bytes(std::span(*record.content))) : 0;
    std::string sizes;
    if (large) {
      Put<uint16_t>(sizes, 1);
      Put<uint16_t>(sizes, 16);
      Put<uint64_t>(sizes, record.size);
      Put<uint64_t>(sizes, record.size);
    }
    const uint64_t start = local + 30 + record.name.size() + sizes.size() + 4;
    const auto padding = static_cast<uint16_t>((kAlignment - start % kAlignment) % kAlignment);
    std::string header;
    Put<uint32_t>(header, 0x04034B50);
    Common(header, large, crc, record.size, record.name.size());
    Put<uint16_t>(header, static_cast<uint16_t>(sizes.size() + 4 + padding));
    header += record.name + sizes + "FB";
    Put<uint16_t>(header, padding);
    header.append(padding, 'Z');
    const uint64_t data = local + header.size();
    layout_.offsets.push_back(data);
    AddCentral(record, local, crc);
    if (record.content) header += *record.content;
    AddInsert(local, std::move(header));
    if (!record.content && record.size > 0)
      waiting_.push_back({{data, record.size, {local + kCrcInLocal}}, central_at_});
    layout_.size = data + record.size;
  }

  // What local headers and the directory have in common, from the version needed to the length of the name.
  static void Common(std::string& out, bool large, uint32_t crc, uint64_t size, uint64_t name) {
    Put<uint16_t>(out, large ? kNeeded64 : kNeeded);
    Put<uint16_t>(out, kUtf8);
    Put<uint16_t>(out, 0);  // stored
    Put<uint32_t>(out, 0);  // no time
    Put<uint32_t>(out, crc);
    Put<uint32_t>(out, Small(size));
    Put<uint32_t>(out, Small(size));
    Put<uint16_t>(out, static_cast<uint16_t>(name));
  }

  void AddCentral(const ZipRecord& record, uint64_t local, uint32_t crc) {
    std::string sizes;
    for (uint64_t value : {record.size, record.size, local}) {
      if (value >= kLimit) Put<uint64_t>(sizes, value);
    }
    central_at_ = directory_.size() + kCrcInCentral;
    Put<uint32_t>(directory_, 0x02014B50);
    Put<uint16_t>(directory_, sizes.empty() ? kNeeded : kNeeded64);
    Common(directory_, !sizes.empty(), crc, record.size, record.name.size());
    Put<uint16_t>(directory_, static_cast<uint16_t>(sizes.empty() ? 0 : sizes.size() + 4));
    Put<uint16_t>(directory_, 0);  // comment
    Put<uint16_t>(directory_, 0);  // disk
    Put<uint16_t>(directory_, 0);
    Put<uint32_t>(directory_, 0);
    Put<uint32_t>(directory_, Small(local));
    directory_ += record.name;
    if (sizes.empty()) return;
    Put<uint16_t>(directory_, 1);
    Put<uint16_t>(directory_, static_cast<uint16_t>(sizes.size()));
    directory_ += sizes;
  }

  void AddEnd(uint64_t count) {
    const uint64_t place = layout_.size, size = directory_.size();
    for (auto& [checksum, central] : waiting_) {
      checksum.places.push_back(place + central);
      layout_.checksums.push_back(std::move(checksum));
    }
    std::string out = std::move(directory_);
    Put<uint32_t>(out, 0x06064B50);
    Put<uint64_t>(out, 44);
    Put<uint16_t>(out, kNeeded64);
    Put<uint16_t>(out, kNeeded64);
    Put<uint32_t>(out, 0);
    Put<uint32_t>(out, 0);
    for (uint64_t value : {count, count, size, place}) Put<uint64_t>(out, value);
    Put<uint32_t>(out, 0x07064B50);
    Put<uint32_t>(out, 0);
    Put<uint64_t>(out, place + size);
    Put<uint32_t>(out, 1);
    Put<uint32_t>(out, 0x06054B50);
    Put<uint32_t>(out, 0);
    for (int i = 0; i < 2; ++i) Put<uint16_t>(out, static_cast<uint16_t>(count < 0xFFFF ? count : 0xFFFF));
    Put<uint32_t>(out, Small(size));
    Put<uint32_t>(out, Small(place));
    Put<uint16_t>(out, 0);
    layout_.size += out.size();
    AddInsert(place, std::move(out));
  }

  void AddInsert(uint64_t offset, std::string text) {
    const uint64_t bytes = text.size();
    layout_.inserts.push_back({offset, std::make_shared<const std::string>(std::move(text)), bytes});
  }

  ZipLayout layout_;
  std::string directory_;
  uint64_t central_at_ = 0;                             // of the last record's CRC-32, in `directory_`
  std::vector<std::pair<Checksum, uint64_t>> waiting_;  // with the same of each
};

}  // namespace

ZipLayout LayOutZip(const std::vector<ZipRecord>& records) { return ZipWriter().LayOut(records); }

}  // namespace aoa::formats
