// The header of a safetensors file, read strictly.
//
// A file is an 8-byte little-endian length N, a JSON text of N bytes, and the tensors' bytes:
//
//   {"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}
//
// The text begins with `{` and may end in blanks. Offsets count from its end, `end` is exclusive. The tensors cover the
// bytes after the text exactly: no holes, no overlaps, nothing behind the last one. (safetensors 0.8, "Format", and
// what its own reader checks; beyond that reader, a name or field that stands twice is refused.) Two things the format
// would allow are refused too: a field other than the three, which nobody writes and which might change what the bytes
// mean if it is ever introduced; and more than 64 axes, which no framework has.
//
// Files of the ranks of one checkpoint often agree in all but the metadata, and then need not be parsed again: see
// SplitHeader.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

constexpr uint64_t kHeaderLengthBytes = 8;
// The library refuses longer headers.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

// In the order of the file; no key twice.
using Metadata = std::vector<std::pair<std::string, std::string>>;
// The value of a key, or null.
const std::string* FindMetadata(const Metadata& metadata, std::string_view key);

struct HeaderTensor {
  uint32_t name_begin = 0;  // in Header::names
  uint32_t name_size = 0;
  uint32_t shape = 0;  // in Header::shapes
  DType dtype = DType::kF32;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct Header {
  Metadata metadata;
  std::string names;                  // of all tensors, one after the other
  std::vector<Shape> shapes;          // each once
  std::vector<HeaderTensor> tensors;  // by ascending begin, then end

  std::string_view Name(const HeaderTensor& tensor) const {
    return std::string_view(names).substr(tensor.name_begin, tensor.name_size);
  }
  uint64_t data_bytes() const { return tensors.empty() ? 0 : tensors.back().end; }
};

// A text with room behind it that the parser may read.
class HeaderText {
 public:
  explicit HeaderText(size_t size);
  explicit HeaderText(std::string_view text);

  char* data() { return bytes_.data(); }
  std::string_view view() const { return std::string_view(bytes_).substr(0, size_); }
  size_t capacity() const { return bytes_.size(); }

 private:
  std::string bytes_;
  size_t size_;
};

// The part of a header text that may differ between ranks, if it stands in front: the object after {"__metadata__":.
// What is behind it decides the tensors, so headers that agree there hold the same ones.
struct HeaderSplit {
  size_t metadata_begin = 0;
  size_t metadata_end = 0;  // 0: the whole text counts as what decides the tensors
};
// Looks at the first bytes of a text only: if the object does not end in them, it is not split off.
HeaderSplit SplitHeader(std::string_view first_bytes);

// Keeps its buffers from one text to the next. Offsets in failures are those of the file.
class HeaderParser {
 public:
  HeaderParser();
  HeaderParser(HeaderParser&&) noexcept;
  ~HeaderParser();

  Result<Header> Parse(const HeaderText& text);
  // A metadata object that was split off.
  Result<Metadata> ParseMetadata(const HeaderText& object);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

// That the file has as many bytes behind its header as the tensors cover.
Status CheckDataBytes(const Header& header, uint64_t data_bytes);

}  // namespace aoa::formats
