// MindSpore's .ckpt files: what save_checkpoint writes.
//
// A file is a run of protobuf messages, one for each value, which is also one long message with a repeated field:
//
//   message Checkpoint { repeated Value value = 1; }
//   message Value { required string tag = 1; oneof { TensorProto tensor = 2; MapTensorProto maptensor = 3; } }
//   message TensorProto { repeated int64 dims = 1; required string tensor_type = 2; required bytes tensor_content = 3;
//   }
//
// (mindspore/ccsrc/utils/checkpoint.proto of MindSpore 2.) Files are larger than protobuf libraries take, so they are
// scanned here: lengths are followed, contents are never read. A tensor of more than 512 MiB stands in several values
// with the same tag and the same whole dims, one after the other. A tensor's content is row-major and little-endian.
// Behind the last value there may be `crc_num` and a CRC-32 of all bytes before, as a big-endian number of ten bytes.
// Beside tensors there are numbers of the run (no dims, or [1]) and texts (type `str`, in UTF-32).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/layout.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// Contents of more bytes are split.
constexpr uint64_t kMindSporeSlice = uint64_t{512} << 20;

struct CkptPart {
  uint64_t offset = 0, bytes = 0;  // in the file
};

// A value of a file, with all that follows under the same tag.
struct CkptEntry {
  std::string name;
  std::string type;            // as the file spells it
  std::optional<DType> dtype;  // none: a text, or something else that is no tensor
  Shape dims;
  std::vector<CkptPart> parts;
  uint64_t bytes = 0;  // of all parts
};

struct CkptFile {
  uint64_t size = 0;
  std::vector<CkptEntry> entries;  // in the order of the file
  std::optional<uint32_t> crc;     // of what stands before it
};

// The name of an element type; empty if there is none. And the other way round.
std::string_view CkptTypeName(DType dtype);
std::optional<DType> CkptTypeNamed(std::string_view name);

// Scans a file. Failures name it, the place in it, and what is wrong there.
Result<CkptFile> ScanCkpt(const std::string& path);

// Whether a file begins as a .ckpt does.
bool LooksLikeCkpt(const std::string& path);

// A value that is written as it was read.
struct CkptText {
  std::string name, type;
  Shape dims;
  std::string content;
};

// How tensors, and texts and numbers behind them, lie in a file as MindSpore writes it.
struct CkptLayout {
  uint64_t size = 0;
  std::vector<PlacedTensor> tensors;
  std::vector<Insert> inserts;
};
Result<CkptLayout> LayOutCkpt(const std::vector<TargetTensor>& table, const std::vector<CkptText>& texts,
                              uint64_t slice = kMindSporeSlice);

}  // namespace aoa::formats
