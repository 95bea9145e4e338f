#include "compiler/parse/lexer.h"

#include "compiler/parse/characters.h"
#include "compiler/parse/marked_text.h"

namespace aoa::parse {
namespace {

bool IsArrow(size_t type) { return type == AoaLexer::BOTH || type == AoaLexer::RIGHT || type == AoaLexer::LEFT; }

}  // namespace

Lexer::Lexer(Reporter& reporter, size_t begin, size_t end)
    : reporter_(reporter),
      text_(std::string_view(reporter.file().text()).substr(0, end)),
      begin_(begin),
      end_(end),
      bytes_(Mark(text_.substr(begin))),
      lexer_(&bytes_) {
  lexer_.removeErrorListeners();
  tokens_.broken.push_back(false);
}

Tokens Lexer::ReadFile() {
  CheckText(begin_, end_);
  Run();
  return std::move(tokens_);
}

Tokens Lexer::ReadExpression() {
  CheckText(begin_, end_);
  expression_ = true;
  Run();
  return std::move(tokens_);
}

void Lexer::Run() {
  while (!stopped_) {
    if (reporter_.closed())
      Finish({kEof, last_end_, last_end_, 0});
    else
      Dispatch(Next());
  }
}

Token Lexer::Next() {
  lexer_.mode = Mode();
  std::unique_ptr<antlr4::Token> raw = lexer_.nextToken();
  Token token;
  token.type = static_cast<uint32_t>(raw->getType());
  if (raw->getType() == antlr4::Token::EOF) {
    token.type = kEof;
    token.begin = token.end = static_cast<uint32_t>(end_);
    return token;
  }
  token.begin = static_cast<uint32_t>(begin_ + raw->getStartIndex());
  token.end = static_cast<uint32_t>(begin_ + raw->getStopIndex() + 1);
  return token;
}

// In a side `=` begins the value of a scalar, which expression_ says; elsewhere it begins the value of an attribute.
size_t Lexer::Mode() const {
  if (expression_ || !brackets_.empty()) return AoaLexer::EXPRESSION;
  return last_ == AoaLexer::EQUAL ? size_t{AoaLexer::ATTRIBUTE_VALUE} : 0;
}

void Lexer::Dispatch(Token token) {
  if (!brackets_.empty() && EndsBrackets(token)) return Unclosed(token);
  if (head_ == AoaLexer::RBRACE && !FollowsBlock(token)) {
    const std::string_view word = TextOf(token);
    const bool branch = word == "elif" || word == "elsif" || word == "elseif";
    Mistake(diag::Code::kSyntax, token.begin, token.end, Quote(word) + " follows the `}` of a block on its line")
        .Help(branch ? "another branch begins with `else if`" : "begin it on a new line");
    EndLine();
    return Seek(token.begin);  // again, as the first of a line
  }
  switch (token.type) {
    case kEof:
      return Finish(token);
    case AoaLexer::NEWLINE:
      return OnNewline(token);
    case AoaLexer::LBRACKET:
    case AoaLexer::LPAREN:
      return OnOpenBracket(token);
    case AoaLexer::RBRACKET:
    case AoaLexer::RPAREN:
      return OnCloseBracket(token);
    case AoaLexer::LBRACE:
      return OnOpenBrace(token);
    case AoaLexer::RBRACE:
      return OnCloseBrace(token);
    case AoaLexer::STRAY:
      return OnStray(token);
    case AoaLexer::OPEN_STRING:
    case AoaLexer::OPEN_QUOTED_VALUE:
      return OnOpenString(token);
    case AoaLexer::NAME:
    case AoaLexer::IDENT:
      return OnWord(token);
    case AoaLexer::EQUAL:
      Push(token);
      expression_ = expression_ || (!AtTop() && block() == Block::kSide);
      return;
    default:
      return Push(token);
  }
}

// What may stand behind the `}` of a block on its line.
bool Lexer::FollowsBlock(const Token& token) const {
  switch (token.type) {
    case kEof:
    case AoaLexer::NEWLINE:
    case AoaLexer::RBRACE:
      return true;
    default:
      return TextOf(token) == "else";
  }
}

void Lexer::Push(Token token) {
  if (count_ == 0) {
    head_ = token.type;
    head_begin_ = token.begin;
  }
  ++count_;
  last_ = token.type;
  last_end_ = token.end;
  arrow_ = arrow_ || IsArrow(token.type);
  if (Dropping()) return;
  token.line = static_cast<uint32_t>(tokens_.broken.size() - 1);
  tokens_.all.push_back(token);
  if (tokens_.all.size() == kMostTokens) {
    Mistake(diag::Code::kTooDeep, token.begin, token.end,
            "a rule file of more than " + std::to_string(kMostTokens) + " words");
    reporter_.Close();
  }
}

void Lexer::PushEmpty(size_t type, size_t at) {
  Push({static_cast<uint32_t>(type), static_cast<uint32_t>(at), static_cast<uint32_t>(at), 0});
}

void Lexer::OnNewline(const Token& token) {
  if (!brackets_.empty()) return;
  size_t next = SkipToToken(text_, token.end);
  if (count_ == 0 || GoesOn(next)) return Seek(next);  // past all empty lines at once
  if (BlockOfHead() && CharAt(next) == '{' && bytes_.At(next - begin_) == '{') {
    Mistake(diag::Code::kSyntax, next, next + 1, "`{` stands on a line of its own")
        .Also(reporter_.Range(head_begin_, last_end_), "the block of this line")
        .Help("write the `{` at the end of that line");
    return Seek(next);
  }
  EndLine();
}

// Whether the line goes on at `next`, the next text after a line end.
bool Lexer::GoesOn(size_t next) const {
  std::string_view rest = text_.substr(next, 3);
  if (next == end_) return false;
  if (last_ == AoaLexer::COMMA || IsArrow(last_)) return rest[0] != '}';
  if (rest[0] == ',' || rest.starts_with("->") || rest.starts_with("<-")) return true;
  return head_ == AoaLexer::RBRACE && IsElse(next);
}

// Whether `else {` or `else if` stands at `at`.
bool Lexer::IsElse(size_t at) const {
  if (!text_.substr(at).starts_with("else")) return false;
  std::string_view word, next;
  size_t end = PeekWord(at, &word);
  PeekWord(end, &next);
  return word == "else" && (Peek(end) == '{' || next == "if");
}

// The line is over; the next token is of another one.
void Lexer::EndLine() {
  if (count_ > 0) PushEmpty(AoaLexer::END, last_end_);
  StartLine();
}

void Lexer::StartLine() {
  // A line that left no token needs no number of its own; this bounds `broken` by the tokens, not by the text.
  if (!tokens_.all.empty() && tokens_.all.back().line + 1 == tokens_.broken.size()) tokens_.broken.push_back(false);
  tokens_.broken.back() = false;
  head_ = last_ = count_ = 0;
  arrow_ = dropped_ = false;
  expression_ = !AtTop() && block() == Block::kDims;
}

// What was read of the line stays a line; the rest of it, and a block that it opens, are of no use.
void Lexer::DropRest() {
  if (count_ > 0) PushEmpty(AoaLexer::END, last_end_);
  dropped_ = true;
}

void Lexer::Seek(size_t at) {
  bytes_.seek(at - begin_);
  lexer_.hitEOF = false;
}

void Lexer::Finish(const Token& eof) {
  EndLine();
  if (!AtTop()) BlocksUnclosed(reporter_.Range(last_end_, last_end_), "the file ends here");
  PushEmpty(kEof, eof.begin);
  stopped_ = true;
}

size_t Lexer::LineEnd(size_t at) {
  if (at < line_from_ || at > line_end_) {
    line_from_ = at;
    line_end_ = EndOfLine(text_, at);
  }
  return line_end_;
}

char Lexer::Peek(size_t at) const {
  at = SkipBlanks(text_, at);
  char c = CharAt(at);
  return at >= end_ || c == '\r' || c == '#' ? '\n' : c;
}

// The word after `at` on the line, empty if there is none; its end.
size_t Lexer::PeekWord(size_t at, std::string_view* word) const {
  size_t begin = SkipBlanks(text_, at);
  size_t end = begin;
  while (end < end_ && IsNameCharacter(bytes_.At(end - begin_))) ++end;  // not the minus of an arrow
  *word = text_.substr(begin, end - begin);
  return end;
}

}  // namespace aoa::parse
