// How a target's tensors lie in its files: what a writer is asked, and what it answers. Sizes are known before a byte
// is moved, so a layout is final: files are created at their full size and filled in any order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/schema.h"

namespace aoa {

// One tensor of a file to be written.
struct TargetTensor {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t bytes = 0;  // of all elements
};

// What is to be stored: one list of tensors per distinct rank content, and the ranks. Ranks that store tensors of the
// same names, types and shapes share a table. Without a mesh there is one rank, 0.
struct TargetContent {
  bool has_mesh = false;
  std::string mesh;                                 // Mesh::ToString, with a mesh
  std::vector<std::vector<TargetTensor>> tables;    // in the order that the side declares
  std::vector<std::pair<int64_t, uint32_t>> ranks;  // (rank, table), ascending ranks; not all need be there
};

struct PlacedTensor {
  uint32_t tensor = 0;  // in the rank's table
  uint64_t offset = 0;  // from the file's data_start
};

struct TargetFile {
  std::string path;  // below the target folder
  int64_t rank = 0;
  uint32_t table = 0;
  // The bytes before data_start, in parts that are written one after the other: files with equal tables share the long
  // one.
  std::vector<std::shared_ptr<const std::string>> head;
  uint64_t data_start = 0;
  uint64_t size = 0;                                         // of the whole file
  std::shared_ptr<const std::vector<PlacedTensor>> tensors;  // by ascending offset; shared among equal files
};

// A small file that is written as it stands (an index, a configuration).
struct ExtraFile {
  std::string path;
  std::string content;
};

struct TargetLayout {
  std::vector<TargetFile> files;  // in rank order
  std::vector<ExtraFile> extras;
};

}  // namespace aoa
