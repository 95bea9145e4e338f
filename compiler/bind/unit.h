// A rule file with everything it imports, as one flat list of facts: imports, braces, nested blocks, replacements and
// removals are gone; conditions and ranges stay, as the context of each line.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/bind/pattern.h"
#include "compiler/diag/diagnostic.h"
#include "compiler/parse/ast.h"

namespace aoa::bind {

// A condition that a line stands under, and the range of a variable.
struct Guard {
  const ast::Expr* condition = nullptr;
  bool negated = false;  // the line stands in the else branch
};
struct VariableRange {
  ast::Ident variable;
  ast::ExprPtr from, to;
};
struct Context {
  std::vector<Guard> guards;
  std::vector<VariableRange> ranges;  // innermost last
};

template <class Node>
struct InContext {
  const Node* node = nullptr;
  Context context;
};

// A tensor that a side declares: one for each name that its braces expand to.
struct Declaration {
  Pattern pattern;
  const ast::Declaration* node = nullptr;
  Context context;
  std::optional<Pattern> tied, blocks_of;
};

struct Side {
  std::string name;
  std::vector<SourceRange> where;  // its heads
  const ast::Like* like = nullptr;
  std::vector<Pattern> removed;  // by its `remove` lines
  std::vector<InContext<ast::Format>> formats;
  std::vector<InContext<ast::MeshLine>> meshes;
  std::vector<InContext<ast::Overlay>> overlays;
  std::vector<InContext<ast::Place>> places;
  std::vector<std::string> rounds;  // of `interleave NAME` where NAME is no dimension: sizes like those of mesh axes
  std::vector<InContext<ast::Role>> roles;
  std::vector<InContext<ast::Zero>> zeros;
  std::vector<InContext<ast::ConfigEntry>> config;
  std::map<std::string, const ast::Equation*> dims;  // its own
  std::vector<Declaration> declarations;
};

struct Operand {
  const ast::Operand* node = nullptr;
  Pattern pattern;  // unless blank
};

// Whether a list of operands names no tensor.
inline bool AllBlank(const std::vector<Operand>& operands) {
  return std::all_of(operands.begin(), operands.end(), [](const Operand& o) { return o.node->blank; });
}

struct Statement {
  const ast::Statement* node = nullptr;
  Context context;
  std::vector<Operand> left, right;  // braces and slices expanded
  bool flipped = false;              // written in a `map B <-> A` while the map is A, B
};

struct Map {
  std::string left, right;
  std::vector<SourceRange> where;
  std::vector<Statement> statements;
};

struct Unit {
  std::map<std::string, const ast::Equation*> dims;
  std::vector<std::string> dims_order;
  std::map<std::string, Side> sides;
  std::vector<std::string> side_order;
  std::vector<Map> maps;
  const ast::Default* defaults = nullptr;  // of the file itself, never of an imported one
  std::string family;

  // Every name that a type, an equation, a name variable or a condition mentions: what `-D` may set.
  std::set<std::string> dimension_names;

  std::deque<ast::Statement> identities;  // of sides that are like the hub, which nobody wrote
  std::deque<ast::File> files;            // the trees that all of this points into
};

// Gives the text of an imported file, or an error text. `importer` is the path of the importing file.
using LoadImport =
    std::function<const SourceFile*(const std::string& importer, const std::string& path, std::string& error)>;

// Parses `main` and its imports and flattens them. Mistakes of all files are reported; the unit holds what could be
// read.
Unit ReadUnit(const SourceFile& main, const LoadImport& load, diag::Diagnostics& diagnostics);

}  // namespace aoa::bind
