// Which words are keywords where they stand.
//
// A word is taken from the names only where nothing else could be meant: `state [h]` and `state <-> w` are about a
// tensor called state, `state moment1 "{}.m"` is not.
#include "compiler/diag/suggest.h"
#include "compiler/parse/characters.h"
#include "compiler/parse/lexer.h"

namespace aoa::parse {

using diag::Code;

void Lexer::OnWord(Token token) {
  if (count_ == 0 && IsTopHead(token)) {
    BlocksUnclosed(reporter_.Range(token.begin, token.end), Quote(TextOf(token)) + " begins here");
    return Seek(token.begin);
  }
  if (head_ == AoaLexer::RBRACE && TextOf(token) == "else") {
    std::string_view next;
    size_t end = PeekWord(token.end, &next);
    if (next == "if") token.end = static_cast<uint32_t>(end);
    token.type = next == "if" ? AoaLexer::ELSE_IF : AoaLexer::ELSE;
    head_ = token.type;
    Seek(token.end);
  } else {
    token.type = static_cast<uint32_t>(token.type == AoaLexer::IDENT ? ExpressionWord(token) : NameWord(token));
  }
  Push(token);
  if (token.type == AoaLexer::FOR || token.type == AoaLexer::IF || token.type == AoaLexer::ELSE_IF) expression_ = true;
}

// A word in the mode of names.
size_t Lexer::NameWord(const Token& token) {
  if (Dropping() || last_ == AoaLexer::EQUAL) return AoaLexer::NAME;
  if (AtTop()) return count_ == 0 ? TopHead(token) : size_t{AoaLexer::NAME};
  switch (block()) {
    case Block::kSide:
      return count_ == 0 ? SideHead(token) : SideWord(token);
    case Block::kMap:
      return count_ == 0 ? MapHead(token) : MapWord(token);
    case Block::kConfig:
      return Peek(token.end) == '=' ? size_t{AoaLexer::KEY} : size_t{AoaLexer::NAME};
    case Block::kDefault:
      return DefaultWord(token);
    default:
      return AoaLexer::NAME;
  }
}

size_t Lexer::TopHead(const Token& token) {
  std::string_view text = TextOf(token);
  if (size_t type = Find(TopWords(), text)) return type;
  auto near = diag::Nearest(text, Texts(TopWords()));
  diag::Diagnostic& d =
      near ? Mistake(Code::kKeyword, token.begin, token.end, "unknown keyword " + Quote(text))
           : Mistake(Code::kKeyword, token.begin, token.end, Quote(text) + " begins no item of a file");
  if (near) {
    d.Help("a keyword with a near name is " + Quote(*near));
    return Find(TopWords(), *near);
  }
  bool statement = std::string_view("-<,^").find(Peek(token.end)) != std::string_view::npos;
  if (Find(SideWords(), text))
    d.Help(Quote(text) + " stands inside the block of a `side`");
  else if (statement)
    d.Help("statements stand inside the block of a `map`");
  else
    d.Note("the items of a file are " + List(Texts(TopWords())));
  DropRest();
  return AoaLexer::NAME;
}

size_t Lexer::SideHead(const Token& token) {
  std::string_view text = TextOf(token);
  size_t type = Find(SideWords(), text);
  switch (type) {
    case 0:
      break;
    case AoaLexer::FOR:
    case AoaLexer::IF:
      if (!TensorFollows(token)) return type;
      break;
    case AoaLexer::DIMS:
    case AoaLexer::CONFIG:
      if (Peek(token.end) == '{') return type;
      break;
    default: {
      // `mesh tp`, `scalar step "{}"`, but not `mesh optional`, which declares a tensor.
      std::string_view word;
      PeekWord(token.end, &word);
      if (std::string_view("\"$").find(Peek(token.end)) != std::string_view::npos ||
          (!word.empty() && !AttributeFollows(token)))
        return type;
    }
  }
  return NearBlockHead(token, {"dims", "config", "for", "if"});
}

size_t Lexer::MapHead(const Token& token) {
  size_t type = Find(MapWords(), TextOf(token));
  if (type != 0 && !TensorFollows(token)) return type;
  if (Peek(token.end) == '=') return AoaLexer::KEY;
  return NearBlockHead(token, Texts(MapWords()));
}

// `fr l in 0..k {` must be a slip of the pen: no tensor comes before a block.
size_t Lexer::NearBlockHead(const Token& token, std::vector<std::string> words) {
  if (!BlockFollows(token)) return AoaLexer::NAME;
  std::string_view text = TextOf(token);
  if (IsElse(token.begin)) {
    Mistake(Code::kSyntax, token.begin, token.end, "`else` stands without an `if` before it")
        .Help("`else` follows the `}` of the block of an `if`");
    DropRest();
    return AoaLexer::NAME;
  }
  auto near = diag::Nearest(text, words);
  if (!near) return AoaLexer::NAME;
  Mistake(Code::kKeyword, token.begin, token.end, "unknown keyword " + Quote(text))
      .Help("a keyword with a near name is " + Quote(*near));
  return Find(SideWords(), *near);
}

// The attributes of declarations and the terms of lines are words of their own everywhere in a side. Where a name is
// due, the grammar takes them as names.
size_t Lexer::SideWord(const Token& token) {
  size_t type = Find(DeclarationWords(), TextOf(token));
  if (type == 0) type = Find(PlaceWords(), TextOf(token));
  return type != 0 ? type : size_t{AoaLexer::NAME};
}

size_t Lexer::MapWord(const Token& token) {
  char next = Peek(token.end);
  if (next == '=') return AoaLexer::KEY;
  std::string_view text = TextOf(token);
  bool behind = last_ == AoaLexer::RBRACKET || (last_ == AoaLexer::NAME && next == '[');  // a type, or an element type
  if (behind && text == "stored") return AoaLexer::STORED;
  bool operand = last_ == AoaLexer::NAME || last_ == AoaLexer::STRING || last_ == AoaLexer::RBRACKET;
  if (operand && text == "optional") return AoaLexer::OPTIONAL;
  bool alone = next == ',' || next == '\n' || next == '}';
  if (arrow_ && last_ == AoaLexer::COMMA && alone && Contains(Flags(), text)) return AoaLexer::FLAG;
  return AoaLexer::NAME;
}

// A side may be called `to`: in `from to "x"` it is one.
size_t Lexer::DefaultWord(const Token& token) {
  size_t type = Find(DefaultWords(), TextOf(token));
  bool name = last_ == AoaLexer::FROM || last_ == AoaLexer::TO;
  return type == 0 || name ? size_t{AoaLexer::NAME} : type;
}

size_t Lexer::ExpressionWord(const Token& token) {
  std::string_view text = TextOf(token);
  bool in_dims = !AtTop() && block() == Block::kDims;
  if (in_dims && count_ == 0 && (text == "axis" || text == "value")) {
    // `axis = 3` is about a dimension called axis.
    char next = Peek(token.end);
    if (IsLetter(next)) return text == "axis" ? AoaLexer::AXIS : AoaLexer::VALUE;
  }
  if (head_ == AoaLexer::FOR && count_ == 2 && text == "in") return AoaLexer::IN;
  bool condition = head_ == AoaLexer::IF || head_ == AoaLexer::ELSE_IF;
  if (condition && text == "in" && EndsValue(last_)) return AoaLexer::IN;  // elsewhere a dimension may be called so
  // In a type `max (a b)` are two axes, one of them called max.
  char next = InType() ? CharAt(token.end) : Peek(token.end);
  if (next == '(' && text == "pad" && InType()) return AoaLexer::PAD;
  if (next == '(' && Contains(Functions(), text)) return AoaLexer::FUNCTION;
  size_t type = Find(ExpressionWords(), text);
  return type != 0 ? type : size_t{AoaLexer::IDENT};
}

// Whether what follows a first word makes it the name of a tensor, though it is also a keyword.
bool Lexer::TensorFollows(const Token& token) const {
  char next = Peek(token.end);
  bool arrow = text_.substr(SkipBlanks(text_, token.end)).starts_with("->");
  return arrow || std::string_view("\n[:^,<}").find(next) != std::string_view::npos;
}

// Whether an attribute of a declaration follows a first word. `on first` is one, `on, by` are two names.
bool Lexer::AttributeFollows(const Token& token) const {
  std::string_view word, next;
  size_t end = PeekWord(PeekWord(token.end, &word), &next);
  switch (Find(DeclarationWords(), word)) {
    case AoaLexer::ON:
      return next == "first" || next == "last";
    case AoaLexer::REPLICAS:
      return next == "mean";
    case AoaLexer::BLOCKS:
      return next == "of";
    case AoaLexer::STORED:
      return next.empty() && Peek(end) == '[';
    case AoaLexer::OPTIONAL:
      return true;
    case AoaLexer::TIED:
    case AoaLexer::GROUP:
      return !next.empty() || Peek(end) == '"';
    default:
      return false;
  }
}

// Whether a `{` that opens a block stands in the rest of the line, after a blank.
bool Lexer::BlockFollows(const Token& token) const {
  for (size_t at = token.end; at < end_; ++at) {
    char c = text_[at];
    if (c == '\n' || c == '\r' || c == '#') return false;
    if (c == '"')
      at = EndOfString(text_, at) - 1;
    else if (bytes_.At(at - begin_) == '{' && (text_[at - 1] == ' ' || text_[at - 1] == '\t' || text_[at - 1] == ')'))
      return true;
  }
  return false;
}

// `side b {`, `map a <-> b {` and `default {` stand in no block: one before them is not closed.
bool Lexer::IsTopHead(const Token& token) const {
  if (AtTop() || block() == Block::kUnknown) return false;
  std::string_view text = TextOf(token);
  if (text == "default") return Peek(token.end) == '{' && BlockFollows(token);
  if (text != "side" && text != "map") return false;
  std::string_view name;
  size_t end = PeekWord(token.end, &name);
  if (name.empty() || !BlockFollows(token)) return false;
  char next = Peek(end);
  return text == "side" ? next == '{' : next == '<' || next == '-';
}

}  // namespace aoa::parse
