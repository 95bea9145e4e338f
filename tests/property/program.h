// Random programs that are well typed by construction: lists of pieces are drawn first, then groupings of each list
// into tensors, one for every side. Extents, cuts, padding, placements and meshes are drawn with them.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "tests/property/model.h"

namespace aoa::property {

struct Tensor {
  std::string stem;
  std::vector<std::string> names;  // variables in its name
  std::vector<Node> axes;
  int64_t first_piece = 0;  // in the statement's list
};

// A variable that a mesh axis deals.
struct Deal {
  std::string variable;
  size_t axis = 0;
  std::string rule;                          // " surplus first"
  std::vector<std::vector<int64_t>> stages;  // the values of each
  bool named = false;                        // it stands in names, so its axes are whole
};

struct SideModel {
  std::string name;
  Meshes mesh;
  std::vector<Deal> deals;
};

struct StatementModel {
  std::string dtype;                       // as a file spells it
  std::vector<std::vector<Tensor>> terms;  // by side
};

struct Program {
  Variables variables;
  std::vector<SideModel> sides;  // two, or three with the hub in the middle
  std::vector<StatementModel> statements;

  // The rule file: maps lead from each side to the next.
  std::string Text() const;
};

// `large`: matrices that take more than one job, else tensors of a few elements.
Program DrawProgram(uint64_t seed, size_t sides, bool large);

// The coordinates of a rank.
std::vector<int64_t> CoordinatesOf(const Meshes& mesh, int64_t rank);
int64_t RankCount(const Meshes& mesh);

// What a rank's file holds.
struct StoredBlock {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::string bytes;  // fillers are `filler`
};
std::vector<StoredBlock> RankContent(const Program& program, size_t side, int64_t rank, char filler);

}  // namespace aoa::property
