// The proof: after it the author can make no further mistake, only the world can fail.
//
// `CheckRules` works on a rule file alone, with dimensions as symbols: every statement is typed by structure, whatever
// the checkpoint. `Prove` works on a bound program: the same typing with extents, element types followed through every
// step, and coverage of both ends (every tensor of the source is read or dropped, every tensor of the target is made
// once).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/bind/program.h"
#include "compiler/prove/match.h"

namespace aoa::prove {

// Checks all statements of a rule file. Reports only what is wrong in every checkpoint.
void CheckRules(const bind::Unit& unit, diag::Diagnostics& diagnostics);
// Sides and statements: all that can be wrong with a rule file that has been read. `diagnostics` holds what was wrong
// with its text; what only follows from text that fell out is not reported. `formats`: the names that exist.
void CheckUnit(const bind::Unit& unit, const std::vector<std::string>& formats, diag::Diagnostics& diagnostics);

struct Mapping {
  std::vector<std::vector<std::vector<MatchedView>>> views;  // by leg, rule, view
  std::vector<MatchedView> source_ties, target_ties;         // by the ends' tie_views
  std::vector<std::vector<bool>> needed;                     // by leg and instance
  std::vector<bind::TensorId> targets;                       // weights that are to be written, in the order of the side
};

// Proves a program, and gives the tensors of later ends their element types. Nothing if a diagnostic was reported.
std::optional<Mapping> Prove(bind::Program& program, const bind::Request& request, diag::Diagnostics& diagnostics);

// The matched pieces of every statement: `--emit=map`.
std::string Dump(const bind::Program& program, const Mapping& mapping);

}  // namespace aoa::prove
