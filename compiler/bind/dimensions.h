// Dimensions and where their values come from.
//
// A dimension is a *symbol*: a name of the file, or a name of one end (a side's own `dims`, `-D from.k=8`). An *end* is
// a side at one place of the path of a run; the same side at both ends is two ends. A symbol collects *origins*:
// command line, equations (with configuration keys), shapes, names of tensors. None overrides another: the first value
// counts, and origins that disagree are one diagnostic that shows them all.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/bind/evaluate.h"
#include "compiler/bind/unit.h"
#include "compiler/core/axis_type.h"
#include "compiler/core/mesh.h"

namespace aoa::bind {

// `-D name=value`, `-D from.name=value`, `-D to.name=value`.
struct Definition {
  std::string name;
  enum class At { kBoth, kFrom, kTo } at = At::kBoth;
  int64_t value = 0;
};

struct Origin {
  int64_t value = 0;
  std::string text;   // "-D h=7", "config.hidden_size", "axis 0 of `w` [3, 4]"
  SourceRange where;  // may be null
};

using SymbolId = size_t;
inline constexpr size_t kFile = SIZE_MAX;  // in place of an end: the scope of the file

class Dimensions {
 public:
  // `config` may be null: no configuration. With `symbolic`, every configuration key is unknown rather than absent.
  Dimensions(const Unit& unit, const nlohmann::json* config, bool symbolic)
      : unit_(unit), config_(config), symbolic_(symbolic) {}

  // Adds an end. `mesh_sizes` has every axis that the side may have, in any of its conditional meshes.
  size_t AddEnd(const Side& side, std::map<std::string, int64_t> mesh_sizes);
  // Adds an end whose mesh has every axis that the side may have, for looking at rules without a checkpoint.
  size_t AddSymbolicEnd(const Side& side);
  // Applies a `-D`. False if no rule mentions the name.
  bool Define(const Definition& definition, size_t from_end, size_t to_end);
  void SetMesh(size_t end, Mesh mesh) { ends_[end].mesh = std::move(mesh); }
  const Mesh& mesh(size_t end) const { return ends_[end].mesh; }

  SymbolId At(size_t end, const std::string& name);
  size_t size() const { return symbols_.size(); }
  std::optional<int64_t> ValueOf(SymbolId symbol) const { return symbols_[symbol].value; }
  // Offers a value. True if the symbol had none.
  bool Offer(SymbolId symbol, Origin origin);

  // Evaluates equations until nothing new follows. True if something did.
  bool Propagate();
  // Gives the first valueless symbol that has a default its value. True if there was one.
  bool ApplyDefault();

  // The scope of expressions at an end (conditions, paddings): mesh sizes, then dimensions.
  Scope ScopeAt(size_t end);
  // The scope of a map between two ends: a name may belong to either; one that both have must have one value.
  Scope ScopeBetween(size_t a, size_t b);
  // Whether a line counts: its guards are true (or false in an else branch). Nothing while that is unknown. Conditions
  // that cannot be evaluated are reported and false.
  static std::optional<bool> Holds(const Context& context, const Scope& scope, diag::Diagnostics& diagnostics);

  // The axis as the core knows it: aliases expanded, extents filled in as far as they are known, cuts numbered by the
  // end's mesh. `any` counts the `_` axes. `trial` gives one symbol another value.
  struct Trial {
    SymbolId symbol;
    int64_t value;
  };
  Axis Lower(const ast::Axis& axis, size_t end, int& any, const Trial* trial = nullptr);
  TensorType Lower(const ast::Type& type, size_t end, int& any);
  // The same as if an axis of the end's mesh had another size.
  TensorType LowerAtSize(const ast::Type& type, size_t end, int& any, const std::string& mesh_axis, int64_t size);

  // The symbols that an axis depends on, aliases expanded; of paddings all, what is padded alone, or none.
  enum class Paddings { kWhole, kPadded, kNone };
  std::set<SymbolId> SymbolsOf(const ast::Axis& axis, size_t end, Paddings paddings = Paddings::kWhole);

  // Reports what is wrong with a symbol that is used at `where`: nothing fixes it, or its equation has no whole result.
  // True if all is well. Each symbol is reported once.
  bool Require(SymbolId symbol, SourceRange where, diag::Diagnostics& diagnostics);
  bool RequireAll(const ast::Type& type, size_t end, diag::Diagnostics& diagnostics);
  bool RequireMultiples(const ast::Axis& axis, size_t end, diag::Diagnostics& diagnostics);

  // Symbols with origins that disagree.
  void ReportContradictions(diag::Diagnostics& diagnostics) const;

  // "h = 4096 (config.hidden_size)" for messages.
  std::string Describe(SymbolId symbol) const;
  const std::string& NameOf(SymbolId symbol) const { return symbols_[symbol].name; }
  bool IsSetAtBothEnds(SymbolId symbol) const { return symbols_[symbol].set_at_both_ends; }

  // The value of `value NAME = ...`, or of a dimension: for configurations that are written.
  nlohmann::json ConfigValue(const std::string& name, size_t end);

 private:
  struct Symbol {
    std::string name;
    size_t scope = kFile;  // the end that it is local to, in whose scope its equation stands
    const ast::Equation* equation = nullptr;
    std::optional<int64_t> value;
    std::vector<Origin> origins;
    std::optional<diag::Diagnostic> failure;  // of the equation
    bool from_command_line = false;
    bool set_at_both_ends = false;  // by one -D, where both ends declare the name
    bool equation_done = false;
    bool reported = false;
  };
  struct End {
    const Side* side = nullptr;
    std::map<std::string, int64_t> mesh_sizes;
    std::set<std::string> local;
    Mesh mesh;
  };

  const ast::Axis* AliasAt(size_t end, const std::string& name) const;
  const ast::Equation* ValueAt(size_t end, const std::string& name) const;
  Value NameValue(size_t end, const std::string& name, SourceRange where, bool with_mesh);
  Value ConfigAt(const std::string& path) const;
  bool EvaluateEquation(SymbolId id);
  void DescribeFailure(Symbol& symbol, const Value& value);
  void CollectSymbols(const ast::Axis& axis, size_t end, Paddings paddings, std::set<SymbolId>& out, int depth);
  Axis LowerAt(const ast::Axis& axis, size_t end, int& any, const Trial* trial, int depth);

  const Unit& unit_;
  const nlohmann::json* config_;
  bool symbolic_;
  std::vector<End> ends_;
  std::vector<Symbol> symbols_;
  std::set<const ast::Equation*> open_values_;  // being evaluated
  std::set<const ast::Axis*> reported_multiples_;
  std::map<std::pair<size_t, std::string>, SymbolId> ids_;  // end + 1, or 0 for the file's
};

}  // namespace aoa::bind
