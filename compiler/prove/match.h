// Typing a statement: the pieces of all left tensors in order, and of all right tensors in order, must pair off with
// the same variables. Nothing is matched by position inside a tensor or by size.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/bind/program.h"
#include "compiler/diag/diagnostic.h"

namespace aoa::prove {

// One variable of a matched pair, with its stride in the element numbers of both operands. For a stacked variable (one
// that stands in the name) the stride counts tensors, not elements.
struct MatchedVariable {
  std::string name;
  int64_t extent = Axis::kUnknown;
  int64_t in = 0, out = 0;
  bool stacked_in = false, stacked_out = false;
};

// A piece of the in side and the piece of the out side that it becomes.
struct MatchedPiece {
  static constexpr uint32_t kBlank = 0xFFFFFFFF;
  uint32_t in = kBlank;   // operand; kBlank: filled
  uint32_t out = kBlank;  // operand; kBlank: dropped
  int64_t in_base = 0, out_base = 0;
  std::vector<MatchedVariable> variables;
};

using MatchedView = std::vector<MatchedPiece>;

// Matches the two sides of a view. Extents may be unknown (a rule file without a checkpoint); then only names are
// compared. `names` are what the two sides are called in messages ("left", "right"). Nothing, and one diagnostic at
// `where`, if the sides do not match.
std::optional<MatchedView> Match(const bind::RuleView& view, SourceRange where, const char* in_name,
                                 const char* out_name, diag::Diagnostics& diagnostics);

// The pieces of an operand as text, for messages: "[g r d h], [g d h]".
std::string ShowPieces(const std::vector<bind::OperandView>& operands);

}  // namespace aoa::prove
