// One call of a kernel against a naive loop over `Apply`, bit by bit. The input ends at a page that cannot be read, the
// output lies between guard bytes, both at odd addresses.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/core/kernel.h"

namespace aoa::codegen {

inline constexpr DType kFloats[] = {DType::kF64,  DType::kF32,    DType::kF16,
                                    DType::kBF16, DType::kF8E4M3, DType::kF8E5M2};

ValueStep CastTo(DType to, Overflow overflow = Overflow::kError);
ValueStep Affine(float scale, float offset, bool inverse, Overflow overflow = Overflow::kError);
ValueStep Normalize();

// A kernel and the extents of one call, in the order of the key's dimensions.
struct Case {
  KernelKey key;
  std::vector<int64_t> extents;
};

using Filler = std::function<void(char* data, size_t bytes)>;
void FillWithNoise(char* data, size_t bytes);
// Finite f32 near 1, so that narrow types hold them.
void FillWithTameFloats(char* data, size_t bytes);

uint64_t LoadElement(const char* from, int width);

// Runs a call and compares its flags and all of the output buffer, gaps and guards included.
void Check(KernelFunction kernel, const Case& c, const Filler& fill);

// All cases, each distinct key compiled once, for a processor by LLVM's name.
void CheckAll(const std::vector<Case>& cases, const Filler& fill, const std::string& cpu = "");

// The processors that this machine can stand for; "" is itself.
std::vector<std::string> Processors();

}  // namespace aoa::codegen
