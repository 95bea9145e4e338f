// A draft of a side: what the names, the shapes and the configuration of a checkpoint tell about its types.
//
// An extent that one key of the configuration has, and no other, is a dimension with that value. Any other extent is a
// dimension `x96` that the shapes fix; a comment says what it could be. Nothing is known about what an axis means, so
// the draft never invents factors or sums, and two axes of one tensor never share a dimension.
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
  std::string TypeOf(const Shape& shape);
  const std::string& NameOf(int64_t extent);
  std::string FreeName(const std::string& wanted);
  void CollectKeys(const nlohmann::json& object, const std::string& path);
  std::vector<std::string> KeysOf(int64_t value) const;
  std::string Guesses(int64_t value) const;

  std::vector<std::pair<std::string, int64_t>> keys_;           // whole numbers of the configuration, by path
  std::map<int64_t, std::string> dims_;                         // extent -> name
  std::map<std::string, int64_t> taken_;                        // names of dimensions and variables, with their extents
  std::vector<std::pair<std::string, std::string>> equations_;  // name, key
  std::vector<Folding::Variable> variables_;
  std::vector<std::pair<std::string, int64_t>> unknown_;  // dimensions that no one key has
};

}  // namespace aoa::draft
