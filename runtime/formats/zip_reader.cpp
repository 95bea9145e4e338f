#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "runtime/formats/quote.h"
#include "runtime/formats/zip.h"
#include "runtime/io/crc32.h"

namespace aoa::formats {
namespace {

constexpr uint32_t kLocal = 0x04034B50, kCentral = 0x02014B50, kEnd = 0x06054B50, kEnd64 = 0x06064B50,
                   kLocator64 = 0x07064B50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint64_t kLongestComment = 65535;
constexpr uint64_t kLargestDirectory = 1 << 30;
constexpr uint16_t kEncrypted = 1;
constexpr uint16_t kSizesTag = 1;  // of the Zip64 field

template <class T>
T At(std::string_view bytes, uint64_t offset) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

class ZipReader {
 public:
  ZipReader(const io::File& file, uint64_t begin, uint64_t end) : file_(file), begin_(begin), size_(end - begin) {}

  Result<std::vector<ZipEntry>> Read() {
    AOA_RETURN_IF_ERROR(FindEnd());
    AOA_RETURN_IF_ERROR(ReadDirectory());
    AOA_RETURN_IF_ERROR(CheckNames());
    AOA_RETURN_IF_ERROR(CheckOverlaps());
    return std::move(entries_);
  }

 private:
  // Offsets in the archive; messages give those in the file.
  Result<std::string> Bytes(uint64_t offset, uint64_t length) const {
    std::string out(static_cast<size_t>(length), '\0');
    AOA_RETURN_IF_ERROR(file_.ReadAt(begin_ + offset, std::as_writable_bytes(std::span(out))));
    return out;
  }

  template <class... Args>
  Status Broken(uint64_t offset, fmt::format_string<Args...> format, Args&&... args) const {
    return Status::Invalid(
        fmt::format("byte {}: {}", begin_ + offset, fmt::format(format, std::forward<Args>(args)...)));
  }

  // The end record closes the archive, and the directory lies right before it (or before its Zip64 twin).
  Status FindEnd() {
    if (size_ < kEndBytes) return Broken(0, "{} bytes are no zip archive", size_);
    uint64_t tail = std::min(size_, kEndBytes + kLongestComment);
    AOA_ASSIGN_OR_RETURN(std::string bytes, Bytes(size_ - tail, tail));
    for (uint64_t at = tail - kEndBytes + 1; at-- > 0;) {
      if (At<uint32_t>(bytes, at) != kEnd) continue;
      uint64_t comment = At<uint16_t>(bytes, at + 20);
      if (at + kEndBytes + comment != tail) continue;
      return ReadEnd(std::string_view(bytes).substr(at, kEndBytes), size_ - tail + at);
    }
    return Broken(size_, "the archive has no end record: it is truncated, or bytes follow it");
  }

  Status ReadEnd(std::string_view end, uint64_t at) {
    count_ = At<uint16_t>(end, 10);
    directory_size_ = At<uint32_t>(end, 12);
    directory_ = At<uint32_t>(end, 16);
    if (At<uint16_t>(end, 4) != 0 || At<uint16_t>(end, 6) != 0 || At<uint16_t>(end, 8) != count_)
      return Broken(at, "an archive of several disks");
    uint64_t directory_end = at;
    if (at >= kLocatorBytes) {
      AOA_ASSIGN_OR_RETURN(std::string locator, Bytes(at - kLocatorBytes, kLocatorBytes));
      if (At<uint32_t>(locator, 0) == kLocator64) AOA_RETURN_IF_ERROR(ReadEnd64(locator, at, directory_end));
    }
    if (directory_ > directory_end || directory_size_ != directory_end - directory_) {
      return Broken(at, "the directory would be the {} bytes from byte {} on, the end record is at {}", directory_size_,
                    directory_, directory_end);
    }
    if (directory_size_ > kLargestDirectory) return Broken(at, "a directory of {} bytes", directory_size_);
    return Status();
  }

  Status ReadEnd64(std::string_view locator, uint64_t at, uint64_t& directory_end) {
    uint64_t place = At<uint64_t>(locator, 8);
    if (At<uint32_t>(locator, 4) != 0 || At<uint32_t>(locator, 16) > 1)
      return Broken(at - kLocatorBytes, "an archive of several disks");
    if (at < kLocatorBytes + kEnd64Bytes || place > at - kLocatorBytes - kEnd64Bytes)
      return Broken(at - kLocatorBytes, "the Zip64 end record would be at {}", place);
    AOA_ASSIGN_OR_RETURN(std::string end, Bytes(place, kEnd64Bytes));
    uint64_t size = At<uint64_t>(end, 4);
    if (At<uint32_t>(end, 0) != kEnd64 || size != at - kLocatorBytes - place - 12)
      return Broken(place, "there is no Zip64 end record here");
    if (At<uint32_t>(end, 16) != 0 || At<uint32_t>(end, 20) != 0 || At<uint64_t>(end, 24) != At<uint64_t>(end, 32))
      return Broken(place, "an archive of several disks");
    auto agrees = [](uint64_t small, uint64_t limit, uint64_t large) { return small == limit || small == large; };
    if (!agrees(count_, 0xFFFF, At<uint64_t>(end, 32)) || !agrees(directory_size_, 0xFFFFFFFF, At<uint64_t>(end, 40)) ||
        !agrees(directory_, 0xFFFFFFFF, At<uint64_t>(end, 48)))
      return Broken(place, "the two end records disagree");
    count_ = At<uint64_t>(end, 32);
    directory_size_ = At<uint64_t>(end, 40);
    directory_ = At<uint64_t>(end, 48);
    directory_end = place;
    return Status();
  }

  Status ReadDirectory() {
    AOA_ASSIGN_OR_RETURN(directory_bytes_, Bytes(directory_, directory_size_));
    uint64_t at = 0;
    while (at < directory_size_) AOA_RETURN_IF_ERROR(ReadCentral(at));
    if (entries_.size() != count_)
      return Broken(directory_, "{} entries are announced, the directory has {}", count_, entries_.size());
    return Status();
  }

  Status ReadCentral(uint64_t& at) {
    const std::string_view bytes = directory_bytes_;
    const uint64_t place = directory_ + at;
    if (directory_size_ - at < kCentralBytes || At<uint32_t>(bytes, at) != kCentral)
      return Broken(place, "there is no entry of the directory here");
    uint64_t name = At<uint16_t>(bytes, at + 28), extra = At<uint16_t>(bytes, at + 30),
             comment = At<uint16_t>(bytes, at + 32);
    if (directory_size_ - at - kCentralBytes < name + extra + comment)
      return Broken(place, "an entry longer than the directory");
    ZipEntry entry;
    entry.name = bytes.substr(at + kCentralBytes, name);
    entry.directory_at = begin_ + place;
    entry.crc = At<uint32_t>(bytes, at + 16);
    uint64_t stored = At<uint32_t>(bytes, at + 20), local = At<uint32_t>(bytes, at + 42);
    entry.size = At<uint32_t>(bytes, at + 24);
    uint16_t flags = At<uint16_t>(bytes, at + 8), method = At<uint16_t>(bytes, at + 10);
    if (At<uint16_t>(bytes, at + 34) != 0) return Broken(place, "an archive of several disks");
    AOA_RETURN_IF_ERROR(ReadSizes(bytes.substr(at + kCentralBytes + name, extra), place, entry.size, stored, local));
    if (flags & kEncrypted) return Broken(place, "{} is encrypted", Quote(entry.name));
    if (method != 0) return Broken(place, "{} is compressed, and torch's records never are", Quote(entry.name));
    if (stored != entry.size)
      return Broken(place, "{} has two sizes, {} and {}", Quote(entry.name), entry.size, stored);
    AOA_RETURN_IF_ERROR(ReadLocal(local, place, entry));
    entries_.push_back(std::move(entry));
    at += kCentralBytes + name + extra + comment;
    return Status();
  }

  // What did not fit 32 bits stands in a field of its own, in this order.
  Status ReadSizes(std::string_view extra, uint64_t place, uint64_t& size, uint64_t& stored, uint64_t& local) const {
    std::string_view field;
    for (size_t at = 0; at < extra.size();) {
      if (extra.size() - at < 4) return Broken(place, "a broken field of an entry");
      uint16_t tag = At<uint16_t>(extra, at), length = At<uint16_t>(extra, at + 2);
      if (extra.size() - at - 4 < length) return Broken(place, "a broken field of an entry");
      if (tag == kSizesTag) field = extra.substr(at + 4, length);
      at += 4 + size_t{length};
    }
    for (uint64_t* value : {&size, &stored, &local}) {
      if (*value != 0xFFFFFFFF) continue;
      if (field.size() < 8) return Broken(place, "an entry lacks its Zip64 field");
      *value = At<uint64_t>(field, 0);
      field.remove_prefix(8);
    }
    return Status();
  }

  // The local header must be there and name the same record.
  Status ReadLocal(uint64_t local, uint64_t place, ZipEntry& entry) {
    uint64_t fixed = kLocalBytes + entry.name.size();
    if (local > directory_ || directory_ - local < fixed)
      return Broken(place, "{} would begin at byte {}, the directory at {}", Quote(entry.name), local, directory_);
    AOA_ASSIGN_OR_RETURN(std::string header, Bytes(local, fixed));
    if (At<uint32_t>(header, 0) != kLocal)
      return Broken(local, "there is no header of a record here, though {} should begin", Quote(entry.name));
    if (At<uint16_t>(header, 26) != entry.name.size() ||
        header.compare(kLocalBytes, std::string::npos, entry.name) != 0)
      return Broken(local, "the record here is not {}, as the directory says", Quote(entry.name));
    uint64_t data = local + fixed + At<uint16_t>(header, 28);
    if (data > directory_ || entry.size > directory_ - data) {
      return Broken(place, "{} would be the {} bytes from byte {} on, the directory begins at {}", Quote(entry.name),
                    entry.size, data, directory_);
    }
    entry.offset = begin_ + data;
    starts_.emplace_back(begin_ + local, entries_.size());
    return Status();
  }

  Status CheckNames() const {
    std::unordered_set<std::string_view> seen;
    for (const ZipEntry& entry : entries_) {
      if (!seen.insert(entry.name).second)
        return Broken(entry.directory_at - begin_, "there are two records {}", Quote(entry.name));
    }
    return Status();
  }

  Status CheckOverlaps() {
    std::sort(starts_.begin(), starts_.end());
    for (size_t i = 0; i + 1 < starts_.size(); ++i) {
      const ZipEntry& entry = entries_[starts_[i].second];
      if (entry.offset + entry.size <= starts_[i + 1].first) continue;
      return Broken(entry.offset - begin_, "{} and {} overlap", Quote(entry.name),
                    Quote(entries_[starts_[i + 1].second].name));
    }
    return Status();
  }

  const io::File& file_;
  uint64_t begin_, size_;
  uint64_t count_ = 0, directory_ = 0, directory_size_ = 0;
  std::string directory_bytes_;
  std::vector<ZipEntry> entries_;
  std::vector<std::pair<uint64_t, size_t>> starts_;  // of local headers, in the file
};

}  // namespace

Result<std::vector<ZipEntry>> ReadZip(const io::File& file, uint64_t begin, uint64_t end) {
  return ZipReader(file, begin, end).Read();
}

Status CheckZipEntry(const io::File& file, const ZipEntry& entry) {
  if (entry.crc == 0 && entry.size > 0) return Status();
  std::string window(static_cast<size_t>(std::min<uint64_t>(entry.size, 1 << 20)), '\0');
  uint32_t crc = 0;
  for (uint64_t done = 0; done < entry.size;) {
    auto part = std::as_writable_bytes(std::span(window)).first(std::min<uint64_t>(window.size(), entry.size - done));
    AOA_RETURN_IF_ERROR(file.ReadAt(entry.offset + done, part));
    crc = io::Crc32(part, crc);
    done += part.size();
  }
  if (crc == entry.crc) return Status();
  return Status::Invalid(fmt::format("byte {}: {} is damaged: its CRC-32 is {:08x}, the archive says {:08x}",
                                     entry.offset, Quote(entry.name), crc, entry.crc));
}

Result<std::string> ReadZipEntry(const io::File& file, const ZipEntry& entry, uint64_t limit) {
  if (entry.size > limit)
    return Status::Invalid(
        fmt::format("byte {}: {} has {} bytes, too many", entry.offset, Quote(entry.name), entry.size));
  AOA_RETURN_IF_ERROR(CheckZipEntry(file, entry));
  std::string out(static_cast<size_t>(entry.size), '\0');
  AOA_RETURN_IF_ERROR(file.ReadAt(entry.offset, std::as_writable_bytes(std::span(out))));
  return out;
}

}  // namespace aoa::formats
