// Tensor names with variables: `layers.$l.{q,k}.w`, `item.${l+2:02}`, `${=l+3}.w`, `experts.*.w`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diag/diagnostic.h"
#include "compiler/parse/ast.h"

namespace aoa::bind {

// Values of name variables.
using Assignment = std::map<std::string, int64_t>;

// One part of a name after its braces are expanded.
struct PatternPart {
  enum class Kind {
    kText,      // `text`
    kVariable,  // the number of `text` + `offset`, at least `width` digits
    kStar,      // one run of digits
    kExtent,    // the value of `expression`: ${=l+3}
  };
  Kind kind = Kind::kText;
  std::string text = {};
  int64_t offset = 0;
  int width = 0;
  ast::ExprPtr expression = nullptr;  // kExtent; kVariable: what more is added, the `l` of ${i+l}
  std::string shift = {};             // kVariable: `expression` with its sign, as written
};

struct Pattern {
  std::vector<PatternPart> parts;
  SourceRange where;

  // As a rule writes it; equal texts are equal patterns.
  std::string text() const;
  // The variables, each once, in the order of their first use.
  std::vector<std::string> Variables() const;
  bool HasStar() const;
  bool HasExtent() const;  // ${=l+3}, ${i+l}: Resolve comes first
  bool IsPlain() const;    // neither variables nor stars nor extents: text() is the name

  // The name under an assignment of all variables. There are no stars and extents (see Resolve).
  std::string Spell(const Assignment& values) const;

  // The values under which the pattern spells `name`, or nothing. Numbers are canonical: spelling them again gives
  // `name`. Stars match any digits; `star` receives theirs.
  std::optional<Assignment> Match(std::string_view name, std::vector<std::string>* star = nullptr) const;

  // The pattern with the value that `evaluate` gives for every expression in it; nothing if one has no value yet.
  std::optional<Pattern> Resolve(const std::function<std::optional<int64_t>(const ast::Expr&)>& evaluate) const;
  // The pattern with its stars replaced by digits.
  Pattern WithStars(const std::vector<std::string>& digits) const;
  // Adds text at its end.
  void Append(const std::string& text);
  // The pattern with some variables replaced by numbers.
  Pattern Substitute(const Assignment& values) const;
};

inline constexpr size_t kMostNames = 100'000;  // that one name may expand to

// Expands braces left to right and reads variables. Mistakes are reported; then the list may be empty.
std::vector<Pattern> ExpandName(const ast::Name& name, diag::Diagnostics& diagnostics);
// The names after `tied` or `blocks of`: one for each of the `declared` names, or one for all of them.
std::vector<Pattern> ExpandReference(const std::optional<ast::Name>& name, size_t declared,
                                     diag::Diagnostics& diagnostics);

// The pattern that spells exactly `text`.
Pattern LiteralPattern(std::string text, SourceRange where);

// Whether a variable takes the numbers of the source's names, with gaps, as Paddle's do.
inline bool TakesNumbers(const std::string& variable) {
  return variable == "LAYER_ID" || variable == "EXPERT_ID" || variable == "LAYER_ID_OFFSET";
}

}  // namespace aoa::bind
