// A plan: everything that a run will do, as plain data. Sizes, offsets and order are final; rules are forgotten.
//
// The target's files are sequences of *shards* (one tensor of one rank each). A shard is filled by the *moves* of its
// block program: strided boxes that read one block of one source tensor each, or fill with a constant. Shards that
// differ only in their addresses (the same tensor of every layer, on ranks with the same coordinates) share a program.
// Work is cut into *jobs*, each of which fills one byte range of one target file (or one tile of a large transpose)
// within the memory bound.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/kernel.h"
#include "compiler/core/layout.h"
#include "compiler/core/schema.h"

namespace aoa {

struct Plan {
  // ---- what is read
  struct InFile {
    std::string path;
    uint64_t size = 0;
    std::shared_ptr<const std::vector<Stretch>> stretches = {};  // of `stores`; null: the file itself
  };
  static constexpr uint32_t kNone = 0xFFFFFFFF, kNoFile = kNone, kNoProgram = kNone;
  // A block of a source tensor: where its first element lies. Elements are row-major from there.
  struct InShard {
    uint32_t file = kNoFile;
    uint64_t offset = 0;
  };

  // ---- how elements move
  struct Digit {
    int64_t extent = 1;
    int64_t in = 0, out = 0;  // strides in elements, in the file's blocks
    int64_t table = 0;
    int64_t tile = 1;        // the most indices that one job has of this digit
    int64_t staged_in = 0;   // stride in the staging buffer, in elements
    int64_t staged_out = 0;  // stride in the job's output buffer, in elements
  };
  enum class How : uint8_t {
    kFill,    // a constant
    kRead,    // runs of at least kDirectRun bytes go from the file to their place in the output buffer
    kKernel,  // by way of a staging buffer, through a kernel
    kScalar,  // element by element: means over replicas
  };
  struct Move {
    How how = How::kFill;
    uint32_t slot = 0;   // of the shard: which source tensor
    uint32_t block = 0;  // of the source tensor
    int64_t in_base = 0, out_base = 0, table_base = 0;
    uint32_t first_digit = 0, digits = 0;  // by falling out stride
    uint32_t inner =
        0;  // how many digits, by rising in stride, lie so dense in the file that they are read as one span
    DType in = DType::kU8, out = DType::kU8;
    uint32_t chain = 0;     // in Plan::chains
    uint32_t kernel = 0;    // in Plan::kernels
    uint64_t constant = 0;  // kFill: the bits
  };
  struct BlockProgram {
    uint32_t first_move = 0, moves = 0;
    int64_t elements = 0;
    int width = 1;          // bytes of an element
    bool in_order = false;  // its output is a stream: no tiles
    int64_t unit = 1;       // job boundaries inside the shard are multiples of this many elements
    int64_t chunk = 0;      // elements of a job, a multiple of `unit`
    bool tiled = false;     // jobs are tiles of single moves, written run by run
    uint64_t staging = 0;   // bytes of staging that one job needs at most
  };

  // ---- what is written
  struct OutShard {
    uint64_t offset = 0;  // in the file
    uint32_t program = 0;
    uint32_t first_slot = 0;      // in Plan::slots
    uint32_t norms = 0xFFFFFFFF;  // in Plan::norms
    uint32_t target = 0;          // which tensor of the target (for digests and messages)
  };
  struct OutFile {
    std::string path;                                      // below the target folder
    std::vector<std::shared_ptr<const std::string>> head;  // the bytes before data_start, in parts that files share
    uint64_t data_start = 0, size = 0;
    uint64_t first_shard = 0, shards = 0;
    int64_t rank = 0;
    std::shared_ptr<const std::vector<Insert>> inserts;      // null: none
    std::shared_ptr<const std::vector<Checksum>> checksums;  // null: none
  };
  // A place of one number, which is copied (all sources must hold the same bits) or computed.
  struct ScalarShard {
    uint32_t file = 0;  // in out_files
    uint64_t offset = 0;
    uint32_t scalar = 0;  // in Plan::scalars
  };
  // A tensor and every place where it lies.
  struct Places {
    std::string name;
    std::vector<InShard> all;
  };
  struct Scalar {
    std::string name;  // of the target tensor
    DType dtype = DType::kF32;
    std::vector<Places> sources;  // to copy from
    bool computed = false;        // from the inputs, by the expression that the rules give
    struct Input {
      std::string role;
      DType dtype = DType::kF32;
      std::vector<Places> sources;
    };
    std::vector<Input> inputs;
  };
  // All copies of a block that is averaged, in rank order. The first is the one that moves name.
  struct Replicas {
    uint32_t in_shard = 0;
    std::vector<InShard> all;
  };

  // ---- work
  struct Job {
    uint32_t file = 0;
    bool tile = false;
    uint32_t move = 0;                     // tile: of the shard's program
    uint64_t first_shard = 0, shards = 0;  // in out_shards: those that the range touches
    uint64_t lo = 0, hi = 0;               // bytes of the file; tile: [lo, lo + 1) is the tile's number
  };

  // Norms of a source tensor, computed before the moves that divide by them.
  struct Norm {
    int64_t size = 0;
    uint32_t program = 0;  // its moves read the source; out numbers are not used
    uint32_t first_slot = 0;
  };
  // Two places that must hold the same bytes (replicas of a block), or the same elements under moves (a tied copy).
  struct Agreement {
    uint32_t name = 0;               // in Plan::names
    uint32_t original = kNone;       // the tensor that it is tied to
    int64_t rank_a = 0, rank_b = 0;  // of replicas
    InShard a, b;
    uint64_t bytes = 0;             // of both, if program is none
    uint32_t program = kNoProgram;  // fills block b from slot 0
    uint32_t first_slot = 0;
    uint32_t stored = kNoProgram;  // gives block b itself, if it is not row-major in its own type
    uint32_t stored_slot = 0;
  };

  std::vector<InFile> in_files;
  std::vector<Store> stores;
  std::vector<InShard> in_shards;
  std::vector<uint32_t> slots;     // of shards: the first in_shard of a source tensor; blocks follow
  std::vector<Replicas> replicas;  // by in_shard
  std::vector<Digit> digits;
  std::vector<Move> moves;
  std::vector<BlockProgram> programs;
  std::vector<ValueChain> chains;
  std::vector<KernelKey> kernels;  // in the order of their first use
  std::vector<OutFile> out_files;
  std::vector<OutShard> out_shards;  // by file and offset
  std::vector<ScalarShard> scalar_shards;
  std::vector<Scalar> scalars;
  std::vector<Norm> norms;
  std::vector<Agreement> agreements;
  std::vector<std::string> names;       // that agreements mention
  std::vector<Job> jobs;                // in the order in which they start
  uint64_t first_job = 0, end_job = 0;  // those that this run does (--part)

  // ---- what it will cost
  uint64_t bytes_read = 0, bytes_written = 0;
  uint64_t job_memory = 0;   // of one job: output buffer and staging
  uint64_t plan_memory = 0;  // of this plan, of what it was made from, and of the run beside its jobs
  uint64_t peak_memory = 0;  // with all threads
  int threads = 1;           // that the memory has jobs for
  double seconds = 0;        // predicted
};

// Runs shorter than this go through a staging buffer.
inline constexpr int64_t kDirectRun = 2048;

}  // namespace aoa
