// Mistakes in maps.
#include "compiler/parse/failure.h"

namespace aoa::parse {

using diag::Code;

bool Failure::ExplainMapHead() {
  if (Rule() != AoaParser::RuleArrow) return false;
  Error("a map without an arrow").Help("write `map a <-> b {`");
  return true;
}

bool Failure::ExplainStatement() {
  if (Rule() == AoaParser::RuleAttributeValue && Type() == AoaParser::LBRACKET) {
    Error("a list without quotes").Help("write `permute='[1, 0]'`");
    return true;
  }
  if (Rule() == AoaParser::RuleAttributeValue) {
    Error("no value stands after " + Quote(std::string(TextOf(Earlier({AoaParser::KEY}))) + "="));
    return true;
  }
  if (EarlierArrow() == nullptr) {
    if (ExplainBeforeArrow()) return true;
  } else if (ExplainAfterTarget()) {
    return true;
  }
  bool tensor_due = Rule() == AoaParser::RuleTensorName || Rule() == AoaParser::RuleTargetOrAttribute ||
                    Rule() == AoaParser::RuleOperand;
  if (!tensor_due || before_ == nullptr) return false;
  Error("no tensor stands after " + ShownBefore());
  return true;
}

bool Failure::ExplainBeforeArrow() {
  if (Type() == AoaParser::KEY) {
    Error("the attribute " + Shown() + " stands before the arrow")
        .Help("attributes stand after the targets, behind a comma");
  } else if (Rule() != AoaParser::RuleArrow) {
    return false;
  } else if (AtEnd()) {
    reporter_.Error(Code::kSyntax, reporter_.Range(BeginOf(First()), EndOf(before_)), "a statement without an arrow")
        .Help("write `sources -> targets`, or `<->` for both ways");
  } else if (IsName()) {
    Error(Shown() + " follows " + ShownBefore() + " without an arrow or a comma");
  } else {
    return false;
  }
  return true;
}

bool Failure::ExplainAfterTarget() {
  bool due = IsArrow(TypeBefore()) || TypeBefore() == AoaParser::COMMA || TypeBefore() == AoaParser::EQUAL ||
             TypeBefore() == AoaParser::COLON;
  if (due) return false;
  if (IsArrow()) {
    Error("a second arrow in one statement")
        .Also(Range(EarlierArrow()), "the first one")
        .Help("a statement ends with its line, unless the line ends in a comma or an arrow");
  } else if (IsName() && ArrowFollows()) {
    Error("a second statement on the line of another")
        .Help("a statement ends with its line; begin this one on a new line");
  } else if (IsName() || Type() == AoaParser::KEY) {
    Error(Shown() + " follows " + ShownBefore() + " without a comma")
        .Help("tensors and attributes are separated by commas");
  } else {
    return false;
  }
  return true;
}

}  // namespace aoa::parse
