// Where blanks stand between the tokens of a line.
#pragma once

#include <cstddef>

namespace aoa::parse {

class Spacing {
 public:
  // In a map types and the values of attributes hug what they belong to: a[x y] -> b, scale=2.
  explicit Spacing(bool in_map) : in_map_(in_map) {}

  // Whether a blank stands between the last token and `next`.
  bool Before(size_t next) const;
  // The token is written.
  void Pass(size_t type);

  bool InBrackets() const { return depth_ > 0; }
  static bool Opens(size_t type);
  static bool Closes(size_t type);

 private:
  bool in_map_;
  size_t last_ = 0;
  size_t depth_ = 0;         // of brackets and parentheses
  size_t square_depth_ = 0;  // of brackets
  bool hugs_ = false;        // the last token stands against the next one
};

}  // namespace aoa::parse
