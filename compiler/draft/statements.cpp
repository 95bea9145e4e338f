// The engine's own lexis and grammar, as far as they tell where a statement ends.
//
//     statement = name {"," name} "->" name {"," name} {"," key "=" value}
//
// Blanks are skipped, and nothing need stand between two statements.
#include <algorithm>

#include "compiler/draft/aoa_config.h"
#include "compiler/parse/characters.h"

namespace aoa::draft {
namespace {

using parse::IsDigit;
using parse::IsLetter;

struct Token {
  enum class Kind { kName, kNumber, kText, kArrow, kSign };
  Kind kind = Kind::kSign;
  size_t begin = 0, end = 0;
  char sign = '\0';
};

bool InName(char c) { return IsLetter(c) || IsDigit(c) || c == '.' || c == '$' || c == '*' || c == '^'; }

// Nothing if a character means nothing to the engine.
std::optional<std::vector<Token>> Tokenize(std::string_view text) {
  std::vector<Token> tokens;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    char c = text[at++];
    Token token{Token::Kind::kSign, begin, at, c};
    auto run = [&](auto belongs) {
      while (at < text.size() && belongs(text[at])) ++at;
      token.end = at;
    };
    if (c == ' ' || c == '\t') continue;
    if (c == '-' && at < text.size() && text[at] == '>') {
      token.kind = Token::Kind::kArrow;
      token.end = ++at;
    } else if (IsDigit(c)) {
      token.kind = Token::Kind::kNumber;
      run(IsDigit);
    } else if (c == '"' || c == '\'') {
      token.kind = Token::Kind::kText;
      at = std::min(text.find(c, at), text.size() - 1) + 1;
      token.end = at;
    } else if (IsLetter(c)) {
      token.kind = Token::Kind::kName;
      run(InName);
    } else if (std::string_view("=:[],").find(c) == std::string_view::npos) {
      return std::nullopt;
    }
    tokens.push_back(token);
  }
  return tokens;
}

class Splitter {
 public:
  explicit Splitter(const std::vector<Token>& tokens) : tokens_(tokens) {}

  // Where each statement begins and ends; empty if the tokens are no statements.
  std::vector<std::pair<size_t, size_t>> Split() {
    std::vector<std::pair<size_t, size_t>> found;
    while (at_ < tokens_.size()) {
      size_t begin = at_;
      if (!Names() || !Take(Token::Kind::kArrow) || !Names() || !Attributes()) return {};
      found.emplace_back(tokens_[begin].begin, tokens_[at_ - 1].end);
    }
    return found;
  }

 private:
  bool Is(size_t at, Token::Kind kind) const { return at < tokens_.size() && tokens_[at].kind == kind; }
  bool IsSign(size_t at, char sign) const { return Is(at, Token::Kind::kSign) && tokens_[at].sign == sign; }
  bool Take(Token::Kind kind) { return Is(at_, kind) && ++at_ > 0; }

  bool Names() {
    while (true) {
      if (!Take(Token::Kind::kName)) return false;
      if (IsSign(at_, '[')) {  // name[0:3]
        if (!Is(at_ + 1, Token::Kind::kNumber) || !IsSign(at_ + 2, ':') || !Is(at_ + 3, Token::Kind::kNumber) ||
            !IsSign(at_ + 4, ']'))
          return false;
        at_ += 5;
      }
      bool attribute = Is(at_ + 1, Token::Kind::kName) && IsSign(at_ + 2, '=');
      if (!IsSign(at_, ',') || attribute) return true;
      ++at_;
    }
  }

  bool Attributes() {
    while (IsSign(at_, ',')) {
      bool flag = Is(at_ + 1, Token::Kind::kName) && !IsSign(at_ + 2, '=');
      if (!Is(at_ + 1, Token::Kind::kName)) return false;
      if (flag) {
        at_ += 2;
        continue;
      }
      if (!Is(at_ + 3, Token::Kind::kNumber) && !Is(at_ + 3, Token::Kind::kText) && !Is(at_ + 3, Token::Kind::kName))
        return false;
      at_ += 4;
    }
    return true;
  }

  const std::vector<Token>& tokens_;
  size_t at_ = 0;
};

}  // namespace

std::vector<std::pair<size_t, size_t>> SplitStatements(std::string_view text) {
  std::vector<std::pair<size_t, size_t>> whole = {{0, text.size()}};
  auto tokens = Tokenize(text);
  if (!tokens) return whole;
  auto found = Splitter(*tokens).Split();
  return found.empty() ? whole : found;
}

}  // namespace aoa::draft
