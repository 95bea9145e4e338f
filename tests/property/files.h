// Checkpoints of a random program as plain safetensors files, written and read without the program's own readers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/property/program.h"

namespace aoa::property {

// The files of a side, by name. What a file holds is compared by content: the order of tensors is free.
struct FileContent {
  std::map<std::string, StoredBlock> tensors;
  std::string mesh, rank;  // of the metadata; empty without a mesh
};
std::map<std::string, FileContent> SideContent(const Program& program, size_t side, char filler);

void WriteSide(const std::string& folder, const std::map<std::string, FileContent>& files);
// Throws std::runtime_error for what is no strict safetensors file.
std::map<std::string, FileContent> ReadSide(const std::string& folder);

// What differs, or an empty text.
std::string Difference(const std::map<std::string, FileContent>& expected,
                       const std::map<std::string, FileContent>& got);

}  // namespace aoa::property
