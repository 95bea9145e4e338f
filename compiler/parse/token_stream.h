// The tokens of a file as the input of a generated parser. ANTLR's own streams take each token from the heap, and four
// times the memory: a hostile file has millions.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/parse/antlr.h"
#include "compiler/parse/token.h"

namespace aoa::parse {

// A Token with ANTLR's interface. Its line is the logical line. Its text nobody asks for: that is a range of the
// source.
class StreamToken final : public antlr4::Token {
 public:
  StreamToken(const parse::Token& token, uint32_t index) : token_(token), index_(index) {}

  std::string getText() const override { return ""; }
  size_t getType() const override { return token_.type == kEof ? antlr4::Token::EOF : token_.type; }
  size_t getLine() const override { return token_.line; }
  size_t getCharPositionInLine() const override { return 0; }
  size_t getChannel() const override { return antlr4::Token::DEFAULT_CHANNEL; }
  size_t getTokenIndex() const override { return index_; }
  size_t getStartIndex() const override { return token_.begin; }
  size_t getStopIndex() const override { return size_t{token_.end} - 1; }
  antlr4::TokenSource* getTokenSource() const override { return nullptr; }
  antlr4::CharStream* getInputStream() const override { return nullptr; }
  std::string toString() const override { return ""; }

 private:
  parse::Token token_;
  uint32_t index_;
};

// The bytes of a token.
inline size_t BeginOf(const antlr4::Token* token) { return token->getStartIndex(); }
inline size_t EndOf(const antlr4::Token* token) { return token->getStopIndex() + 1; }

class TokenStream final : public antlr4::TokenStream {
 public:
  explicit TokenStream(const std::vector<parse::Token>& tokens) {
    tokens_.reserve(tokens.size());
    for (const parse::Token& token : tokens) tokens_.emplace_back(token, static_cast<uint32_t>(tokens_.size()));
  }

  // LT(1) is the current token, LT(-1) the one before it.
  antlr4::Token* LT(ssize_t offset) override {
    if (offset < 0) return static_cast<size_t>(-offset) > at_ ? nullptr : &tokens_[at_ - static_cast<size_t>(-offset)];
    return &tokens_[std::min(at_ + static_cast<size_t>(offset) - 1, tokens_.size() - 1)];
  }
  size_t LA(ssize_t offset) override { return LT(offset)->getType(); }
  antlr4::Token* get(size_t index) const override { return const_cast<StreamToken*>(&tokens_[index]); }
  void consume() override { at_ = std::min(at_ + 1, tokens_.size() - 1); }
  size_t index() override { return at_; }
  void seek(size_t index) override { at_ = index; }
  size_t size() override { return tokens_.size(); }
  ssize_t mark() override { return -1; }
  void release(ssize_t) override {}

  antlr4::TokenSource* getTokenSource() const override { return nullptr; }
  std::string getSourceName() const override { return ""; }
  std::string getText(const antlr4::misc::Interval&) override { return ""; }
  std::string getText() override { return ""; }
  std::string getText(antlr4::RuleContext*) override { return ""; }
  std::string getText(antlr4::Token*, antlr4::Token*) override { return ""; }

 private:
  std::vector<StreamToken> tokens_;  // the last one is EOF
  size_t at_ = 0;
};

}  // namespace aoa::parse
