// Characters that mean nothing, and quotes that are not closed.
#include <fmt/format.h>

#include <cctype>

#include "compiler/parse/characters.h"
#include "compiler/parse/lexer.h"

namespace aoa::parse {

using diag::Code;

diag::Diagnostic& Lexer::Mistake(Code code, size_t begin, size_t end, std::string message) {
  tokens_.broken.back() = true;
  return reporter_.Error(code, reporter_.Range(begin, end), std::move(message));
}

namespace {

// A help line for what people type by habit, or empty.
std::string HelpFor(std::string_view rest, uint32_t code_point) {
  switch (code_point) {
    case ';':
      return "a statement ends with its line";
    case '&':
      return "conditions are joined by `and`";
    case '|':
      return "conditions are joined by `or`";
    case '!':
      return "a condition is turned round by `not`";
    case '^':
      return "a transposed tensor is written `name^T`";
    case '>':
      return "the arrows are `->`, `<-` and `<->`";
    case '<':
      return "the arrows are `->`, `<-` and `<->`";
    case '\'':
      return "text stands in double quotes";
    case '$':
      return rest.starts_with("${") ? "a variable in braces ends on its line: `${l+1}`"
                                    : "a variable is written `$l` or `${l}`";
    case 0x2192:
      return "the arrow is written `->`";
    case 0x2190:
      return "the arrow is written `<-`";
    case 0x2194:
      return "the arrow is written `<->`";
    case 0x201C:
    case 0x201D:
      return "double quotes are written `\"`";
    case 0xA0:
      return "this is a no-break space; write an ordinary one";
    default:
      return "";
  }
}

// `l` of "layers.$l", or nothing if the text does not end with a variable.
std::string VariableAtEnd(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0 && (text[begin - 1] == '_' || std::isalnum(static_cast<unsigned char>(text[begin - 1])) != 0))
    --begin;
  if (begin == text.size() || begin == 0 || text[begin - 1] != '$') return "";
  return std::string(text.substr(begin));
}

}  // namespace

void Lexer::OnStray(const Token& token) {
  CodePoint point = DecodeUtf8(text_, token.begin);
  size_t end = token.begin + point.size;
  bool printable = point.value >= 0x20 && point.value != 0x7F && point.value != 0xA0;
  std::string shown =
      printable ? Quote(text_.substr(token.begin, point.size)) : fmt::format("character U+{:04X}", point.value);
  auto& d = Mistake(Code::kCharacter, token.begin, end, shown + " means nothing here");
  std::string help = HelpFor(text_.substr(token.begin), point.value);
  std::string variable = point.value == '+' ? VariableAtEnd(text_.substr(0, token.begin)) : "";
  if (!variable.empty()) help = fmt::format("a number that counts from 1 is `${{{}+1}}`", variable);
  if (help.empty() && point.value >= 0x80) {
    help = lexer_.mode == AoaLexer::EXPRESSION ? "names of dimensions have letters, digits and `_`"
                                               : "a name with other characters stands in double quotes";
  }
  if (!help.empty()) d.Help(help);
  Seek(end);
}

void Lexer::OnOpenString(const Token& token) {
  std::string quote = token.type == AoaLexer::OPEN_STRING ? "`\"`" : "`'`";
  Mistake(Code::kUnclosed, token.begin, token.begin + 1, quote + " is never closed")
      .Help("a quoted text ends on its line");
  // What stood behind the closing quote is unknown. The text itself stands for it, so that the line is not empty.
  Push(token);
}

// Bytes that are no text end the reading: other files than rules are full of them, and what is wrong with rules that
// were saved in another encoding is hard to tell from what is wrong with their bytes.
void Lexer::CheckText(size_t begin, size_t end) {
  for (size_t at = begin; at < end;) {
    size_t size = DecodeUtf8(text_, at).size;
    if (size == 0 || text_[at] == '\0') {
      std::string byte = fmt::format("byte 0x{:02X}", static_cast<unsigned char>(text_[at]));
      reporter_
          .Error(Code::kCharacter, reporter_.Range(at, at + 1), byte + (size == 0 ? " is no UTF-8" : " is no text"))
          .Help("rule files are UTF-8");
      reporter_.Close();
      return;
    }
    at += size;
  }
}

}  // namespace aoa::parse
