// The attributes of a statement, read and checked by themselves: what follows its operands after commas.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/bind/unit.h"
#include "compiler/core/kernel.h"

namespace aoa::bind {

// Paddle's fused layouts: group-interleaved q, k, v; q, k, v rank by rank; gate and up rank by rank.
enum class Fused { kNone, kQkv, kQkvOld, kFfn };

struct Attributes {
  const ast::Statement* statement = nullptr;
  bool copy = false;
  bool optional = false;
  bool fill_last = false;
  double fill = 0;
  std::optional<double> scale, offset;
  std::string normalize;
  Overflow overflow = Overflow::kError;

  std::optional<int64_t> axis;
  std::optional<std::vector<int64_t>> permute;  // numpy's convention; empty reverses all axes
  std::optional<std::vector<int64_t>> reshape;
  std::optional<DType> dtype;  // dtype= or dst_dtype=
  std::optional<DType> src_dtype;
  Fused fused = Fused::kNone;
  int64_t heads = 0, kv_heads = 0;

  // The attribute with this key, or null.
  const ast::Attribute* Find(std::string_view key) const;
  // Its place, or that of the statement.
  SourceRange Where(std::string_view key) const;
  // Whether elements move by shape rather than by types: ^T, permute, reshape, axis over lists, fused layouts.
  bool Positional() const;
};

// Reads the attributes of a statement. Values that they cannot have, and combinations that mean nothing, are reported.
Attributes ReadAttributes(const ast::Statement& statement, diag::Diagnostics& diagnostics);

}  // namespace aoa::bind
