// A draft of a side: what the names, the shapes and the configuration of a checkpoint tell about its types.
//
// An extent that one key of the configuration has, and no other, is a dimension with that value. Any other extent is a
// dimension `x96` that the shapes fix; a comment says what it could be. Nothing is known about what an axis means, so
// the draft never invents factors or sums, and two axes of one tensor never share a dimension.
//
// Keys that count layers are no extents of axes, and those of periods and offsets are nothing but numbers in
// conditions: small numbers are alike by chance. Of several keys that a variable could count, the names decide: those
// of layers count what no other variable counts, and `num_experts` counts what stands behind `experts.`.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler/draft/fold.h"

namespace aoa::draft {

class SideDrafter {
 public:
  // `config` may be null.
  explicit SideDrafter(const nlohmann::json* config);

  // The lines of a side, without indentation: declarations, and the heads and ends of loops around them.
  std::vector<std::string> Declare(const std::vector<NamedShape>& tensors);

  // The lines of the `dims` block for all sides so far. With `all`, extents that no key has are given as numbers.
  std::vector<std::string> Dims(bool all) const;

 private:
  // A whole number of the configuration.
  struct Key {
    std::string path;
    int64_t value = 0;
    bool depth = false;  // it counts layers
  };
  // Where a block of lines goes: those inside the same loops stand together, at the place of the first.
  using Lines = std::vector<const FoldedLine*>;
  void Write(const Lines& lines, size_t depth, std::vector<std::string>& out);
  void WriteLoop(const Lines& lines, size_t depth, std::vector<std::string>& out);
  std::string EndOf(const FoldedLine::Loop& loop) const;

  std::string TypeOf(const Shape& shape);
  const std::string& NameOf(int64_t extent);
  std::string FreeName(const std::string& wanted);
  void CollectKeys(const nlohmann::json& object, const std::string& path);
  std::vector<std::string> AxisKeysOf(int64_t value) const;
  std::vector<Key> KeysOf(const Folding::Variable& variable) const;
  std::string KeyOf(const Folding::Variable& variable) const;
  bool IsKnown(const std::string& name) const;
  std::string Guesses(const std::vector<std::string>& keys, int64_t value) const;

  std::vector<Key> keys_;
  std::map<int64_t, std::string> dims_;                         // extent -> name
  std::map<std::string, int64_t> taken_;                        // names of dimensions and variables, with their extents
  std::vector<std::pair<std::string, std::string>> equations_;  // name, key
  std::vector<Folding::Variable> variables_;
  std::vector<std::pair<std::string, int64_t>> unknown_;  // dimensions that no one key has
};

}  // namespace aoa::draft
