// The words for what the parser could not read: which ones, and those that go for anything.
#include "compiler/parse/explain.h"

#include "compiler/parse/failure.h"

namespace aoa::parse {

using diag::Diagnostic;

void Failure::Explain() {
  struct Way {
    size_t rule;
    bool (Failure::*explain)();
  };
  // Inner constructs first: they know more.
  static constexpr Way kWays[] = {
      {AoaParser::RuleBracket, &Failure::ExplainType},
      {AoaParser::RuleTypeAxis, &Failure::ExplainType},
      {AoaParser::RuleIfHead, &Failure::ExplainCondition},
      {AoaParser::RuleElseIfHead, &Failure::ExplainCondition},
      {AoaParser::RuleSideBody, &Failure::ExplainCondition},  // whose `{` should follow the condition
      {AoaParser::RuleMapBody, &Failure::ExplainCondition},
      {AoaParser::RuleForHead, &Failure::ExplainRange},
      {AoaParser::RuleEquation, &Failure::ExplainEquation},
      {AoaParser::RuleDimsBlock, &Failure::ExplainEquation},
      {AoaParser::RuleExpression, &Failure::ExplainExpression},
      {AoaParser::RuleEquation, &Failure::ExplainExpression},
      {AoaParser::RuleSideBody, &Failure::ExplainExpression},
      {AoaParser::RuleMapBody, &Failure::ExplainExpression},
      {AoaParser::RuleConfigBlock, &Failure::ExplainEntry},
      {AoaParser::RuleDefaultBlock, &Failure::ExplainEntry},
      {AoaParser::RulePlaceLine, &Failure::ExplainPlace},
      {AoaParser::RuleRoleLine, &Failure::ExplainRole},
      {AoaParser::RuleDeclaration, &Failure::ExplainDeclaration},
      {AoaParser::RuleStatement, &Failure::ExplainStatement},
      {AoaParser::RuleMapHead, &Failure::ExplainMapHead},
  };
  if (ExplainWrongPlace()) return;
  for (const Way& way : kWays) {
    if (In(way.rule) && (this->*way.explain)()) return;
  }
  ExplainAnything();
}

// What is wrong with these tokens they tell by themselves.
bool Failure::ExplainWrongPlace() {
  if (Type() == AoaParser::QUOTED_VALUE) {
    Error("single quotes stand where no value is due").Help("a name with other characters stands in double quotes");
  } else if (Type() == AoaParser::LPAREN && (TypeBefore() == AoaParser::NAME || TypeBefore() == AoaParser::STRING)) {
    Error("`(` follows " + ShownBefore()).Help("a type stands in brackets: `w [x y]`");
  } else if (Type() == AoaParser::KEY && before_ == nullptr) {
    Error("the attribute " + Shown() + " begins a statement")
        .Help("attributes stand after the targets, behind a comma");
  } else if (IsArrow() && before_ == nullptr) {
    Error("a statement begins with an arrow").Help("write `_` for nothing: `_ -> name` creates a tensor");
  } else {
    return false;
  }
  return true;
}

bool Failure::ExplainEntry() {
  bool config = In(AoaParser::RuleConfigBlock);
  bool between_entries = Rule() == AoaParser::RuleConfigBlock || Rule() == AoaParser::RuleDefaultBlock;
  if (!between_entries || AtEnd() || !Due().empty()) return false;
  Error(config ? Shown() + " begins no entry of `config`" : Shown() + " begins no end of a run")
      .Help(config ? "write `KEY = NAME`" : "write `from SIDE \"PATH\"` or `to SIDE \"PATH\"`");
  return true;
}

void Failure::ExplainAnything() {
  std::string due = Due();
  bool listed = IsName() && (In(AoaParser::RuleMeshLine) || In(AoaParser::RuleOverlayLine));
  if (before_ == nullptr) {
    Error(AtEnd() ? "an empty expression" : Shown() + " begins no line here");
  } else if (listed) {
    Error(Shown() + " follows " + ShownBefore() + " without a comma");
  } else if (!due.empty()) {
    Diagnostic& d = Error(AtEnd() ? "the line ends after " + ShownBefore() + ", where " + due + " is due"
                                  : Shown() + " stands after " + ShownBefore() + ", where " + due + " is due");
    if (First()->getType() == AoaParser::IMPORT) d.Help("write `import \"base.aoa\"`");
  } else if (AtEnd()) {
    Error("the line ends too early, after " + ShownBefore());
  } else if (parser_.getExpectedTokens().contains(size_t{AoaParser::END})) {
    Error(Shown() + " follows " + ShownBefore() + ", where the line should end");
  } else {
    Diagnostic& d = Error(Shown() + " means nothing after " + ShownBefore());
    if (Earlier({AoaParser::BLOCKS})) d.Help("the extents of blocks are whole numbers: `[128 128]`");
  }
}

void Explain(antlr4::Parser& parser, Reporter& reporter) { Failure(parser, reporter).Explain(); }

}  // namespace aoa::parse
