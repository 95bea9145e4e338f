// What PaddlePaddle's engine accepts without a word and gets wrong, found in the statements alone.
//
// The engine keeps, for each source tensor, one temporary buffer per offset, and one list of transforms per box: two
// statements that read one tensor differently overwrite each other. It looks a fused layout's number of shards up by
// the name of an operand, which `^T` has replaced. It drops what a removed tensor makes, and expands templates over
// names of the source alone. Here such statements do what they say; whoever brings them should know that the engine did
// not.
#pragma once

#include <string>
#include <vector>

#include "compiler/draft/aoa_config.h"
#include "compiler/parse/ast.h"

namespace aoa::draft {

struct Trap {
  size_t statement = 0;         // in the list
  std::optional<size_t> other;  // the earlier one that it collides with
  std::string what;             // of the engine: true when read alone
  std::string advice;           // what is done here, or what to do
};

// `parsed` has the tree of each statement, or null where it has none (see IsInitial). By ascending statement.
std::vector<Trap> FindTraps(const AoaConfig& config, const std::vector<const ast::Statement*>& parsed);

// `_ -> a`: `a` keeps the value with which the model is made. No checkpoint has it, so no rule says it.
bool IsInitial(const ConfigStatement& statement, bool reverse);

}  // namespace aoa::draft
