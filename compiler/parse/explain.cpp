#include "compiler/parse/explain.h"

#include <algorithm>

#include "compiler/diag/suggest.h"
#include "compiler/parse/characters.h"
#include "compiler/parse/token_stream.h"
#include "compiler/parse/words.h"

namespace aoa::parse {
namespace {

using diag::Code;
using diag::Diagnostic;

// A token that does not fit, and what the messages say about it.
class Failure {
 public:
  Failure(antlr4::Parser& parser, Reporter& reporter)
      : parser_(parser), reporter_(reporter), token_(parser.getCurrentToken()), before_(parser.getTokenStream()->LT(-1)) {
    // A token of another line is no help to the reader, nor is the `{` or the `}` before the first of this one.
    if (before_ != nullptr && before_->getLine() != token_->getLine()) before_ = nullptr;
  }

  void Explain();

 private:
  // By the construct that the token is in; false where the general words do.
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

  bool In(size_t rule) const;
  bool InAny(std::initializer_list<size_t> rules) const;
  size_t Type() const { return token_->getType(); }
  size_t TypeBefore() const { return before_ == nullptr ? 0 : before_->getType(); }
  static bool IsArrow(size_t type) { return type == AoaParser::BOTH || type == AoaParser::RIGHT || type == AoaParser::LEFT; }
  bool IsArrow() const { return IsArrow(Type()); }
  bool IsName() const { return Type() == AoaParser::NAME || Type() == AoaParser::STRING; }
  // Whether the token before ends a value of an expression.
  bool AfterValue() const;
  size_t Rule() const { return parser_.getContext()->getRuleIndex(); }
  bool AtEnd() const { return BeginOf(token_) == EndOf(token_) || Type() == AoaParser::LBRACE || Type() == AoaParser::RBRACE; }
  std::string_view TextOf(const antlr4::Token* token) const;
  std::string Shown() const { return Quote(TextOf(token_)); }
  std::string ShownBefore() const { return Quote(TextOf(before_)); }
  // The first token of the line, and whether a token of the type comes later in it.
  const antlr4::Token* First() const;
  const antlr4::Token* Earlier(std::initializer_list<size_t> types) const;
  bool Later(std::initializer_list<size_t> types) const;
  SourceRange Range(const antlr4::Token* token) const { return reporter_.Range(BeginOf(token), EndOf(token)); }
  // The token; where it is the end of a line, the place after the last one.
  SourceRange Here() const { return Range(token_); }
  Diagnostic& Error(std::string message, Code code = Code::kSyntax);
  std::string Due() const;

  antlr4::Parser& parser_;
  Reporter& reporter_;
  antlr4::Token* token_;
  const antlr4::Token* before_;
};

// ---------------------------------------------------------------- looking around

bool Failure::In(size_t rule) const {
  for (auto* at = static_cast<antlr4::tree::ParseTree*>(parser_.getContext()); at != nullptr; at = at->parent) {
    if (static_cast<antlr4::ParserRuleContext*>(at)->getRuleIndex() == rule) return true;
  }
  return false;
}

bool Failure::InAny(std::initializer_list<size_t> rules) const {
  for (size_t rule : rules) {
    if (In(rule)) return true;
  }
  return false;
}

std::string_view Failure::TextOf(const antlr4::Token* token) const {
  return std::string_view(reporter_.file().text()).substr(BeginOf(token), EndOf(token) - BeginOf(token));
}

const antlr4::Token* Failure::First() const {
  antlr4::TokenStream* tokens = parser_.getTokenStream();
  const antlr4::Token* first = token_;
  for (ssize_t i = 1; static_cast<size_t>(i) <= token_->getTokenIndex(); ++i) {
    const antlr4::Token* token = tokens->LT(-i);
    if (token->getLine() != token_->getLine()) break;
    first = token;
  }
  return first;
}

const antlr4::Token* Failure::Earlier(std::initializer_list<size_t> types) const {
  antlr4::TokenStream* tokens = parser_.getTokenStream();
  for (ssize_t i = 1; static_cast<size_t>(i) <= token_->getTokenIndex(); ++i) {
    const antlr4::Token* token = tokens->LT(-i);
    if (token->getLine() != token_->getLine()) break;
    if (std::find(types.begin(), types.end(), token->getType()) != types.end()) return token;
  }
  return nullptr;
}

bool Failure::Later(std::initializer_list<size_t> types) const {
  antlr4::TokenStream* tokens = parser_.getTokenStream();
  for (ssize_t i = 1;; ++i) {
    const antlr4::Token* token = tokens->LT(i);
    if (token->getType() == antlr4::Token::EOF || token->getLine() != token_->getLine()) return false;
    if (std::find(types.begin(), types.end(), token->getType()) != types.end()) return true;
  }
}

// A line that goes on behind a comma or an arrow may have been meant to end there.
Diagnostic& Failure::Error(std::string message, Code code) {
  Diagnostic& d = reporter_.Error(code, Here(), std::move(message));
  antlr4::TokenStream* tokens = parser_.getTokenStream();
  for (size_t i = token_->getTokenIndex(); i-- > 0 && tokens->get(i)->getLine() == token_->getLine();) {
    const antlr4::Token* token = tokens->get(i);
    size_t end = EndOf(token);
    std::string_view gap = std::string_view(reporter_.file().text()).substr(end, BeginOf(tokens->get(i + 1)) - end);
    if (gap.find_first_of("\r\n") == std::string_view::npos) continue;
    if (token->getType() == AoaParser::COMMA || IsArrow(token->getType())) d.Also(Range(token), "the line goes on behind this");
    break;
  }
  return d;
}

bool Failure::AfterValue() const {
  switch (TypeBefore()) {
    case AoaParser::NUMBER:
    case AoaParser::STRING:
    case AoaParser::TRUE:
    case AoaParser::FALSE:
    case AoaParser::CONFIG_KEY:
    case AoaParser::IDENT:
    case AoaParser::RPAREN: return true;
    default: return false;
  }
}

// What the parser waits for, if that is one thing.
std::string Failure::Due() const {
  size_t rule = Rule();
  if (rule == AoaParser::RuleWord) return TypeBefore() == AoaParser::COLON ? "an element type" : "a name";
  if (rule == AoaParser::RuleTensorName) return "a name";
  if (rule == AoaParser::RuleArrow) return "an arrow";
  antlr4::misc::IntervalSet expected = parser_.getExpectedTokens();
  if (expected.size() != 1) return "";
  switch (expected.getSingleElement()) {
    case AoaParser::IDENT:
    case AoaParser::NAME: return "a name";
    case AoaParser::NUMBER: return "a number";
    case AoaParser::STRING: return "text in double quotes";
    case AoaParser::LBRACE: return "`{`";
    case AoaParser::LBRACKET: return "`[`";
    case AoaParser::LPAREN: return "`(`";
    case AoaParser::EQUAL: return "`=`";
    case AoaParser::COMMA: return "a comma";
    case AoaParser::ON: return "`on`";
    case AoaParser::OF: return "`of`";
    case AoaParser::BY: return "`by`";
    case AoaParser::IN: return "`in`";
    case AoaParser::RANGE: return "`..`";
    default: return "";
  }
}

// ---------------------------------------------------------------- the words

void Failure::Explain() {
  if (ExplainWrongPlace()) return;
  if (InAny({AoaParser::RuleBracket, AoaParser::RuleTypeAxis}) && ExplainType()) return;
  if (InAny({AoaParser::RuleIfHead, AoaParser::RuleElseIfHead, AoaParser::RuleSideBody, AoaParser::RuleMapBody}) && ExplainCondition()) return;
  if (In(AoaParser::RuleForHead) && ExplainRange()) return;
  if (InAny({AoaParser::RuleEquation, AoaParser::RuleDimsBlock}) && ExplainEquation()) return;
  if (InAny({AoaParser::RuleExpression, AoaParser::RuleEquation, AoaParser::RuleSideBody, AoaParser::RuleMapBody}) && ExplainExpression()) return;
  if (InAny({AoaParser::RuleConfigBlock, AoaParser::RuleDefaultBlock}) && ExplainEntry()) return;
  if (In(AoaParser::RulePlaceLine) && ExplainPlace()) return;
  if (In(AoaParser::RuleRoleLine) && ExplainRole()) return;
  if (In(AoaParser::RuleDeclaration) && ExplainDeclaration()) return;
  if (In(AoaParser::RuleStatement) && ExplainStatement()) return;
  if (In(AoaParser::RuleMapHead) && ExplainMapHead()) return;
  ExplainAnything();
}

// Tokens that tell by themselves what is wrong, wherever they are.
bool Failure::ExplainWrongPlace() {
  if (Type() == AoaParser::QUOTED_VALUE) {
    Error("single quotes stand where no value is due").Help("a name with other characters stands in double quotes");
  } else if (Type() == AoaParser::LPAREN && (TypeBefore() == AoaParser::NAME || TypeBefore() == AoaParser::STRING)) {
    Error("`(` follows " + ShownBefore()).Help("a type stands in brackets: `w [x y]`");
  } else if (Type() == AoaParser::KEY && before_ == nullptr) {
    Error("the attribute " + Shown() + " begins a statement").Help("attributes stand after the targets, behind a comma");
  } else if (IsArrow() && before_ == nullptr) {
    Error("a statement begins with an arrow").Help("write `_` for nothing: `_ -> name` creates a tensor");
  } else {
    return false;
  }
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
  if (Earlier({AoaParser::BOTH, AoaParser::RIGHT, AoaParser::LEFT}) == nullptr) {
    if (ExplainBeforeArrow()) return true;
  } else if (ExplainAfterTarget()) {
    return true;
  }
  bool tensor_due = Rule() == AoaParser::RuleTensorName || Rule() == AoaParser::RuleTargetOrAttribute || Rule() == AoaParser::RuleOperand;
  if (!tensor_due || before_ == nullptr) return false;
  Error("no tensor stands after " + ShownBefore());
  return true;
}

bool Failure::ExplainBeforeArrow() {
  if (Type() == AoaParser::KEY) {
    Error("the attribute " + Shown() + " stands before the arrow").Help("attributes stand after the targets, behind a comma");
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
  bool due = IsArrow(TypeBefore()) || TypeBefore() == AoaParser::COMMA || TypeBefore() == AoaParser::EQUAL || TypeBefore() == AoaParser::COLON;
  if (due) return false;
  if (IsArrow()) {
    Error("a second arrow in one statement")
        .Also(Range(Earlier({AoaParser::BOTH, AoaParser::RIGHT, AoaParser::LEFT})), "the first one")
        .Help("a statement ends with its line, unless the line ends in a comma or an arrow");
  } else if (IsName() && Later({AoaParser::BOTH, AoaParser::RIGHT, AoaParser::LEFT})) {
    Error("a second statement on the line of another").Help("a statement ends with its line; begin this one on a new line");
  } else if (IsName() || Type() == AoaParser::KEY) {
    Error(Shown() + " follows " + ShownBefore() + " without a comma").Help("tensors and attributes are separated by commas");
  } else {
    return false;
  }
  return true;
}

bool Failure::ExplainMapHead() {
  if (Rule() != AoaParser::RuleArrow) return false;
  Error("a map without an arrow").Help("write `map a <-> b {`");
  return true;
}

bool Failure::ExplainDeclaration() {
  if (Rule() != AoaParser::RuleDeclaration) return false;
  std::string_view word = TextOf(token_);
  std::string_view head = TextOf(First());
  bool typed = Earlier({AoaParser::LBRACKET}) != nullptr;
  if (IsArrow()) {
    Error("an arrow stands in a side").Help("statements stand in the block of a `map`; a side declares its tensors");
    return true;
  }
  if (Type() == AoaParser::LBRACKET) {
    Error(typed ? "a second type of " + Quote(head) : "a type that does not follow the name of its tensor").Help("a type stands right behind the name: `w [x y] optional`");
    return true;
  }
  if (Type() == AoaParser::COMMA) {
    Error("a comma between tensors").Help("a line declares one tensor, or several by a group: `x.{q,k}`");
    return true;
  }
  if (!IsName() && Type() != AoaParser::INTERLEAVE && Type() != AoaParser::BY) return false;
  auto near_attribute = diag::Nearest(word, Texts(DeclarationWords()));
  auto near_keyword = diag::Nearest(head, Texts(SideWords()));
  if (near_keyword && !typed) {
    reporter_.Error(Code::kKeyword, Range(First()), "unknown keyword " + Quote(head)).Help("a keyword with a near name is " + Quote(*near_keyword));
  } else if (near_attribute) {
    Error("unknown attribute " + Shown() + " of a tensor", Code::kKeyword).Help("an attribute with a near name is " + Quote(*near_attribute));
  } else if (typed) {
    Error(Shown() + " is no attribute of a tensor", Code::kKeyword)
        .Note("the attributes are " + List({"optional", "tied", "on", "blocks of", "replicas mean", "group", "stored"}));
  } else {
    auto& d = Error(Shown() + " follows the tensor " + Quote(head) + " and is no attribute");
    if (Find(TopWords(), head)) d.Help(Quote(head) + " as a keyword stands outside of every block");
    else d.Note("the lines of a side begin with a tensor or with " + List(Texts(SideWords()), " or "));
  }
  return true;
}

bool Failure::ExplainPlace() {
  if (Rule() != AoaParser::RulePlaceLine) return false;
  if (AtEnd() || Earlier({AoaParser::ON}) == nullptr) {
    Error("`place` names no mesh axis").Help("write `place l on pp`");
    return true;
  }
  if (!IsName()) return false;
  auto near = diag::Nearest(TextOf(token_), Texts(PlaceWords()));
  auto& d = Error("unknown word " + Shown() + " in a `place` line", Code::kKeyword);
  if (near) d.Help("a word with a near name is " + Quote(*near));
  else d.Note("a `place` line goes on with " + List({"interleave", "by", "surplus", "numbered locally"}, " or "));
  return true;
}

bool Failure::ExplainRole() {
  if (Type() == AoaParser::EQUAL && First()->getType() == AoaParser::STATE) {
    Error("a `state` has no value").Help("only a `scalar` is computed");
    return true;
  }
  if (Rule() != AoaParser::RuleRoleLine || Earlier({AoaParser::STRING}) != nullptr) return false;
  Error("no template of names stands after " + ShownBefore()).Help("write " + Quote(std::string(TextOf(First())) + " moment1 \"{}.exp_avg\""));
  return true;
}

bool Failure::ExplainEquation() {
  if (Rule() == AoaParser::RuleDimsBlock && before_ == nullptr) {
    Error(Shown() + " begins no equation").Help("write `name = value`");
    return true;
  }
  if (Rule() != AoaParser::RuleEquation) return false;
  bool equal = Earlier({AoaParser::EQUAL, AoaParser::DEFAULT_EQUAL}) != nullptr;
  if (!equal && AtEnd()) {
    reporter_.Error(Code::kSyntax, reporter_.Range(BeginOf(First()), EndOf(before_)), "an equation without `=`").Help("write `name = value`");
  } else if (!equal && Due() != "a name") {
    Error(Shown() + " stands after " + ShownBefore() + ", where `=` is due");
  } else if (equal && First()->getType() == AoaParser::AXIS && (Type() == AoaParser::PLUS || Type() == AoaParser::IDENT)) {
    Error(Shown() + " follows an axis").Help("a sum or a product of axes stands in parentheses: `axis w = (a + b)`");
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

bool Failure::ExplainRange() {
  const antlr4::Token* in = Earlier({AoaParser::IN});
  if (Type() == AoaParser::IN || Earlier({AoaParser::RANGE}) != nullptr || (in && !AfterValue())) return false;
  if (in) Error("a range without `..`").Help("write `for l in 0..k {`");
  else Error(AtEnd() ? "a `for` without a range" : Shown() + " stands after " + ShownBefore() + " in a `for`").Help("write `for l in 0..k {`");
  return true;
}

bool Failure::ExplainCondition() {
  bool empty = AtEnd() && (TypeBefore() == AoaParser::IF || TypeBefore() == AoaParser::ELSE_IF);
  if (Type() == AoaParser::EQUAL) Error("`=` stands in a condition").Help("`==` compares");
  else if (empty) Error("no condition stands after " + ShownBefore());
  else return false;
  return true;
}

bool Failure::ExplainExpression() {
  bool value_due = Rule() == AoaParser::RulePrimary && !AfterValue();
  switch (Type()) {
    case AoaParser::LPAREN:
      if (TypeBefore() == AoaParser::IDENT) {
        auto& d = reporter_.Error(Code::kKeyword, Range(before_), "unknown function " + ShownBefore());
        if (auto near = diag::Nearest(TextOf(before_), Texts(Functions()))) d.Help("a function with a near name is " + Quote(*near));
        else d.Note("the functions are " + List(Texts(Functions())));
        return true;
      }
      break;
    case AoaParser::IS_EQUAL:
    case AoaParser::NOT_EQUAL:
    case AoaParser::LESS:
    case AoaParser::LESS_EQUAL:
    case AoaParser::GREATER:
    case AoaParser::GREATER_EQUAL:
      if (value_due) break;
      Error("a comparison of a comparison").Help("comparisons are joined by `and`");
      return true;
    case AoaParser::COLON:
    case AoaParser::AT:
    case AoaParser::UNKNOWN:
      Error(Shown() + " stands in an expression over numbers").Help("in `dims` an axis is written `axis name = ...`");
      return true;
    default: break;
  }
  if (value_due && before_ != nullptr) {
    Error("no value stands after " + ShownBefore());
  } else if (AfterValue() && !AtEnd() && (Type() == AoaParser::IDENT || Type() == AoaParser::NUMBER || Type() == AoaParser::CONFIG_KEY || Type() == AoaParser::LPAREN)) {
    if (Earlier({AoaParser::EQUAL, AoaParser::DEFAULT_EQUAL, AoaParser::IF, AoaParser::ELSE_IF}) == nullptr) return false;
    Error(Shown() + " follows " + ShownBefore() + " without an operator");
  } else {
    return false;
  }
  return true;
}

bool Failure::ExplainType() {
  if (In(AoaParser::RuleExpression) && Type() != AoaParser::COMMA) return false;
  switch (TypeBefore()) {
    case AoaParser::AT:
    case AoaParser::DOT: Error("no mesh axis stands after " + ShownBefore()).Help("a cut is written `h@tp`"); return true;
    case AoaParser::TILDE: Error("no rounding stands after `~`").Help("blocks are rounded by `~ceil` or `~front`"); return true;
    case AoaParser::COLON: Error("no extent stands after " + ShownBefore()).Help("a literal axis is written `p:2`"); return true;
    default: break;
  }
  bool axis_due = TypeBefore() == AoaParser::LPAREN || TypeBefore() == AoaParser::PLUS;
  if (axis_due && (Type() == AoaParser::COMMA || Type() == AoaParser::PLUS || Type() == AoaParser::RPAREN)) {
    Error("no axis stands after " + ShownBefore());
    return true;
  }
  switch (Type()) {
    case AoaParser::COMMA: Error("a comma between axes").Help("axes stand side by side: `[x y]`"); return true;
    case AoaParser::AT: Error("a second cut of one axis").Help("`h@a.b` cuts by two mesh axes, the first outermost"); return true;
    case AoaParser::PLUS:
      Error("a sum outside parentheses").Help("a sum of axes is one axis: `[(a + b) h]`");
      return true;
    case AoaParser::STAR: Error("`*` between axes").Help("a product is written side by side: `(a b)`"); return true;
    case AoaParser::RPAREN: Error("`pad` without a multiple").Help("write `pad(v, 128)`: up to the next multiple of 128"); return true;
    default: break;
  }
  if (AtEnd() && TypeBefore() == AoaParser::EQUAL) Error("no axis stands after `=`");
  else if (AtEnd()) return false;
  else Error(Shown() + " means nothing in a type");
  return true;
}

void Failure::ExplainAnything() {
  std::string due = Due();
  bool listed = InAny({AoaParser::RuleMeshLine, AoaParser::RuleOverlayLine}) && IsName();
  if (before_ == nullptr) {
    Error(Shown() + " begins no line here");
  } else if (listed) {
    Error(Shown() + " follows " + ShownBefore() + " without a comma");
  } else if (!due.empty()) {
    Diagnostic& d = Error(AtEnd() ? "the line ends after " + ShownBefore() + ", where " + due + " is due"
                                  : Shown() + " stands after " + ShownBefore() + ", where " + due + " is due");
    if (First()->getType() == AoaParser::IMPORT) d.Help("write `import \"llama.aoa\"`");
  } else if (AtEnd()) {
    Error("the line ends too early, after " + ShownBefore());
  } else if (parser_.getExpectedTokens().contains(size_t{AoaParser::END})) {
    Error(Shown() + " follows " + ShownBefore() + ", where the line should end");
  } else {
    Error(Shown() + " means nothing after " + ShownBefore());
  }
}

}  // namespace

void Explain(antlr4::Parser& parser, Reporter& reporter) { Failure(parser, reporter).Explain(); }

}  // namespace aoa::parse
