// How prove::CheckRules looks at one map, for the files of this folder: its sides as symbols, its statements by their
// form and by their types, under every outcome of their conditions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/bind/attributes.h"
#include "compiler/prove/prove.h"

namespace aoa::prove {

using bind::Attributes;
using bind::Declaration;
using bind::Fused;
using bind::Operand;
using bind::Side;
using bind::Statement;
using diag::Code;

// The outcome that is assumed of each condition, by its text.
using Outcomes = std::map<std::string, bool>;

class MapChecker {
 public:
  MapChecker(const bind::Unit& unit, const bind::Map& map, diag::Diagnostics& diagnostics);
  void Check();

 private:
  diag::Diagnostic& Error(Code code, SourceRange where, std::string message);

  // declarations
  std::vector<const Declaration*> DeclarationsOf(const Side& side, const Operand& operand) const;
  static bool MayBeDeclared(const Side& side, const Operand& operand);
  bool Knows(const Side& side, const Operand& operand) const;
  const Declaration* Renamed(const Side& side, const Operand& operand) const;

  // form
  bool CheckForm(const Statement& s);
  static const std::vector<Operand>& Tail(const Statement& s);
  static const std::vector<Operand>& Head(const Statement& s);
  const Side& SideOf(const Statement& s, const std::vector<Operand>& operands) const;
  bool CheckCreate(const Statement& s);
  void CheckTransposes(const Statement& s);
  void CheckPlaceholders(const Statement& s);
  void CheckTwoWay(const Statement& s);
  std::optional<DType> TypeOf(const Side& side, const Operand& o) const;
  bool CheckList(const Statement& s);

  // types
  void CheckTypes(const Statement& s);
  std::optional<bind::RuleView> ViewOf(const Statement& s, const Outcomes& outcomes);
  int64_t StackedExtent(const Statement& s, size_t end, const std::string& variable);
  const ast::Type* TypeUnder(const Side& side, const Operand& o, const Outcomes& outcomes) const;
  void NoteRenamed(const Statement& s, diag::Diagnostics& found) const;
  bool TypesMatch(const Statement& s, const Outcomes& outcomes, diag::Diagnostics& found);
  bool CountAny(const Statement& s, const bind::RuleView& view, diag::Diagnostics& found);
  bool CheckNormalize(const Statement& s, const bind::RuleView& view, diag::Diagnostics& found);

  // coverage
  void CheckMentions(const Side& side, bool is_left);
  static bool MayMean(const bind::Pattern& used, const bind::Pattern& declared);
  bool CheckEnds();

  const bind::Map& map_;
  const Side& left_;
  const Side& right_;
  diag::Diagnostics& diagnostics_;
  bind::Dimensions dimensions_;
  std::map<const Side*, std::unordered_map<std::string, std::vector<const Declaration*>>> declared_;  // by pattern
  Attributes attributes_;
};

}  // namespace aoa::prove
