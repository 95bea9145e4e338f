// The flat buffers of Megatron's distributed optimizer: where the elements of each parameter lie in the tensors of
// distrib_optim.pt.
//
// Parameters stand in a buffer in reverse order of the model, each at a multiple of some elements. Buffers are cut into
// buckets, which end at multiples of what all ranks can share; the file has the buckets one behind the other, without
// the padding at their ends. It says the number of elements and nothing of buckets, so a reader has to find the one
// division that comes to this number.
//
// Source: megatron/core/distributed/param_and_grad_buffer.py and optimizer/distrib_optimizer.py of Megatron Core 0.4 to
// 0.16; files of 0.16.1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace aoa::formats {

struct BufferParameter {
  int64_t elements = 0;
  bool alone = false;  // in a bucket of its own: an embedding that two stages share
};

struct BufferRules {
  int64_t bucket_size = 0;  // elements after which a bucket is closed; 0: there is one
  int64_t alignment = 64;   // of parameters; 1 in releases before 0.8
  int64_t data_parallel = 1;
  bool even_starts = true;  // a bucket for one parameter begins where all ranks can share; not so in release 0.16
};

struct BufferBucket {
  int64_t begin = 0;     // in the file's tensors
  int64_t elements = 0;  // without the padding at its end
  int64_t padded = 0;    // with it: a multiple of the ranks
};

struct BufferLayout {
  std::vector<int64_t> begins;  // of the parameters, in the order of the model, in the file's tensors
  int64_t elements = 0;         // of the file's tensors
  std::vector<BufferBucket> buckets;
  int64_t larger = 0;  // the least bucket size that gives other buckets; 0: none does
  bool operator==(const BufferLayout& other) const { return begins == other.begins && elements == other.elements; }
};

// Parameters are in the order of the model.
BufferLayout LayOutBuffer(std::span<const BufferParameter> parameters, const BufferRules& rules);

// The layout that comes to `elements`, whatever the bucket size and the release. Nothing if there is none, or more than
// one that differ.
std::optional<BufferLayout> FindBufferLayout(std::span<const BufferParameter> parameters, int64_t data_parallel,
                                             int64_t elements);

}  // namespace aoa::formats
