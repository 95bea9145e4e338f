// Where every element of the target comes from.
//
// After bind and prove, a target tensor is defined through statements, hubs and chains. Index follows them all at once:
// the definition of a target is one relation between its element numbers and those of source tensors, with a chain of
// value steps where values change. Composition happens here, inverse too (a map run backwards is bound backwards), so
// nothing is ever converted by way of an intermediate checkpoint. Targets with equal definitions (the same tensor of
// every layer) share one relation and differ in the source tensors that fill its slots.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/bind/program.h"
#include "compiler/core/index_map.h"
#include "compiler/core/kernel.h"
#include "compiler/prove/prove.h"

namespace aoa::index {

// A value that targets are filled with: bits of a type, which a piece's chain may still change.
struct Constant {
  DType dtype = DType::kU8;
  uint64_t bits = 0;
  bool operator==(const Constant&) const = default;
};

// A tensor of numbers by which elements are divided: the L2 norms of a source along one axis, one per index of the
// others.
struct NormTable {
  uint32_t relation = 0;  // out: a number per element, of which only order matters (falling axis last); in: the slots
  uint32_t first_slot = 0, slot_count = 0;
  DType dtype = DType::kF32;  // of the source
  int64_t size = 0;           // numbers in the table
  bool operator==(const NormTable&) const = default;
};

// A target tensor, weight or state.
struct Target {
  bind::TensorId tensor = 0;  // of the last end
  uint32_t relation = 0;      // out: the whole tensor's element numbers; in: those of whole source tensors
  uint32_t first_slot = 0, slot_count = 0;  // in IndexProgram::slots
  bool fill_last = false;                   // padding repeats the last real slice
  Constant fill;                            // else it has this value
  std::optional<uint32_t> norms;            // in IndexProgram::norms
};

// One number per weight that a target carries: copied from the weights' own, which must agree, or computed from others.
struct ScalarTarget {
  bind::TensorId tensor = 0;
  std::vector<bind::TensorId> sources;  // to copy from; empty if computed
  const ast::Expr* computed = nullptr;
  std::vector<std::pair<std::string, std::vector<bind::TensorId>>> inputs;  // role -> scalars of the weight's sources
};

// Block scales of a target weight.
struct BlockTarget {
  bind::TensorId tensor = 0;
  size_t weight = 0;                    // in IndexProgram::targets
  std::vector<bind::TensorId> sources;  // the scales of each slot of the weight
};

// Two tensors of the source that must hold the same: a tied copy and its original.
struct Agreement {
  uint32_t relation = 0;  // out: the copy; in: slot 0, the original
  bind::TensorId copy = 0, original = 0;
};

struct IndexProgram {
  std::vector<Relation> relations;
  std::vector<ValueChain> chains;  // [0] moves bits
  std::vector<Constant> constants;
  std::vector<bind::TensorId> slots;  // source tensors
  std::vector<Target> targets;
  std::vector<ScalarTarget> scalars;
  std::vector<BlockTarget> blocks;
  std::vector<NormTable> norms;
  std::vector<Agreement> agreements;
};

// Lowers a proven program. Adds the states' tensors to the last end. Nothing if a diagnostic was reported: a state is
// missing, a fill does not fit its type, two layouts are too unlike to be composed.
std::optional<IndexProgram> Lower(bind::Program& program, const prove::Mapping& mapping, const bind::Request& request,
                                  diag::Diagnostics& diagnostics);

// Every target with its relation: `--emit=index`.
std::string Dump(const bind::Program& program, const IndexProgram& index);

// Checks the laws that a lowered program obeys, against the types of its targets: every real element has one origin, no
// number lies outside its tensor. Returns what is broken, or an empty text.
std::string Verify(const bind::Program& program, const IndexProgram& index);

}  // namespace aoa::index
