// Statements whose words mean something else in a rule file than to the engine, said in other words.
//
//     a -> c, b -> c                 the engine keeps the last: a -> _, b -> c
//     q^T -> q, q, k -> c, axis=1    `q` is the result here and the source's tensor of that name there: q^T -> tmp.q,
//     .. x.$LAYER_ID.b -> ..            matches no name, and the engine drops it: `optional`
#pragma once

#include <set>
#include <string>
#include <vector>

#include "compiler/bind/program.h"
#include "compiler/draft/import.h"
#include "compiler/draft/traps.h"

namespace aoa::draft {

// Results that are replaced before anything reads them, found in the statements alone (see FindTraps for `parsed`):
// they are left out, and sources that nothing else reads are dropped.
void RewordReplaced(AoaConfig& config, const std::vector<const ast::Statement*>& parsed);

// The rest, found in the names of a checkpoint to which the statements are bound; `traps` are told of what is dropped.
// `rules` and `parsed` are what the program was bound from. Returns the names that could not be told apart: no side may
// declare them.
std::set<std::string> RewordForNames(AoaConfig& config, const ImportedRules& rules,
                                     const std::vector<const ast::Statement*>& parsed, const bind::Program& program,
                                     std::vector<Trap>& traps);

}  // namespace aoa::draft
