// The tokens of a file, handed to a generated parser.
#pragma once

#include "compiler/parse/antlr.h"
#include "compiler/parse/token.h"

namespace aoa::parse {

// Lines of ANTLR tokens are logical lines.
class TokenSource final : public antlr4::TokenSource {
 public:
  explicit TokenSource(const Tokens& tokens) : tokens_(tokens) {}

  std::unique_ptr<antlr4::Token> nextToken() override {
    const Token& token = tokens_.all[next_];
    auto out = std::make_unique<antlr4::CommonToken>(token.type == kEof ? antlr4::Token::EOF : token.type);
    out->setStartIndex(token.begin);
    out->setStopIndex(size_t{token.end} - 1);
    out->setLine(token.line);
    if (next_ + 1 < tokens_.all.size()) ++next_;  // asked again at the end, it stays there
    return out;
  }
  size_t getLine() const override { return 0; }
  size_t getCharPositionInLine() override { return 0; }
  antlr4::CharStream* getInputStream() override { return nullptr; }
  std::string getSourceName() override { return ""; }
  antlr4::TokenFactory<antlr4::CommonToken>* getTokenFactory() override { return nullptr; }

 private:
  const Tokens& tokens_;
  size_t next_ = 0;
};

// The bytes of a token of this source.
inline size_t BeginOf(const antlr4::Token* token) { return token->getStartIndex(); }
inline size_t EndOf(const antlr4::Token* token) { return token->getStopIndex() + 1; }

}  // namespace aoa::parse
