#include "compiler/parse/lexemes.h"

#include "compiler/parse/antlr.h"
#include "compiler/parse/lexer.h"
#include "compiler/parse/source_text.h"

namespace aoa::parse {
namespace {

using Kind = Lexeme::Kind;

Kind KindOf(size_t type) {
  switch (type) {
    case AoaLexer::END:
      return Kind::kLineEnd;
    case AoaLexer::NAME:
      return Kind::kName;
    case AoaLexer::IDENT:
    case AoaLexer::UNKNOWN:
    case AoaLexer::NUMBER_OF:
      return Kind::kIdentifier;
    case AoaLexer::CONFIG_KEY:
      return Kind::kConfigKey;
    case AoaLexer::FUNCTION:
    case AoaLexer::PAD:
      return Kind::kFunction;
    case AoaLexer::KEY:
    case AoaLexer::FLAG:
      return Kind::kAttribute;
    case AoaLexer::STRING:
    case AoaLexer::QUOTED_VALUE:
      return Kind::kString;
    case AoaLexer::NUMBER:
      return Kind::kNumber;
    case AoaLexer::BOTH:
    case AoaLexer::RIGHT:
    case AoaLexer::LEFT:
      return Kind::kArrow;
    case AoaLexer::LBRACE:
      return Kind::kOpenBlock;
    case AoaLexer::RBRACE:
      return Kind::kCloseBlock;
    default:
      // The grammar's `tokens` are the keywords, but for the kinds above; all else is a sign.
      return type >= AoaLexer::FAMILY && type <= AoaLexer::OTHERWISE ? Kind::kKeyword : Kind::kPunctuation;
  }
}

}  // namespace

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kKeyword:
      return "keyword";
    case Kind::kName:
      return "name";
    case Kind::kIdentifier:
      return "identifier";
    case Kind::kConfigKey:
      return "config";
    case Kind::kFunction:
      return "function";
    case Kind::kAttribute:
      return "attribute";
    case Kind::kString:
      return "string";
    case Kind::kNumber:
      return "number";
    case Kind::kArrow:
      return "arrow";
    case Kind::kOpenBlock:
    case Kind::kCloseBlock:
      return "block";
    case Kind::kPunctuation:
      return "punctuation";
    case Kind::kLineEnd:
      return "end";
  }
  return "";
}

std::vector<Lexeme> ReadLexemes(const SourceFile& source) {
  if (source.text().size() > kLongestFile) return {};
  diag::Diagnostics unheard;
  Reporter reporter(source, unheard);
  Tokens tokens = Lexer(reporter, BeginOfText(source), source.text().size()).ReadFile();
  std::vector<Lexeme> out;
  for (const Token& token : tokens.all) {
    Kind kind = token.type == kEof ? Kind::kLineEnd : KindOf(token.type);
    bool inserted = token.begin == token.end && kind != Kind::kLineEnd;  // what a mistake left out
    if (!inserted && token.type != kEof) out.push_back({kind, token.begin, token.end});
  }
  return out;
}

}  // namespace aoa::parse
