// What a checkpoint holds, as its headers say it: files, and in each file tensors with name, element type, shape and
// place.
//
// A checkpoint of 1,024 ranks with 100,000 tensors has a hundred million of these facts, but files of ranks that differ
// only in their tensor-parallel coordinate say the same. So the contents of a header are a table, and files refer to
// tables.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/dtype.h"

namespace aoa {

class Shardings;

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

// One tensor of a table. Its elements lie little-endian at [begin, begin + bytes) of the file's data, row-major unless
// `strides` says otherwise.
//
// Most formats give a rank's tensor as it is cut by the type that the rules give it. A *chunk* says itself where it
// belongs: it is a box of the whole tensor as it would be stored uncut (padding included), whatever the rules say of
// cuts, stages and ranks. A file may hold several chunks of a tensor; those of all files tile it, but for copies.
struct StoredTensor {
  static constexpr uint32_t kRowMajor = 0xFFFFFFFF, kNoChunk = 0xFFFFFFFF, kUnknown = 0xFFFFFFFF;

  uint32_t name = 0;   // in Schema::names
  uint32_t shape = 0;  // in Schema::shapes; kUnknown only in files that are absent
  DType dtype = DType::kF32;
  uint64_t begin = 0;
  uint64_t bytes = 0;
  uint32_t strides = kRowMajor;  // in Schema::shapes: of every axis, in elements, not negative; 0 repeats
  uint32_t whole = kNoChunk;     // in Schema::shapes: of a chunk, the shape of the whole tensor
  uint32_t at = 0;               // in Schema::shapes: of a chunk, where it begins on every axis
  std::optional<DType> held;     // the file's element type, where the tensor is the file's values rounded to `dtype`
  bool operator==(const StoredTensor&) const = default;
};

// By ascending begin.
using SchemaTable = std::vector<StoredTensor>;

// A stretch of a file that is put together from others.
struct Stretch {
  uint64_t begin = 0;  // in the file
  uint64_t bytes = 0;
  uint32_t store = 0;   // in Schema::stores
  uint64_t offset = 0;  // in the store
};

// Where stretches lie.
struct Store {
  std::string path;  // as it can be opened
  uint64_t size = 0;
  std::shared_ptr<const std::string>
      content;  // the bytes themselves, if they are no file's: numbers that a header gives
};

// One rank's tensors. Mostly a file; where a format scatters them (flat partitions, chunks, slices) a file that does
// not exist as such, whose bytes are stretches of others.
struct SchemaFile {
  std::string path;         // as it can be opened; with stretches: what the rank's tensors are called in messages
  uint64_t size = 0;        // bytes
  uint64_t data_start = 0;  // where the tables' offsets count from
  uint32_t table = 0;       // in Schema::tables
  int64_t rank = 0;         // in rank order; 0 without a mesh
  bool absent = false;      // not here: its table is what a rank's file must hold, and no byte of it can be read
  std::shared_ptr<const std::vector<Stretch>> stretches;  // null: the file itself. Ascending, without holes, to `size`
};

// What a format's reader keeps of a checkpoint beside its tensors (arguments, states of random generators), for the
// writer of the same format.
struct Preserved {
  virtual ~Preserved() = default;
};

struct Schema {
  std::string path;    // of the checkpoint, as given
  std::string format;  // "safetensors", "hf", ...
  std::string variant;
  bool has_mesh = false;  // files are ranks of a mesh
  std::vector<std::pair<std::string, int64_t>>
      mesh;  // axes with sizes, overlays and rounds after the mesh, as the files say
  std::vector<std::pair<std::string, std::vector<int64_t>>> stages;  // by axis: how many each stage has, if they say it
  Names names;
  std::vector<Shape> shapes;
  std::vector<SchemaTable> tables;
  std::vector<SchemaFile> files;  // in rank order; without a mesh sorted by name
  std::vector<Store> stores;      // that the files' stretches lie in
  std::string config;             // the configuration that the checkpoint carries, as JSON, or empty
  std::vector<std::pair<std::string, int64_t>>
      facts;                                   // how it was made, for dimensions of its side; --config hides none
  std::vector<std::string> notes;              // what looks wrong, or is left behind: for people
  std::shared_ptr<const Shardings> shardings;  // how each tensor is cut, where the files say so; or null
  std::optional<int64_t> iteration;            // steps of training that have been done, where the files say so
  bool replicas_may_lack = false;              // of a tensor that several ranks could hold, not all need to
  std::shared_ptr<const Preserved> preserved;
};

}  // namespace aoa
