// The formatter works on tokens, not on the tree: every word and every comment of the source comes out again, so it
// cannot lose what the tree does not hold. Line ends that do not count may move: around an arrow they stand before it,
// around a comma behind it. Blocks that were written on one line stay on one.
#include <algorithm>

#include "compiler/parse/antlr.h"
#include "compiler/parse/characters.h"
#include "compiler/parse/layout.h"
#include "compiler/parse/lexer.h"
#include "compiler/parse/parse.h"
#include "compiler/parse/source_text.h"
#include "compiler/parse/spacing.h"

namespace aoa::parse {
namespace {

using Kind = LayoutLine::Kind;

constexpr size_t kStep = 2;          // of indentation
constexpr size_t kContinuation = 4;  // of lines that go on

class Formatter {
 public:
  Formatter(std::string_view text, size_t begin, const std::vector<Token>& tokens)
      : text_(text), tokens_(tokens), last_end_(begin) {}

  std::string Run() {
    for (at_ = 0; at_ < tokens_.size(); ++at_) Put(tokens_[at_]);
    return Print(std::move(lines_));
  }

 private:
  void Put(const Token& token) {
    if (token.type == AoaLexer::END) {
      if (inline_end_ == 0) starts_line_ = true;
      return;
    }
    if (starts_line_)
      StartLine(token);
    else
      GoOn(token);
    if (token.type == kEof) return;
    lines_.back().cells.back() += TextOf(token);
    spacing_.Pass(token.type);
    last_end_ = token.end;
    if (token.type == AoaLexer::LBRACE && at_ > inline_end_) OpenBlock(token);
    if (at_ == inline_end_) inline_end_ = 0;
  }

  std::string TextOf(const Token& token) const {
    if (token.type == AoaLexer::ELSE_IF) return "else if";
    return std::string(text_.substr(token.begin, token.end - token.begin));
  }

  // ------------------------------------------------------------ lines

  void StartLine(const Token& token) {
    bool closes = token.type == AoaLexer::RBRACE;
    Between(token.begin, level_, closes || token.type == kEof);
    if (token.type == kEof) return;
    if (closes) {
      level_ -= kStep;
      heads_.pop_back();
    }
    starts_line_ = false;
    spacing_ = Spacing(InScope(AoaLexer::MAP));
    words_ = 1;
    Kind kind = Kind::kText;
    if (inline_end_ == 0) kind = KindOf(token.type);
    first_ = lines_.size();
    lines_.push_back({kind, level_, {""}, "", false});
  }

  // What the columns of a line are follows from its first word: in a side a tensor, or a keyword.
  Kind KindOf(size_t head) const {
    if (head == AoaLexer::STATE || head == AoaLexer::SCALAR) return Kind::kRole;
    bool tensor = head == AoaLexer::NAME || head == AoaLexer::STRING ||
                  (head >= AoaLexer::OPTIONAL && head <= AoaLexer::NUMBERED);
    return tensor && InScope(AoaLexer::SIDE) ? Kind::kDeclaration : Kind::kText;
  }

  // Whether the innermost open side, map, config or default is one of `scope`.
  bool InScope(size_t scope) const {
    auto is_scope = [](size_t type) {
      return type == AoaLexer::SIDE || type == AoaLexer::MAP || type == AoaLexer::CONFIG || type == AoaLexer::DEFAULT;
    };
    for (size_t i = heads_.size(); i-- > 0;) {
      if (is_scope(heads_[i])) return heads_[i] == scope;
    }
    return false;
  }

  bool HasNewline(size_t begin, size_t end) const {
    return text_.substr(begin, end - begin).find_first_of("\r\n") != std::string_view::npos;
  }
  bool HasComment(size_t begin, size_t end) const {
    return text_.substr(begin, end - begin).find('#') != std::string_view::npos;
  }

  void OpenBlock(const Token& brace) {
    size_t depth = 1;
    size_t close = at_ + 1;
    for (;; ++close) {
      if (tokens_[close].type == AoaLexer::LBRACE) ++depth;
      if (tokens_[close].type == AoaLexer::RBRACE && --depth == 0) break;
    }
    if (!HasNewline(brace.end, tokens_[close].begin)) {
      inline_end_ = close;
      return;
    }
    lines_.back().opens_block = true;
    level_ += kStep;
    starts_line_ = true;
    heads_.push_back(HeadOf(brace));
  }

  // The keyword of a block: the first token of its line that is not the `}` of the block before.
  size_t HeadOf(const Token& brace) const {
    size_t head = at_;
    while (head > 0 && tokens_[head - 1].line == brace.line) --head;
    return tokens_[head].type;
  }

  // ------------------------------------------------------------ inside a line

  void GoOn(const Token& token) {
    if (HasComment(last_end_, token.begin)) {
      bool is_else = token.type == AoaLexer::ELSE || token.type == AoaLexer::ELSE_IF;
      size_t indent = level_ + (is_else ? 0 : kContinuation);
      Between(token.begin, indent, true);
      return Continue(indent);
    }
    if (BreaksBefore(token)) return Continue(level_ + kContinuation);
    std::vector<std::string>& cells = lines_.back().cells;
    size_t cell = CellOf(token);
    if (cell >= cells.size())
      cells.resize(cell + 1);
    else if (spacing_.Before(token.type))
      cells.back() += ' ';
  }

  // A line that goes on below is aligned with nothing.
  void Continue(size_t indent) {
    LayoutLine& first = lines_[first_];
    for (size_t i = 1; i < first.cells.size(); ++i) {
      if (!first.cells[i].empty()) first.cells[0] += " " + first.cells[i];
    }
    first.cells.resize(1);
    first.kind = Kind::kText;
    lines_.push_back({Kind::kText, indent, {""}, "", false});
  }

  bool BreaksBefore(const Token& token) const {
    auto is_arrow = [](size_t type) {
      return type == AoaLexer::BOTH || type == AoaLexer::RIGHT || type == AoaLexer::LEFT;
    };
    const Token& before = tokens_[at_ - 1];
    bool here = HasNewline(before.end, token.begin);
    if (spacing_.InBrackets()) {
      bool at_edge = spacing_.Opens(before.type) || spacing_.Closes(token.type) || token.type == AoaLexer::COMMA;
      return here && !at_edge;
    }
    if (is_arrow(token.type))
      return here || (HasNewline(token.end, tokens_[at_ + 1].begin) && !HasComment(token.end, tokens_[at_ + 1].begin));
    if (before.type != AoaLexer::COMMA) return false;
    return here || (HasNewline(tokens_[at_ - 2].end, before.begin) && !HasComment(tokens_[at_ - 2].end, before.begin));
  }

  // The column that a token of an aligned line stands in.
  size_t CellOf(const Token& token) {
    size_t now = lines_.back().cells.size() - 1;
    size_t word = words_++;
    switch (lines_.back().kind) {
      case Kind::kRole:
        return word >= 2 ? 1 : 0;
      case Kind::kDeclaration:
        if (word == 1 && (token.type == AoaLexer::LBRACKET || token.type == AoaLexer::COLON)) return 1;
        return now < 2 && IsAttribute(token.type) ? 2 : now;
      default:
        return 0;
    }
  }

  static bool IsAttribute(size_t type) {
    switch (type) {
      case AoaLexer::OPTIONAL:
      case AoaLexer::TIED:
      case AoaLexer::BLOCKS:
      case AoaLexer::ON:
      case AoaLexer::REPLICAS:
      case AoaLexer::GROUP:
        return true;
      default:
        return false;
    }
  }

  // ------------------------------------------------------------ between tokens

  // Comments and empty lines from the last token up to `end`. A comment on the line of the last token goes behind it.
  void Between(size_t end, size_t indent, bool closes) {
    size_t newlines = 0;
    for (size_t at = last_end_; at < end; ++at) {
      char c = text_[at];
      if (c == '\n' || (c == '\r' && (at + 1 >= text_.size() || text_[at + 1] != '\n'))) ++newlines;
      if (c != '#') continue;
      size_t comment_end = EndOfLine(text_, at);
      std::string comment(text_.substr(at, comment_end - at));
      comment.erase(comment.find_last_not_of(" \t") + 1);
      if (newlines == 0 && !lines_.empty()) {
        lines_.back().comment = std::move(comment);
      } else {
        if (newlines > 1) EmptyLine();
        lines_.push_back({Kind::kComment, indent, {""}, std::move(comment), false});
      }
      newlines = 0;
      at = comment_end - 1;
    }
    if (newlines > 1 && !closes) EmptyLine();
  }

  void EmptyLine() {
    if (lines_.empty() || lines_.back().opens_block || lines_.back().kind == Kind::kBlank || !starts_line_) return;
    lines_.push_back({Kind::kBlank, 0, {""}, "", false});
  }

  std::string_view text_;
  const std::vector<Token>& tokens_;
  std::vector<LayoutLine> lines_;
  std::vector<size_t> heads_;  // keywords of the open blocks
  Spacing spacing_{false};
  size_t at_ = 0;
  size_t last_end_;        // of the last token
  size_t level_ = 0;       // blanks before a line
  size_t inline_end_ = 0;  // the `}` of the block that stands on one line, while we are in it
  size_t words_ = 0;       // of the line so far
  size_t first_ = 0;       // where the line begins in lines_
  bool starts_line_ = true;
};

}  // namespace

std::string Format(const SourceFile& source) {
  diag::Diagnostics unheard;
  Reporter reporter(source, unheard);
  size_t begin = BeginOfText(source);
  Tokens tokens = Lexer(reporter, begin, source.text().size()).ReadFile();
  return Formatter(source.text(), begin, tokens.all).Run();
}

}  // namespace aoa::parse
