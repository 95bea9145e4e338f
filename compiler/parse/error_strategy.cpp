#include "compiler/parse/error_strategy.h"

#include "compiler/parse/explain.h"

namespace aoa::parse {
namespace {

using antlr4::Parser;

enum class Kind {
  kWhole,  // the file
  kBody,   // a rule whose loop runs over the lines of a block
  kLine,   // ends in END, or before one
  kHead,   // stands before a `{`
  kPart,
};

Kind KindOf(size_t rule) {
  switch (rule) {
    case AoaParser::RuleFile:
    case AoaParser::RuleLoneExpression:
      return Kind::kWhole;
    case AoaParser::RuleFamilyLine:
    case AoaParser::RuleImportLine:
    case AoaParser::RuleDefaultEnd:
    case AoaParser::RuleConfigEntry:
    case AoaParser::RuleEquation:
    case AoaParser::RuleFormatLine:
    case AoaParser::RuleMeshLine:
    case AoaParser::RuleOverlayLine:
    case AoaParser::RulePlaceLine:
    case AoaParser::RuleRoleLine:
    case AoaParser::RuleZeroLine:
    case AoaParser::RuleRemoveLine:
    case AoaParser::RuleDeclaration:
    case AoaParser::RuleStatement:
    case AoaParser::RuleSideIf:
    case AoaParser::RuleMapIf:
      return Kind::kLine;
    case AoaParser::RuleDefaultHead:
    case AoaParser::RuleDimsHead:
    case AoaParser::RuleSideHead:
    case AoaParser::RuleConfigHead:
    case AoaParser::RuleMapHead:
    case AoaParser::RuleForHead:
    case AoaParser::RuleIfHead:
    case AoaParser::RuleElseIfHead:
      return Kind::kHead;
    case AoaParser::RuleDefaultBlock:
    case AoaParser::RuleDimsBlock:
    case AoaParser::RuleSideBlock:
    case AoaParser::RuleConfigBlock:
    case AoaParser::RuleSideFor:
    case AoaParser::RuleMapBlock:
    case AoaParser::RuleMapFor:
      return Kind::kBody;
    default:
      return Kind::kPart;
  }
}

// The bodies of `if` and `else` hold lines, but end in `}`: the rest of their line is the whole if's.
bool IsBody(size_t rule) {
  return KindOf(rule) == Kind::kBody || rule == AoaParser::RuleFile || rule == AoaParser::RuleSideBody ||
         rule == AoaParser::RuleMapBody;
}

}  // namespace

void ErrorStrategy::sync(Parser* parser) {
  if (!IsBody(parser->getContext()->getRuleIndex())) return;
  const antlr4::atn::ATN& atn = parser->getATN();
  antlr4::atn::ATNState* state = atn.states[parser->getState()];
  if (reporter_.closed()) return SkipAll(parser);
  for (;;) {
    size_t next = parser->getTokenStream()->LA(1);
    bool ends = next == antlr4::Token::EOF || next == AoaParser::RBRACE;
    if (ends || atn.nextTokens(state).contains(next)) return;
    Report(parser);
    SkipLine(parser);
  }
}

antlr4::Token* ErrorStrategy::recoverInline(Parser* parser) { throw antlr4::InputMismatchException(parser); }

void ErrorStrategy::reportError(Parser* parser, const antlr4::RecognitionException&) { Report(parser); }

void ErrorStrategy::recover(Parser* parser, std::exception_ptr mistake) {
  switch (KindOf(parser->getContext()->getRuleIndex())) {
    case Kind::kWhole:
      return SkipAll(parser);
    case Kind::kBody:
    case Kind::kLine:
      return SkipLine(parser);
    case Kind::kHead:
      return SkipHead(parser);
    case Kind::kPart:
      std::rethrow_exception(mistake);
  }
}

void ErrorStrategy::Report(Parser* parser) {
  size_t line = parser->getCurrentToken()->getLine();
  // The END of a line is of the line, and so is what a line lacks before it.
  if (tokens_.broken[line]) return;
  tokens_.broken[line] = true;
  Explain(*parser, reporter_);
}

// Past the END of the line, and of all blocks that it opens; but not past the `}` of the block that it is in.
void ErrorStrategy::SkipLine(Parser* parser) {
  antlr4::TokenStream* tokens = parser->getTokenStream();
  for (size_t depth = 0;; tokens->consume()) {
    size_t next = tokens->LA(1);
    if (next == antlr4::Token::EOF || (next == AoaParser::RBRACE && depth == 0)) return;
    if (next == AoaParser::LBRACE) ++depth;
    if (next == AoaParser::RBRACE) --depth;
    if (next == AoaParser::END && depth == 0) return tokens->consume();
  }
}

void ErrorStrategy::SkipHead(Parser* parser) {
  antlr4::TokenStream* tokens = parser->getTokenStream();
  auto ends = [](size_t next) {
    return next == antlr4::Token::EOF || next == AoaParser::LBRACE || next == AoaParser::RBRACE ||
           next == AoaParser::END;
  };
  while (!ends(tokens->LA(1))) tokens->consume();
}

void ErrorStrategy::SkipAll(Parser* parser) {
  while (parser->getTokenStream()->LA(1) != antlr4::Token::EOF) parser->getTokenStream()->consume();
}

}  // namespace aoa::parse
