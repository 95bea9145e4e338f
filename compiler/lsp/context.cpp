#include "compiler/lsp/context.h"

#include <algorithm>

namespace aoa::lsp {
namespace {

using parse::Lexeme;
using Kind = Lexeme::Kind;
using Block = CursorContext::Block;
using Words = std::vector<std::string>;

bool IsNameCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("_.$/*-").find(c) != std::string_view::npos;
}

// A word as the lexer has it may end before the cursor: `config.` is `config` and a dot.
uint32_t WordBegin(std::string_view text, uint32_t offset) {
  uint32_t begin = offset;
  while (begin > 0 && IsNameCharacter(text[begin - 1])) --begin;
  return begin;
}

// Whether the last line of `text` ends inside a comment. `#` inside quotes is none.
bool EndsInComment(std::string_view text) {
  bool quoted = false;
  for (size_t at = text.find_last_of("\r\n") + 1; at < text.size(); ++at) {
    if (quoted && text[at] == '\\')
      ++at;
    else if (text[at] == '"')
      quoted = !quoted;
    else if (!quoted && text[at] == '#')
      return true;
  }
  return false;
}

// The blocks that are open, by the words of their heads.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void Pass(const Lexeme& lexeme) {
    std::string word(text_.substr(lexeme.begin, lexeme.end - lexeme.begin));
    switch (lexeme.kind) {
      case Kind::kOpenBlock:
        heads_.push_back(line_);
        return line_.clear();
      case Kind::kCloseBlock:
        if (!heads_.empty()) heads_.pop_back();
        return line_.clear();
      case Kind::kLineEnd:
        return line_.clear();
      default:
        return line_.push_back(std::move(word));
    }
  }

  CursorContext Context() const {
    CursorContext out;
    for (const Words& head : heads_) Enter(head, out);
    out.line = line_;
    auto count = [&](const char* bracket) { return std::count(line_.begin(), line_.end(), bracket); };
    out.in_type = count("[") > count("]");
    return out;
  }

 private:
  static void Enter(const Words& head, CursorContext& out) {
    if (head.empty()) return;
    if (head[0] == "side" && head.size() > 1) {
      out.block = Block::kSide;
      out.side = head[1];
    } else if (head[0] == "map" && head.size() > 3) {
      out.block = Block::kMap;
      out.left = head[1];
      out.right = head[3];
    } else if (head[0] == "dims") {
      out.block = Block::kDims;
    } else if (head[0] == "config") {
      out.block = Block::kConfig;
    } else if (head[0] == "default") {
      out.block = Block::kDefault;
    }
  }

  std::string_view text_;
  std::vector<Words> heads_;
  Words line_;
};

}  // namespace

bool CursorContext::Has(std::string_view word) const { return std::find(line.begin(), line.end(), word) != line.end(); }

CursorContext ContextAt(std::string_view text, uint32_t offset) {
  offset = std::min<uint32_t>(offset, static_cast<uint32_t>(text.size()));
  uint32_t begin = WordBegin(text, offset);
  SourceFile before("", std::string(text.substr(0, begin)));
  std::vector<Lexeme> lexemes = parse::ReadLexemes(before);
  // The end of the text ends lines and blocks for the lexer; for us only a line end in the text does.
  while (!lexemes.empty() && lexemes.back().kind == Kind::kLineEnd) lexemes.pop_back();
  bool line_goes_on = true;
  if (!lexemes.empty()) {
    const Lexeme& last = lexemes.back();
    bool open = last.kind == Kind::kArrow || text.substr(last.begin, last.end - last.begin) == ",";
    line_goes_on = open || text.substr(last.end, begin - last.end).find_first_of("\r\n") == std::string_view::npos;
  }
  Reader reader(before.text());
  for (const Lexeme& lexeme : lexemes) reader.Pass(lexeme);
  if (!line_goes_on) reader.Pass({Kind::kLineEnd, begin, begin});
  CursorContext out = reader.Context();
  out.in_comment = EndsInComment(before.text());
  out.typed = std::string(text.substr(begin, offset - begin));
  out.begin = begin;
  return out;
}

}  // namespace aoa::lsp
