// What a checkpoint holds, as its headers say it: files, and in each file tensors with name, element type, shape and
// place.
//
// A checkpoint of 1,024 ranks with 100,000 tensors has a hundred million of these facts, but files of ranks that differ
// only in their tensor-parallel coordinate say the same. So the contents of a header are a table, and files refer to
// tables.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/dtype.h"

namespace aoa {

using Shape = std::vector<int64_t>;

// Product of the extents; 1 for a scalar. Readers have checked that it fits 62 bits.
int64_t ElementCount(const Shape& shape);
// "[6, 5]"
std::string ToString(const Shape& shape);

// Texts numbered from 0 in the order of their first use. References stay valid.
class Names {
 public:
  Names() = default;
  Names(Names&&) = default;
  Names& operator=(Names&&) = default;
  Names(const Names&) = delete;
  uint32_t Intern(std::string_view text);
  std::optional<uint32_t> Find(std::string_view text) const;
  const std::string& operator[](uint32_t id) const { return texts_[id]; }
  size_t size() const { return texts_.size(); }

 private:
  // Of an open hash table: millions of names must not cost a node each, nor a look at each text that is passed by.
  struct Slot {
    uint32_t hash = 0;
    uint32_t id = UINT32_MAX;
    bool free() const { return id == UINT32_MAX; }
  };

  size_t SlotOf(std::string_view text, uint32_t hash) const;
  void Grow();

  std::deque<std::string> texts_;
  std::vector<Slot> slots_;  // a power of two of them, some free
};

// One tensor of a table. Its elements lie row-major, little-endian, at [begin, begin + bytes) of the file's data.
struct StoredTensor {
  uint32_t name = 0;   // in Schema::names
  uint32_t shape = 0;  // in Schema::shapes
  DType dtype = DType::kF32;
  uint64_t begin = 0;
  uint64_t bytes = 0;
  bool operator==(const StoredTensor&) const = default;
};

// By ascending begin.
using SchemaTable = std::vector<StoredTensor>;

struct SchemaFile {
  std::string path;         // as it can be opened
  uint64_t size = 0;        // bytes
  uint64_t data_start = 0;  // where the tables' offsets count from
  uint32_t table = 0;       // in Schema::tables
  int64_t rank = 0;         // in rank order; 0 without a mesh
};

struct Schema {
  std::string path;    // of the checkpoint, as given
  std::string format;  // "safetensors", "hf", ...
  std::string variant;
  bool has_mesh = false;                              // files are ranks of a mesh
  std::vector<std::pair<std::string, int64_t>> mesh;  // axes with sizes, overlays after the mesh, as the files say
  Names names;
  std::vector<Shape> shapes;
  std::vector<SchemaTable> tables;
  std::vector<SchemaFile> files;  // in rank order; without a mesh sorted by name
  std::string config;             // the text of config.json that the checkpoint carries, or empty
};

}  // namespace aoa
