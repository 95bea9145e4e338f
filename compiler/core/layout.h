// How a target's tensors lie in its files: what a writer is asked, and what it answers. Sizes are known before a byte
// is moved, so a layout is final: files are created at their full size and filled in any order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/mesh.h"
#include "compiler/core/schema.h"

namespace aoa {

// One tensor of a file to be written.
struct TargetTensor {
  static constexpr uint32_t kNoWeight = 0xFFFFFFFF;

  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t bytes = 0;           // of all elements
  std::string role = {};        // of a state or scalar: as its side calls it; empty for a weight
  uint32_t weight = kNoWeight;  // of a state or scalar: its weight in the same table, if that is there
  std::string group = {};       // the parameter group that the side gives the weight, or empty
  bool scalar = false;          // one number per weight
  std::string tied = {};        // of a weight that is a second copy: the name of the original, on this rank or another
};

// What is to be stored: one list of tensors per distinct rank content, and the ranks. Ranks that store tensors of the
// same names, types and shapes share a table. Without a mesh there is one rank, 0.
struct TargetContent {
  bool has_mesh = false;
  std::string mesh;                                           // Mesh::ToString, with a mesh
  Mesh axes;                                                  // the mesh itself
  std::shared_ptr<const Shardings> shardings;                 // how each tensor is cut, if that can be said so
  bool layout_given = false;                                  // and that is what the user asked for
  int64_t rounds = 1;                                         // in which the placement deals layers (virtual stages)
  std::vector<std::pair<std::string, int64_t>> named_rounds;  // those that are one more size of the mesh: vpp=2
  std::vector<std::pair<std::string, std::vector<int64_t>>> stages;  // counts that are asked for: pp=[9,8,8,7]
  std::vector<std::vector<TargetTensor>> tables;                     // in the order that the side declares
  std::vector<std::pair<int64_t, uint32_t>> ranks;  // (rank, table), ascending ranks; not all need be there
};

// A tensor's place in a file, or that of a part of its elements.
struct PlacedTensor {
  static constexpr int64_t kAll = -1, kFileRank = -1;

  uint32_t tensor = 0;       // in the rank's table
  uint64_t offset = 0;       // from the file's data_start
  int64_t first = 0;         // of its row-major elements in the rank's block
  int64_t count = kAll;      // elements from there
  int64_t rank = kFileRank;  // whose block it is, if not the file's rank's
};

// Bytes of a file behind its head that are no tensor's.
struct Insert {
  uint64_t offset = 0;                         // in the file
  std::shared_ptr<const std::string> content;  // null: zeros
  uint64_t bytes = 0;                          // of zeros; with content its size
};

// The CRC-32 (of ISO-HDLC, as in zip) of bytes of a file, little-endian wherever it is asked for. Ranges are disjoint
// and hold no place of a checksum; places lie in inserts.
struct Checksum {
  uint64_t begin = 0, bytes = 0;  // in the file
  std::vector<uint64_t> places;   // in the file
};

struct TargetFile {
  std::string path;  // below the target folder
  int64_t rank = 0;
  uint32_t table = 0;  // of `rank`
  // The bytes before data_start, in parts that are written one after the other: files with equal tables share the long
  // one.
  std::vector<std::shared_ptr<const std::string>> head;
  uint64_t data_start = 0;
  uint64_t size = 0;                                         // of the whole file
  std::shared_ptr<const std::vector<PlacedTensor>> tensors;  // by ascending offset; shared among equal files
  std::shared_ptr<const std::vector<Insert>> inserts;        // ascending; null: none
  std::shared_ptr<const std::vector<Checksum>> checksums;    // ascending; null: none
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
