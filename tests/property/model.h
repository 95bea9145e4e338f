// What an axis type means, said a second time: an axis is the list of its elements, nothing is affine.
//
// An element of a program is known by its label: the statement, the piece, and the value of every index variable.
// Labels are numbers that add up along the type: a variable's value times its weight, a summand's place in the order of
// pieces. So a tensor is the outer sum of its axes' lists, a cut takes a part of a list, padding adds fillers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace aoa::property {

struct MeshAxis {
  std::string name;
  int64_t size = 1;
};
using Meshes = std::vector<MeshAxis>;

struct ModelCut {
  size_t axis = 0;    // of the mesh
  char rounding = 0;  // 0 even, 'c' ceil, 'f' front
};

struct Node {
  enum class Kind { kVariable, kOne, kProduct, kSum, kPad };
  Kind kind = Kind::kOne;
  std::string variable;
  int64_t multiple = 1;
  std::vector<Node> parts;
  std::vector<ModelCut> cuts;
};

// A variable: how many values it has, and how much its value counts in a label.
struct Variable {
  int64_t extent = 1;
  int64_t weight = 1;
};
using Variables = std::map<std::string, Variable>;

// An element of an axis: filler, or its place in the order of pieces and the sum of its variables.
struct Label {
  int64_t piece = 0;
  int64_t index = 0;
  bool filler = false;
  bool operator==(const Label&) const = default;
};

struct Listed {
  std::vector<Label> labels;
  int64_t pieces = 1;
};

// The elements of an axis at the coordinates, which are none for the whole axis. `dealt`: the values that a stage
// holds.
struct Place {
  const Variables& variables;
  const Meshes& mesh;
  const std::vector<int64_t>* coordinates = nullptr;
  const std::map<std::string, std::vector<int64_t>>* dealt = nullptr;
};
Listed List(const Node& node, const Place& place);

// The elements of a tensor in row-major order, and its extents.
struct Block {
  std::vector<int64_t> shape;
  std::vector<Label> labels;
};
Block BlockOf(const std::vector<Node>& axes, const Place& place);

// Whether a cut of so many elements into so many parts is legal without `~`.
bool Divides(int64_t extent, int64_t parts);

// As a rule file has it.
std::string ToText(const Node& node, const Meshes& mesh);

}  // namespace aoa::property
