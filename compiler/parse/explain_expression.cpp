// Mistakes in equations, in the heads of `for` and `if`, in types.
#include "compiler/diag/suggest.h"
#include "compiler/parse/failure.h"
#include "compiler/parse/words.h"

namespace aoa::parse {

using diag::Code;

bool Failure::ExplainEquation() {
  if (Rule() == AoaParser::RuleDimsBlock && before_ == nullptr) {
    Error(Shown() + " begins no equation").Help("write `name = value`");
    return true;
  }
  if (Rule() != AoaParser::RuleEquation) return false;
  bool equal = Earlier({AoaParser::EQUAL, AoaParser::DEFAULT_EQUAL}) != nullptr;
  if (!equal && AtEnd()) {
    reporter_.Error(Code::kSyntax, reporter_.Range(BeginOf(First()), EndOf(before_)), "an equation without `=`")
        .Help("write `name = value`");
  } else if (!equal && Due() != "a name") {
    Error(Shown() + " stands after " + ShownBefore() + ", where `=` is due");
  } else if (equal && First()->getType() == AoaParser::AXIS &&
             (Type() == AoaParser::PLUS || Type() == AoaParser::IDENT)) {
    Error(Shown() + " follows an axis").Help("a sum or a product of axes stands in parentheses: `axis w = (a + b)`");
  } else {
    return false;
  }
  return true;
}

bool Failure::ExplainExpression() {
  bool value_due = Rule() == AoaParser::RulePrimary && !AfterValue();
  switch (Type()) {
    case AoaParser::LPAREN:
      if (TypeBefore() == AoaParser::IDENT) {
        auto& d = reporter_.Error(Code::kKeyword, Range(before_), "unknown function " + ShownBefore());
        if (auto near = diag::Nearest(TextOf(before_), Texts(Functions())))
          d.Help("a function with a near name is " + Quote(*near));
        else
          d.Note("the functions are " + List(Texts(Functions())));
        return true;
      }
      break;
    case AoaParser::IS_EQUAL:
    case AoaParser::NOT_EQUAL:
    case AoaParser::LESS:
    case AoaParser::LESS_EQUAL:
    case AoaParser::GREATER:
    case AoaParser::GREATER_EQUAL:
    case AoaParser::IN:
      if (value_due) break;
      Error("a comparison of a comparison").Help("comparisons are joined by `and`");
      return true;
    case AoaParser::COLON:
    case AoaParser::AT:
    case AoaParser::UNKNOWN:
      Error(Shown() + " stands in an expression over numbers").Help("in `dims` an axis is written `axis name = ...`");
      return true;
    default:
      break;
  }
  if (value_due && before_ != nullptr) {
    auto& d = Error("no value stands after " + ShownBefore());
    if (Type() == AoaParser::LBRACKET)
      d.Help("lists stand in configurations only: `$l in config.dense_layers`; numbers are told by `$l % 2 == 0`");
  } else if (AfterValue() && !AtEnd() &&
             (Type() == AoaParser::IDENT || Type() == AoaParser::NUMBER || Type() == AoaParser::CONFIG_KEY ||
              Type() == AoaParser::NUMBER_OF || Type() == AoaParser::LPAREN)) {
    if (Earlier({AoaParser::EQUAL, AoaParser::DEFAULT_EQUAL, AoaParser::IF, AoaParser::ELSE_IF}) == nullptr)
      return false;
    Error(Shown() + " follows " + ShownBefore() + " without an operator");
  } else {
    return false;
  }
  return true;
}

bool Failure::ExplainRange() {
  const antlr4::Token* in = Earlier({AoaParser::IN});
  if (Type() == AoaParser::IN || Earlier({AoaParser::RANGE}) != nullptr || (in && !AfterValue())) return false;
  if (in)
    Error("a range without `..`").Help("write `for l in 0..k {`");
  else
    Error(AtEnd() ? "a `for` without a range" : Shown() + " stands after " + ShownBefore() + " in a `for`")
        .Help("write `for l in 0..k {`");
  return true;
}

bool Failure::ExplainCondition() {
  bool empty = AtEnd() && (TypeBefore() == AoaParser::IF || TypeBefore() == AoaParser::ELSE_IF);
  if (Type() == AoaParser::EQUAL)
    Error("`=` stands in a condition").Help("`==` compares");
  else if (empty)
    Error("no condition stands after " + ShownBefore());
  else
    return false;
  return true;
}

bool Failure::ExplainType() {
  if (In(AoaParser::RuleExpression) && Type() != AoaParser::COMMA) return false;
  switch (TypeBefore()) {
    case AoaParser::AT:
    case AoaParser::DOT:
      Error("no mesh axis stands after " + ShownBefore()).Help("a cut is written `h@tp`");
      return true;
    case AoaParser::TILDE:
      Error("no rounding stands after `~`").Help("blocks are rounded by `~ceil` or `~front`");
      return true;
    case AoaParser::COLON:
      Error("no extent stands after " + ShownBefore()).Help("a literal axis is written `p:2`");
      return true;
    default:
      break;
  }
  bool axis_due = TypeBefore() == AoaParser::LPAREN || TypeBefore() == AoaParser::PLUS;
  if (axis_due && (Type() == AoaParser::COMMA || Type() == AoaParser::PLUS || Type() == AoaParser::RPAREN)) {
    Error("no axis stands after " + ShownBefore());
    return true;
  }
  switch (Type()) {
    case AoaParser::COMMA:
      Error("a comma between axes").Help("axes stand side by side: `[x y]`");
      return true;
    case AoaParser::AT:
      Error("a second cut of one axis").Help("`h@a.b` cuts by two mesh axes, the first outermost");
      return true;
    case AoaParser::PLUS:
      Error("a sum outside parentheses").Help("a sum of axes is one axis: `[(a + b) h]`");
      return true;
    case AoaParser::STAR:
      Error("`*` between axes").Help("a product is written side by side: `(a b)`");
      return true;
    case AoaParser::RPAREN:
      Error("`pad` without a multiple").Help("write `pad(v, 128)`: up to the next multiple of 128");
      return true;
    default:
      break;
  }
  if (AtEnd() && TypeBefore() == AoaParser::EQUAL)
    Error("no axis stands after `=`");
  else if (AtEnd())
    return false;
  else
    Error(Shown() + " means nothing in a type");
  return true;
}

}  // namespace aoa::parse
