// What the parser does at a token that fits no rule: it says so once for the line, in our words, and goes on behind
// the line.
#pragma once

#include "compiler/parse/antlr.h"
#include "compiler/parse/reporter.h"
#include "compiler/parse/token.h"

namespace aoa::parse {

class ErrorStrategy final : public antlr4::DefaultErrorStrategy {
 public:
  ErrorStrategy(Tokens& tokens, Reporter& reporter) : tokens_(tokens), reporter_(reporter) {}

  // Before every round of a loop. In the body of a block a line that nothing can begin is skipped here.
  void sync(antlr4::Parser* parser) override;
  // A token other than the only one that could come.
  antlr4::Token* recoverInline(antlr4::Parser* parser) override;
  void reportError(antlr4::Parser* parser, const antlr4::RecognitionException& mistake) override;
  // Ends the rule of a line after its line, that of a block's head before its `{`; leaves all other rules.
  void recover(antlr4::Parser* parser, std::exception_ptr mistake) override;
  void reportMatch(antlr4::Parser*) override {}
  bool inErrorRecoveryMode(antlr4::Parser*) override { return false; }

 private:
  void Report(antlr4::Parser* parser);
  void SkipLine(antlr4::Parser* parser);
  void SkipHead(antlr4::Parser* parser);
  void SkipAll(antlr4::Parser* parser);

  Tokens& tokens_;
  Reporter& reporter_;
};

}  // namespace aoa::parse
