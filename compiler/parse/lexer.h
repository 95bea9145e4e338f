// Text to tokens: the generated lexer, and what a regular lexer cannot know.
//
// - Inside names `-`, `.`, `/` and `*` are letters, inside expressions operators: the mode follows from the place.
// - A word is a keyword by its place only. `format hf` begins a line of a side, `format [h]` declares a tensor.
// - A line end ends an item, unless a bracket is open, the line ends in an arrow or a comma, or the next one begins
//   with one. What remains is END, also before the `}` of `{ item }`.
// - Brackets and blocks that do not match are mistakes that only a whole line, or more, shows. They are found here:
//   the text is read on as if they did match, and the parser never sees the gap.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "compiler/parse/byte_stream.h"
#include "compiler/parse/reporter.h"
#include "compiler/parse/token.h"
#include "compiler/parse/words.h"

namespace aoa::parse {

class Lexer {
 public:
  // Brackets, parentheses and blocks that may be open at once.
  static constexpr size_t kDeepest = 64;
  // Tokens of a file. They bound the memory that a hostile file takes; rules of this length nobody writes.
  static constexpr size_t kMostTokens = 2'000'000;

  // Reads bytes [begin, end) of the reporter's file.
  Lexer(Reporter& reporter, size_t begin, size_t end);

  // As a file, or as an expression alone.
  Tokens ReadFile();
  Tokens ReadExpression();

 private:
  enum class Block { kDefault, kDims, kSide, kMap, kConfig, kUnknown };
  struct OpenBlock {
    Block kind;
    uint32_t brace;       // its `{`
    uint32_t head_begin;  // the words before it
    uint32_t head_end;
  };
  struct Bracket {
    bool square;
    uint32_t begin;
  };

  // lexer.cpp: the loop, modes and lines
  void Run();
  Token Next();
  size_t Mode() const;
  void Dispatch(Token token);
  void Push(Token token);
  void PushEmpty(size_t type, size_t at);
  void OnNewline(const Token& token);
  bool GoesOn(size_t next) const;
  bool FollowsBlock(const Token& token) const;
  bool IsElse(size_t at) const;
  void EndLine();
  void StartLine();
  void DropRest();
  void Seek(size_t at);
  void Finish(const Token& eof);

  // lexer_words.cpp: types of words
  size_t NameWord(const Token& token);
  size_t TopHead(const Token& token);
  size_t SideHead(const Token& token);
  size_t MapHead(const Token& token);
  size_t NearBlockHead(const Token& token, std::vector<std::string> words);
  size_t SideWord(const Token& token);
  size_t MapWord(const Token& token);
  size_t DefaultWord(const Token& token);
  size_t ExpressionWord(const Token& token);
  bool TensorFollows(const Token& token) const;
  bool AttributeFollows(const Token& token) const;
  bool BlockFollows(const Token& token) const;
  bool IsTopHead(const Token& token) const;
  void OnWord(Token token);

  // lexer_blocks.cpp: brackets and blocks
  void OnOpenBracket(const Token& token);
  void OnCloseBracket(const Token& token);
  void OnOpenBrace(const Token& token);
  std::optional<Block> BlockOfHead() const;
  void OnCloseBrace(const Token& token);
  bool IsOfName(const Token& token) const;
  void BraceInName(const Token& token);
  bool EndsBrackets(const Token& token);
  bool ClosedOnLine(const Token& token);
  void Unclosed(const Token& token);
  void BlocksUnclosed(SourceRange stop, std::string text);
  bool TooDeep(const Token& token);
  bool InType() const;

  // lexer_mistakes.cpp: characters that mean nothing, quotes
  void OnStray(const Token& token);
  void OnOpenString(const Token& token);
  void CheckText(size_t begin, size_t end);
  diag::Diagnostic& Mistake(diag::Code code, size_t begin, size_t end, std::string message);

  Block block() const { return blocks_.back().kind; }
  bool AtTop() const { return blocks_.empty(); }
  bool Dropping() const { return dropped_ || (!AtTop() && block() == Block::kUnknown); }
  std::string_view TextOf(const Token& token) const { return text_.substr(token.begin, token.end - token.begin); }
  char CharAt(size_t at) const { return at < end_ ? text_[at] : '\0'; }
  // The next character on the line after blanks; a line end, a comment and the end of the text are '\n'.
  char Peek(size_t at) const;
  size_t PeekWord(size_t at, std::string_view* word) const;
  // The end of the line that holds `at`. Asked again and again for one line, so it is remembered.
  size_t LineEnd(size_t at);

  Reporter& reporter_;
  std::string_view text_;
  size_t begin_;
  size_t end_;
  ByteStream bytes_;
  AoaLexer lexer_;

  Tokens tokens_;
  std::vector<OpenBlock> blocks_;
  std::vector<Bracket> brackets_;
  size_t line_from_ = 1;  // LineEnd of everything from here to line_end_; nothing yet
  size_t line_end_ = 0;
  size_t closes_at_ = 0;        // what ClosedOnLine found last
  uint32_t closed_inside_ = 0;  // the last bracket that was closed inside an open one
  bool stopped_ = false;        // at the end of the text, or of our patience

  // The logical line that is being read.
  size_t head_ = 0;  // the type of its first token; RBRACE after a block
  uint32_t head_begin_ = 0;
  size_t last_ = 0;  // the type of its last token, 0 while it is empty
  uint32_t last_end_ = 0;
  size_t count_ = 0;         // of its tokens
  bool arrow_ = false;       // an arrow was read
  bool expression_ = false;  // an expression goes on to its end
  bool dropped_ = false;     // its tokens are of no use
};

}  // namespace aoa::parse
