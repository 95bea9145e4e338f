// Values of every floating-point type, one at a time, in plain C++: what casts mean. Compiled kernels must agree with
// this bit by bit.
#pragma once

#include <cstdint>
#include <span>

#include "compiler/core/dtype.h"
#include "compiler/core/kernel.h"

namespace aoa {

// The value of `bits` (the low Width(type) bytes) as a double; exact for every type. A NaN keeps its sign.
double Decode(DType type, uint64_t bits);

// The bits of `value` in `type`, rounded once to nearest even. Sets flags (kKernelOverflow, kKernelInfinity) as
// `overflow` asks. A NaN becomes the quiet NaN without other payload, with its sign (f8_e4m3: 0x7f, 0xff).
uint64_t Encode(DType type, double value, Overflow overflow, uint32_t& flags);

// Runs a chain over one loaded element of type `in`; `norm` is the divisor of kNormalize. kMean does not occur.
uint64_t Apply(const ValueChain& chain, DType in, uint64_t bits, double norm, uint32_t& flags);

// The same from a value that is no longer in the type it was stored in: what follows a kMean.
uint64_t ApplyToValue(std::span<const ValueStep> chain, double value, double norm, uint32_t& flags);

}  // namespace aoa
