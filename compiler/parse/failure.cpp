// Looking around the token.
#include <algorithm>

#include "compiler/parse/failure.h"

#include "compiler/parse/words.h"

namespace aoa::parse {

using diag::Diagnostic;

Failure::Failure(antlr4::Parser& parser, Reporter& reporter)
    : parser_(parser), reporter_(reporter), token_(parser.getCurrentToken()), before_(parser.getTokenStream()->LT(-1)) {
  if (before_ != nullptr && before_->getLine() != token_->getLine()) before_ = nullptr;
}

bool Failure::In(size_t rule) const {
  for (auto* at = static_cast<antlr4::tree::ParseTree*>(parser_.getContext()); at != nullptr; at = at->parent) {
    size_t here = static_cast<antlr4::ParserRuleContext*>(at)->getRuleIndex();
    if (here == rule) return true;
    // Around an item is the block that holds it, of which the line is no part.
    if (here == AoaParser::RuleSideItem || here == AoaParser::RuleMapItem) return false;
  }
  return false;
}

bool Failure::IsArrow(size_t type) {
  return type == AoaParser::BOTH || type == AoaParser::RIGHT || type == AoaParser::LEFT;
}

bool Failure::AtEnd() const {
  return BeginOf(token_) == EndOf(token_) || Type() == AoaParser::LBRACE || Type() == AoaParser::RBRACE;
}

std::string_view Failure::TextOf(const antlr4::Token* token) const {
  return std::string_view(reporter_.file().text()).substr(BeginOf(token), EndOf(token) - BeginOf(token));
}

const antlr4::Token* Failure::First() const {
  antlr4::TokenStream* tokens = parser_.getTokenStream();
  size_t first = token_->getTokenIndex();
  while (first > 0 && tokens->get(first - 1)->getLine() == token_->getLine()) --first;
  return tokens->get(first);
}

const antlr4::Token* Failure::Earlier(std::initializer_list<size_t> types) const {
  antlr4::TokenStream* tokens = parser_.getTokenStream();
  for (size_t i = token_->getTokenIndex(); i-- > 0 && tokens->get(i)->getLine() == token_->getLine();) {
    if (std::find(types.begin(), types.end(), tokens->get(i)->getType()) != types.end()) return tokens->get(i);
  }
  return nullptr;
}

const antlr4::Token* Failure::EarlierArrow() const {
  return Earlier({AoaParser::BOTH, AoaParser::RIGHT, AoaParser::LEFT});
}

bool Failure::ArrowFollows() const {
  antlr4::TokenStream* tokens = parser_.getTokenStream();
  for (size_t i = token_->getTokenIndex(); i < tokens->size() && tokens->get(i)->getLine() == token_->getLine(); ++i) {
    if (IsArrow(tokens->get(i)->getType())) return true;
  }
  return false;
}

// A line that goes on behind a comma or an arrow may have been meant to end there.
Diagnostic& Failure::Error(std::string message, diag::Code code) {
  Diagnostic& d = reporter_.Error(code, Range(token_), std::move(message));
  antlr4::TokenStream* tokens = parser_.getTokenStream();
  for (size_t i = token_->getTokenIndex(); i-- > 0 && tokens->get(i)->getLine() == token_->getLine();) {
    const antlr4::Token* token = tokens->get(i);
    size_t end = EndOf(token);
    std::string_view gap = std::string_view(reporter_.file().text()).substr(end, BeginOf(tokens->get(i + 1)) - end);
    if (gap.find_first_of("\r\n") == std::string_view::npos) continue;
    if (token->getType() == AoaParser::COMMA || IsArrow(token->getType()))
      d.Also(Range(token), "the line goes on behind this");
    break;
  }
  return d;
}

bool Failure::AfterValue() const { return EndsValue(TypeBefore()); }

std::string Failure::Due() const {
  size_t rule = Rule();
  if (rule == AoaParser::RuleWord) return TypeBefore() == AoaParser::COLON ? "an element type" : "a name";
  if (rule == AoaParser::RuleTensorName) return "a name";
  if (rule == AoaParser::RuleArrow) return "an arrow";
  antlr4::misc::IntervalSet expected = parser_.getExpectedTokens();
  if (expected.size() != 1) return "";
  switch (expected.getSingleElement()) {
    case AoaParser::IDENT:
    case AoaParser::NAME:
      return "a name";
    case AoaParser::NUMBER:
      return "a number";
    case AoaParser::STRING:
      return "text in double quotes";
    case AoaParser::LBRACE:
      return "`{`";
    case AoaParser::LBRACKET:
      return "`[`";
    case AoaParser::LPAREN:
      return "`(`";
    case AoaParser::EQUAL:
      return "`=`";
    case AoaParser::COMMA:
      return "a comma";
    case AoaParser::ON:
      return "`on`";
    case AoaParser::OF:
      return "`of`";
    case AoaParser::BY:
      return "`by`";
    case AoaParser::IN:
      return "`in`";
    case AoaParser::RANGE:
      return "`..`";
    default:
      return "";
  }
}

}  // namespace aoa::parse
