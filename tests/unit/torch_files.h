// Files of torch.save for tests.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "compiler/core/layout.h"
#include "runtime/io/crc32.h"

namespace aoa::testing {

// The bytes of a file whose contents are these, with the checksums of what it has in between.
inline std::string Assemble(uint64_t size, const std::vector<Insert>& inserts, const std::vector<Checksum>& checksums,
                            const std::vector<Insert>& tensors = {}) {
  std::string out(size, '\0');
  for (const auto* parts : {&inserts, &tensors}) {
    for (const Insert& part : *parts) {
      if (part.content) out.replace(part.offset, part.content->size(), *part.content);
    }
  }
  for (const Checksum& checksum : checksums) {
    uint32_t crc = io::Crc32(std::as_bytes(std::span(out).subspan(checksum.begin, checksum.bytes)));
    for (uint64_t place : checksum.places) std::memcpy(out.data() + place, &crc, sizeof(crc));
  }
  return out;
}

// A file of a format as its layout says, every byte of a tensor being its number in the table and one more.
inline std::string Assemble(const TargetFile& file, const TargetContent& content) {
  std::vector<Insert> tensors;
  for (const PlacedTensor& placed : *file.tensors) {
    const uint64_t bytes = content.tables[file.table][placed.tensor].bytes;
    std::string text(bytes, static_cast<char>(placed.tensor + 1));
    tensors.push_back({placed.offset, std::make_shared<const std::string>(std::move(text)), bytes});
  }
  return Assemble(file.size, *file.inserts, *file.checksums, tensors);
}

}  // namespace aoa::testing
