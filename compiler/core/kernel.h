// What makes two copies the same code, and how compiled code is called.
//
// A kernel moves one strided box of elements from an input buffer to an output buffer and may change their values on
// the way. Its key holds everything that is constant in it; what is not (base addresses, the extents of the outermost
// dimensions, a table of norms) is passed at the call. Two moves with equal keys share one kernel: a model of hundreds
// of tensors has about ten.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/dtype.h"

namespace aoa {

// What happens to a finite value that is too large for the target type, and to an infinity in a type that has none.
enum class Overflow : uint8_t {
  kError,     // both are errors
  kSaturate,  // both become the largest finite value of their sign
  kInfinity,  // a too large value becomes infinite; where there is no infinity both are errors
};

// One step of a chain that computes the stored value from the loaded one. The value between steps has a current type:
// at first that of the input; after kAffine f32; after kNormalize and kMean f64; after kCast `to`. A chain ends in
// kCast. A NaN passes through kAffine and kNormalize with its sign; one that they make (inf * 0) is positive on every
// machine.
struct ValueStep {
  enum class Kind : uint8_t {
    kCast,  // to `to`, one rounding to nearest even; a NaN becomes the quiet NaN of `to` with its sign and no payload;
            // for a cast from the type to itself after arithmetic too, but a chain of one kCast to the input's own
            // type does not occur (that is a move)
    kAffine,     // x * scale + offset, in f32, two roundings (no fused multiply-add); inverse: (x - offset) / scale.
                 // A finite x whose result is infinite is an overflow like one of kCast
    kNormalize,  // x / table[...], in f64; where the table holds 0 the value stays
    kMean,       // the mean over all replicas, summed in f64 in rank order: only the executor's scalar path knows it
  };
  Kind kind = Kind::kCast;
  DType to = DType::kF32;                // kCast
  Overflow overflow = Overflow::kError;  // kCast, kAffine
  bool inverse = false;                  // kAffine
  float scale = 1, offset = 0;           // kAffine
  auto operator<=>(const ValueStep&) const = default;
};

using ValueChain = std::vector<ValueStep>;  // empty: bits are moved

struct KernelDim {
  int64_t extent = 0;  // constant, at least 2; or 0: passed at the call
  int64_t in = 0;      // strides in elements, not negative; 0 repeats
  int64_t out = 0;
  int64_t table = 0;  // stride in the table of kNormalize, 0 without one
  auto operator<=>(const KernelDim&) const = default;
};

struct KernelKey {
  DType in = DType::kU8;  // for a move: an unsigned integer type of the element's width (u8, u16, u32, u64)
  DType out = DType::kU8;
  ValueChain chain;
  std::vector<KernelDim> dims;  // outermost first; dims with extent 0 come before all others. May be empty: one element
  auto operator<=>(const KernelKey&) const = default;
};

// The same key as text, stable across releases: the content that caches and dumps are named by.
std::string ToString(const KernelKey& key);

// Compiled code for one key. `in` and `out` point at the element with all indices 0; any alignment is legal, and the
// two boxes do not overlap. `extents` has one value for each dimension of extent 0, outermost first; none is negative.
// `table` is null without kNormalize. Returns 0, or a combination of the flags below; then the output is unspecified
// and the caller looks for the element.
using KernelFunction = uint32_t (*)(const void* in, void* out, const int64_t* extents, const double* table);

inline constexpr uint32_t kKernelOverflow = 1;  // a finite value became too large under Overflow::kError or kInfinity
inline constexpr uint32_t kKernelInfinity = 2;  // an infinity in a type without one

}  // namespace aoa
