// Brackets and blocks: which ones match, and how reading goes on where they do not.
//
// A bracket that is never closed would swallow the rest of the file, since lines go on inside it. What cannot stand
// inside (an arrow, a brace, another `[`) shows that it should have been closed before. If that is on a later line, the
// line of the bracket is taken to end where it ends in the text, and everything after it is read again.
#include <algorithm>

#include "compiler/parse/characters.h"
#include "compiler/parse/lexer.h"

namespace aoa::parse {

using diag::Code;

bool Lexer::TooDeep(const Token& token) {
  if (brackets_.size() + blocks_.size() < kDeepest) return false;
  Mistake(Code::kTooDeep, token.begin, token.end,
          "more than " + std::to_string(kDeepest) + " brackets and blocks inside each other");
  reporter_.Close();
  return true;
}

// Inside the brackets of a type, where expressions are axes.
bool Lexer::InType() const {
  return head_ == AoaLexer::AXIS ||
         std::any_of(brackets_.begin(), brackets_.end(), [](const Bracket& b) { return b.square; });
}

// ---------------------------------------------------------------- brackets

void Lexer::OnOpenBracket(const Token& token) {
  if (TooDeep(token)) return;
  brackets_.push_back({token.type == AoaLexer::LBRACKET, token.begin});
  Push(token);
}

void Lexer::OnCloseBracket(const Token& token) {
  bool square = token.type == AoaLexer::RBRACKET;
  if (std::none_of(brackets_.begin(), brackets_.end(), [&](const Bracket& b) { return b.square == square; })) {
    Mistake(Code::kUnclosed, token.begin, token.end, Quote(TextOf(token)) + " closes nothing");
    return;
  }
  while (brackets_.back().square != square) {
    const Bracket& open = brackets_.back();
    Mistake(Code::kUnclosed, open.begin, open.begin + 1, open.square ? "`[` is never closed" : "`(` is never closed")
        .Also(reporter_.Range(token.begin, token.end), "this closes another one");
    PushEmpty(open.square ? AoaLexer::RBRACKET : AoaLexer::RPAREN, token.begin);
    brackets_.pop_back();
  }
  brackets_.pop_back();
  closed_inside_ = brackets_.empty() ? 0 : token.begin;
  Push(token);
}

// Whether `token` shows that the open brackets should have been closed before it.
bool Lexer::EndsBrackets(const Token& token) {
  switch (token.type) {
    case kEof:
    case AoaLexer::LBRACE:
    case AoaLexer::RBRACE:
    case AoaLexer::LBRACKET:
      return true;
    case AoaLexer::BOTH:
    case AoaLexer::RIGHT:
      return !ClosedOnLine(token);
    case AoaLexer::LESS:
      return InType() && CharAt(token.end) == '-' && !ClosedOnLine(token);  // the arrow `<-`
    case AoaLexer::STRING:
      return InType() && head_ != AoaLexer::AXIS && !ClosedOnLine(token);
    case AoaLexer::EQUAL:
    case AoaLexer::DEFAULT_EQUAL:
      return !ClosedOnLine(token);
    default:
      return false;
  }
}

// Whether a bracket is closed later on its line, however strange `token` is inside it.
bool Lexer::ClosedOnLine(const Token& token) {
  size_t line_end = LineEnd(brackets_.front().begin);
  if (token.begin > line_end) return false;
  if (token.begin < closes_at_) return true;
  size_t next = text_.substr(0, line_end).find_first_of("[])", token.end);
  if (next == std::string_view::npos || text_[next] == '[') return false;
  closes_at_ = next;
  return true;
}

void Lexer::Unclosed(const Token& token) {
  const Bracket open = brackets_.back();
  bool at_end = token.type == kEof;
  size_t stop = at_end ? last_end_ : token.begin;
  Mistake(Code::kUnclosed, open.begin, open.begin + 1, open.square ? "`[` is never closed" : "`(` is never closed")
      .Also(reporter_.Range(stop, at_end ? stop : token.end),
            at_end ? "the file ends here" : "it should be closed before this");

  // What matched inside is not torn apart.
  size_t line_end = LineEnd(std::max(brackets_.front().begin, closed_inside_));
  closed_inside_ = 0;
  bool later = token.begin > line_end;
  if (later) {
    while (!tokens_.all.empty() && tokens_.all.back().begin >= line_end) tokens_.all.pop_back();
    last_end_ = static_cast<uint32_t>(std::min<size_t>(last_end_, line_end));
  }
  for (; !brackets_.empty(); brackets_.pop_back()) {
    if (!later || brackets_.back().begin < line_end)
      PushEmpty(brackets_.back().square ? AoaLexer::RBRACKET : AoaLexer::RPAREN, last_end_);
  }
  if (later) {
    EndLine();
    Seek(line_end);
  } else {
    Seek(token.begin);  // again, in the mode outside brackets
  }
}

// ---------------------------------------------------------------- blocks

void Lexer::OnOpenBrace(const Token& token) {
  std::optional<Block> kind = BlockOfHead();
  if (Dropping()) {
    kind = Block::kUnknown;
  } else if (!kind) {
    if (!AtTop() && IsOfName(token)) return BraceInName(token);
    Mistake(Code::kSyntax, token.begin, token.end, "`{` opens no block here")
        .Help("a block follows " + List({"side", "map", "dims", "config", "default", "for", "if"}, " or "));
    DropRest();
    kind = Block::kUnknown;
  }
  if (TooDeep(token)) return;
  OpenBlock open{*kind, token.begin, count_ == 0 ? token.begin : head_begin_, last_end_};
  Push(token);
  blocks_.push_back(open);
  StartLine();
}

// The kind of block that the words of the line open, if they open one.
std::optional<Lexer::Block> Lexer::BlockOfHead() const {
  switch (head_) {
    case AoaLexer::DIMS:
      return Block::kDims;
    case AoaLexer::SIDE:
      return Block::kSide;
    case AoaLexer::MAP:
      return Block::kMap;
    case AoaLexer::DEFAULT:
      return Block::kDefault;
    case AoaLexer::CONFIG:
      return Block::kConfig;
    case AoaLexer::FOR:
    case AoaLexer::IF:
    case AoaLexer::ELSE_IF:
    case AoaLexer::ELSE:
      return AtTop() ? Block::kUnknown : block();
    default:
      return std::nullopt;
  }
}

void Lexer::OnCloseBrace(const Token& token) {
  if (AtTop()) {
    Mistake(Code::kUnclosed, token.begin, token.end, "`}` closes nothing");
    return;
  }
  EndLine();
  bool dropped = Dropping();
  blocks_.pop_back();
  dropped_ = dropped;
  expression_ = false;
  Push(token);
}

// Whether a `{` belongs to a name, as a group that is none: a block's stands behind a blank, and before one.
bool Lexer::IsOfName(const Token& token) const {
  char next = CharAt(token.end);
  bool before_blank = next == ' ' || next == '\t' || Peek(token.end) == '\n';
  return !before_blank || (last_ == AoaLexer::NAME && last_end_ == token.begin && Peek(token.end) != '\n');
}

void Lexer::BraceInName(const Token& token) {
  size_t line_end = LineEnd(token.begin);
  std::string_view rest = text_.substr(token.begin, line_end - token.begin);
  size_t close = rest.find('}');
  // In `side a { x.{q w [h] }` the last brace is the block's.
  bool inner = LineEnd(blocks_.back().brace) == line_end;
  size_t last = rest.rfind('}');
  if (inner && close == last) close = std::string_view::npos;
  if (close == std::string_view::npos) {
    Mistake(Code::kUnclosed, token.begin, token.end, "`{` is never closed")
        .Help("a group of names ends on its line: `{q,k}`");
  } else {
    std::string_view group = rest.substr(0, close + 1);
    auto& d = Mistake(Code::kSyntax, token.begin, token.begin + group.size(), Quote(group) + " is no group of names");
    if (group.find(',') == std::string_view::npos)
      d.Note("a group has a comma: `{q,k}`; a number in a name is `$l`");
    else if (group.find_first_of(" \t") != std::string_view::npos)
      d.Note("a group has no blanks: `{q,k}`");
    else
      d.Note("a group holds characters of bare names only");
  }
  Seek(inner && last != std::string_view::npos ? token.begin + last : line_end);
}

// Closes all blocks; the innermost one is told to be open, for it hides whether the others are.
void Lexer::BlocksUnclosed(SourceRange stop, std::string text) {
  const OpenBlock& open = blocks_.back();
  Mistake(Code::kUnclosed, open.brace, open.brace + 1,
          "the block of " + Quote(text_.substr(open.head_begin, open.head_end - open.head_begin)) + " is never closed")
      .Also(stop, std::move(text));
  while (!AtTop()) {
    EndLine();
    bool dropped = Dropping();
    blocks_.pop_back();
    dropped_ = dropped;
    PushEmpty(AoaLexer::RBRACE, stop.begin);
  }
  EndLine();
}

}  // namespace aoa::parse
