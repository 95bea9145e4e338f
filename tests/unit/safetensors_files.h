// Safetensors files for tests.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/schema.h"
#include "tests/unit/scratch.h"

namespace aoa::testing {

// A file of a header text as it stands and `data_bytes` bytes behind it.
inline std::string FileOf(std::string_view header, size_t data_bytes) {
  std::string out(8, '\0');
  uint64_t length = header.size();
  std::memcpy(out.data(), &length, sizeof(length));
  return out.append(header).append(data_bytes, 'd');
}

// "w":{...}: a vector of F32, 4 * elements bytes from `begin` on.
inline std::string Entry(const std::string& name, uint64_t begin, uint64_t elements) {
  return "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[" + std::to_string(elements) + "],\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(begin + 4 * elements) + "]}";
}

// A file of vectors of one F32 each.
inline std::string FileWith(const std::vector<std::string>& names, const std::string& metadata = "") {
  std::string header = "{" + metadata;
  for (size_t i = 0; i < names.size(); ++i) header += (header.size() > 1 ? "," : "") + Entry(names[i], 4 * i, 1);
  return FileOf(header + "}", 4 * names.size());
}

inline std::string RankMetadata(const std::string& mesh, const std::string& rank) {
  return "\"__metadata__\":{\"aoa.mesh\":\"" + mesh + "\",\"aoa.rank\":\"" + rank + "\"}";
}

inline std::string HeadOf(const TargetFile& file) {
  std::string head;
  for (const auto& part : file.head) head += *part;
  return head;
}

// A file as its layout says, each tensor's bytes being its number.
inline std::string ContentOf(const TargetFile& file, const TargetContent& content) {
  std::string out = HeadOf(file);
  out.resize(file.size);
  for (const PlacedTensor& placed : *file.tensors) {
    const TargetTensor& tensor = content.tables[file.table][placed.tensor];
    std::memset(out.data() + file.data_start + placed.offset, static_cast<int>(placed.tensor + 1), tensor.bytes);
  }
  return out;
}

inline void WriteLayout(const Scratch& scratch, const std::string& folder, const TargetLayout& layout,
                        const TargetContent& content) {
  for (const TargetFile& file : layout.files) scratch.Write(folder + "/" + file.path, ContentOf(file, content));
  for (const ExtraFile& extra : layout.extras) scratch.Write(folder + "/" + extra.path, extra.content);
}

inline TargetTensor Tensor(const std::string& name, DType dtype, const Shape& shape) {
  return {name, dtype, shape, static_cast<uint64_t>(ElementCount(shape) * Width(dtype))};
}

}  // namespace aoa::testing
