#include <charconv>
#include <cmath>

#include "compiler/parse/builder.h"
#include "compiler/parse/characters.h"
#include "compiler/parse/token_stream.h"

namespace aoa::parse {

using diag::Code;

SourceRange Builder::Range(const antlr4::Token* token) const { return reporter_.Range(BeginOf(token), EndOf(token)); }

SourceRange Builder::Range(const antlr4::ParserRuleContext* tree) const {
  return reporter_.Range(BeginOf(tree->start), EndOf(tree->stop));
}

ast::Ident Builder::IdentOf(const antlr4::Token* token) { return {std::string(TextOf(token)), Range(token)}; }

ast::Ident Builder::Build(AoaParser::WordContext* tree) { return IdentOf(tree->text); }

ast::Ident Builder::Identifier(AoaParser::WordContext* tree, std::string_view what) {
  ast::Ident out = Build(tree);
  if (!IsIdentifier(out.text)) {
    Error(Code::kSyntax, out.where, Quote(out.text) + " cannot name " + std::string(what))
        .Help("such a name has letters, digits and `_`, and does not begin with a digit");
  }
  return out;
}

std::vector<ast::Ident> Builder::Identifiers(const std::vector<AoaParser::WordContext*>& trees, std::string_view what) {
  std::vector<ast::Ident> out;
  for (AoaParser::WordContext* tree : trees) out.push_back(Identifier(tree, what));
  return out;
}

ast::Name Builder::Build(AoaParser::TensorNameContext* tree) {
  if (tree->quoted) return {Unquote(tree->quoted), true, Range(tree)};
  return {std::string(Range(tree).text()), false, Range(tree)};
}

ast::Arrow Builder::Build(AoaParser::ArrowContext* tree) {
  return tree->both ? ast::Arrow::kBoth : tree->right ? ast::Arrow::kRight : ast::Arrow::kLeft;
}

// ---------------------------------------------------------------- quotes

namespace {

// The four hexadecimal digits at `at`, or -1.
int Hex4(std::string_view text, size_t at) {
  int value = -1;
  if (at + 4 > text.size()) return -1;
  auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
  return error == std::errc() && end == text.data() + at + 4 && value >= 0 ? value : -1;
}

// Resolves the escape at `at` (the backslash) as in JSON, and returns its length, or 0 if it is none.
size_t Unescape(std::string_view text, size_t at, std::string& out) {
  static constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  char letter = at + 1 < text.size() ? text[at + 1] : '\0';
  if (size_t known = kLetters.find(letter); known != std::string_view::npos) {
    out += kMeanings[known];
    return 2;
  }
  int first = letter == 'u' ? Hex4(text, at + 2) : -1;
  if (first < 0 || (first >= 0xDC00 && first < 0xE000)) return 0;
  if (first < 0xD800 || first >= 0xE000) {
    AppendUtf8(out, static_cast<uint32_t>(first));
    return 6;
  }
  int second = text.substr(at + 6).starts_with("\\u") ? Hex4(text, at + 8) : -1;
  if (second < 0xDC00 || second >= 0xE000) return 0;
  AppendUtf8(out, 0x10000 + (static_cast<uint32_t>(first - 0xD800) << 10) + static_cast<uint32_t>(second - 0xDC00));
  return 12;
}

}  // namespace

std::string Builder::Unquote(const antlr4::Token* token) {
  std::string_view text = TextOf(token).substr(1, EndOf(token) - BeginOf(token) - 2);
  size_t offset = BeginOf(token) + 1;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      if (static_cast<unsigned char>(text[at]) < 0x20 && text[at] != '\t') {
        Error(Code::kCharacter, reporter_.Range(offset + at, offset + at + 1), "a control character stands in quotes")
            .Help("write it as an escape: `\\u0001`");
      }
      out += text[at++];
      continue;
    }
    size_t size = Unescape(text, at, out);
    if (size == 0) {
      size_t end = std::min(text.size(), at + (text.substr(at).starts_with("\\u") ? 6 : 2));
      Error(Code::kCharacter, reporter_.Range(offset + at, offset + end),
            Quote(text.substr(at, end - at)) + " is no escape")
          .Help(
              "the escapes are those of JSON: `\\\"`, `\\\\`, `\\/`, `\\b`, `\\f`, `\\n`, `\\r`, `\\t` and `\\u0041`");
      return out;
    }
    at += size;
  }
  return out;
}

// ---------------------------------------------------------------- numbers

Builder::Number Builder::NumberIn(SourceRange where) {
  Number out;
  std::string_view text = where.text();
  std::from_chars(text.data(), text.data() + text.size(), out.value);
  if (text.find_first_of(".eE") != std::string_view::npos) {
    double value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc::result_out_of_range) {
      Error(Code::kSyntax, where, "the number " + Quote(text) + " does not fit in 64 bits");
    }
    return out;
  }
  int64_t integer = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), integer).ec == std::errc()) {
    out.integer = integer;
  } else {
    Error(Code::kSyntax, where, "the number " + Quote(text) + " does not fit in 64 bits")
        .Note("the largest whole number is 9223372036854775807");
  }
  return out;
}

int64_t Builder::Integer(const antlr4::Token* token, std::string_view what) {
  Number number = NumberIn(Range(token));
  if (!number.integer)
    Error(Code::kSyntax, Range(token),
          std::string(what) + " is a whole number, and " + Quote(TextOf(token)) + " is none");
  return number.integer.value_or(0);
}

}  // namespace aoa::parse
