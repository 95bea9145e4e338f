// The names of a checkpoint as the lines of a side: numbers that count something become variables.
//
//     layers.0.w, layers.1.w, layers.2.w                    layers.$l.w
//     layers.0.mlp.up, layers.1.mlp.experts.{0,1}.up        for l in 0..1 { layers.$l.mlp.up }
//                                                           for l in 1..2 { layers.$l.mlp.experts.$e.up }
//     layers.1.attn.w, layers.3.attn.w, of 4 layers         for l in 0..4 { if $l % 2 == 1 { layers.$l.attn.w } }
//     layers.$l.attn.q.w, layers.$l.attn.k.w, one shape     layers.$l.attn.{k,q}.w
//
// A place of numbers is what stands before it: all tensors `layers.<number>...` share one variable. It counts from the
// lowest number that is used, and has no gaps; numbers of which this is not true stay as they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/core/schema.h"

namespace aoa::draft {

struct NamedShape {
  std::string name;
  Shape shape;
};

// One line of a side, inside loops if a variable does not run over all its numbers.
struct FoldedLine {
  struct Loop {
    std::string variable;
    int64_t from = 0, to = 0;  // half open
    // Of these only the `count` numbers that a condition holds for, and the condition of the others; empty: all.
    std::string condition, otherwise;
    int64_t count = 0;
    bool operator==(const Loop&) const = default;
  };
  std::string name;  // as a side writes it
  Shape shape;
  std::vector<Loop> loops;  // outermost first
  bool operator==(const FoldedLine&) const = default;
};

struct Folding {
  struct Variable {
    std::string name;
    int64_t extent = 0;
    std::string place;   // what stands before the number, with `#` for other numbers: "layers.#.experts."
    bool inner = false;  // inside what another variable counts
  };
  std::vector<FoldedLine> lines;    // in the order of names, numbers by value
  std::vector<Variable> variables;  // of more tensors first
};

// A name as text and numbers: "a.3.b" is "a.", 3, ".b". A number stands alone between dots or slashes and is spelled as
// numbers are.
struct SplitName {
  std::vector<std::string> texts;  // one more than numbers
  std::vector<int64_t> numbers;
};
SplitName Split(const std::string& name);

// With `braces`, lines of one shape whose names differ in a word are joined. Names in `taken` are used for variables of
// that extent only.
Folding FoldNames(std::vector<NamedShape> tensors, bool braces = true,
                  const std::map<std::string, int64_t>& taken = {});

// A name as a rule writes it: in quotes if it holds what bare names cannot.
std::string WriteName(const std::string& name);

}  // namespace aoa::draft
