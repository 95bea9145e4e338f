// A token that fits nowhere, and the words for it: explain_*.cpp has a method for each construct that it may stand in.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "compiler/parse/antlr.h"
#include "compiler/parse/reporter.h"
#include "compiler/parse/token_stream.h"

namespace aoa::parse {

class Failure {
 public:
  // The token is the parser's current one, the construct the rule that it is in.
  Failure(antlr4::Parser& parser, Reporter& reporter);

  void Explain();

 private:
  // One for each construct; false where the general words do.
  bool ExplainWrongPlace();
  bool ExplainStatement();
  bool ExplainBeforeArrow();
  bool ExplainAfterTarget();
  bool ExplainMapHead();
  bool ExplainDeclaration();
  bool ExplainPlace();
  bool ExplainRole();
  bool ExplainEquation();
  bool ExplainEntry();
  bool ExplainRange();
  bool ExplainCondition();
  bool ExplainType();
  bool ExplainExpression();
  void ExplainAnything();

  // ------------------------------------------------------------ the rule

  size_t Rule() const { return parser_.getContext()->getRuleIndex(); }
  // Whether the rule, or one around it in the same item, is `rule`.
  bool In(size_t rule) const;
  // What the parser waits for, if that is one thing: "a name".
  std::string Due() const;

  // ------------------------------------------------------------ the token, the one before it, and their line

  size_t Type() const { return token_->getType(); }
  size_t TypeBefore() const { return before_ == nullptr ? 0 : before_->getType(); }
  static bool IsArrow(size_t type);
  bool IsArrow() const { return IsArrow(Type()); }
  bool IsName() const { return Type() == AoaParser::NAME || Type() == AoaParser::STRING; }
  // The token ends the line, or what can be said of it: blocks begin and end there.
  bool AtEnd() const;
  // The token before ends a value of an expression.
  bool AfterValue() const;
  const antlr4::Token* First() const;
  // The last token before this one of one of the types, in the line; null if there is none.
  const antlr4::Token* Earlier(std::initializer_list<size_t> types) const;
  const antlr4::Token* EarlierArrow() const;
  bool ArrowFollows() const;

  // ------------------------------------------------------------ messages

  std::string_view TextOf(const antlr4::Token* token) const;
  std::string Shown() const { return Quote(TextOf(token_)); }
  std::string ShownBefore() const { return Quote(TextOf(before_)); }
  SourceRange Range(const antlr4::Token* token) const { return reporter_.Range(BeginOf(token), EndOf(token)); }
  // At the token; where that is the end of a line, at the place after the last one.
  diag::Diagnostic& Error(std::string message, diag::Code code = diag::Code::kSyntax);

  antlr4::Parser& parser_;
  Reporter& reporter_;
  const antlr4::Token* token_;
  const antlr4::Token* before_;  // null at the beginning of a line
};

}  // namespace aoa::parse
