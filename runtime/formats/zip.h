// Zip archives of stored records, as torch writes them: read strictly, laid out for writing.
//
// Source: PKWARE's APPNOTE 6.3 (local headers, central directory, Zip64); what torch adds is a padding field 'FB' that
// aligns payloads to 64 bytes. Names are texts, never paths: nothing is extracted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/io/file.h"

namespace aoa::formats {

struct ZipEntry {
  std::string name;
  uint64_t offset = 0;  // of its bytes, in the file
  uint64_t size = 0;
  uint32_t crc = 0;
  uint64_t directory_at = 0;  // where the central directory speaks of it, for messages
};

// The entries of the archive that is the bytes [begin, end) of a file, in the order of its directory. A directory that
// lies (sizes, counts, offsets, names, overlaps), compression, encryption and several disks are kInvalid; messages say
// the byte.
Result<std::vector<ZipEntry>> ReadZip(const io::File& file, uint64_t begin, uint64_t end);

// Holds the bytes of an entry against its CRC-32. One of 0 says that its writer computed none.
Status CheckZipEntry(const io::File& file, const ZipEntry& entry);

// The bytes of a small entry, checked in the same way.
Result<std::string> ReadZipEntry(const io::File& file, const ZipEntry& entry, uint64_t limit);

// ---------------------------------------------------------------- writing

struct ZipRecord {
  std::string name;
  uint64_t size = 0;                           // of its bytes; with content, that of the content
  std::shared_ptr<const std::string> content;  // null: the bytes come later
};

struct ZipLayout {
  std::vector<uint64_t> offsets;    // of the records' bytes
  std::vector<Insert> inserts;      // headers, contents, directory
  std::vector<Checksum> checksums;  // of the records whose bytes come later
  uint64_t size = 0;                // of the file
};

// Records one after the other, payloads aligned to 64 bytes, sizes and CRC-32 in the local headers.
ZipLayout LayOutZip(const std::vector<ZipRecord>& records);

}  // namespace aoa::formats
