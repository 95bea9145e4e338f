#include "compiler/parse/words.h"

#include "compiler/diag/suggest.h"
#include "compiler/parse/antlr.h"

namespace aoa::parse {
namespace {

constexpr Word kTop[] = {{"family", AoaLexer::FAMILY}, {"import", AoaLexer::IMPORT}, {"dims", AoaLexer::DIMS},
                         {"side", AoaLexer::SIDE},     {"map", AoaLexer::MAP},       {"default", AoaLexer::DEFAULT}};

constexpr Word kSide[] = {{"format", AoaLexer::FORMAT}, {"like", AoaLexer::LIKE},
                          {"mesh", AoaLexer::MESH},     {"overlay", AoaLexer::OVERLAY},
                          {"place", AoaLexer::PLACE},   {"state", AoaLexer::STATE},
                          {"scalar", AoaLexer::SCALAR}, {"zero", AoaLexer::ZERO},
                          {"config", AoaLexer::CONFIG}, {"remove", AoaLexer::REMOVE},
                          {"dims", AoaLexer::DIMS},     {"for", AoaLexer::FOR},
                          {"if", AoaLexer::IF}};

constexpr Word kMap[] = {{"for", AoaLexer::FOR}, {"if", AoaLexer::IF}};

constexpr Word kDeclaration[] = {{"optional", AoaLexer::OPTIONAL},
                                 {"tied", AoaLexer::TIED},
                                 {"blocks", AoaLexer::BLOCKS},
                                 {"of", AoaLexer::OF},
                                 {"on", AoaLexer::ON},
                                 {"replicas", AoaLexer::REPLICAS},
                                 {"group", AoaLexer::GROUP},
                                 {"stored", AoaLexer::STORED}};

constexpr Word kPlace[] = {{"on", AoaLexer::ON},
                           {"interleave", AoaLexer::INTERLEAVE},
                           {"by", AoaLexer::BY},
                           {"surplus", AoaLexer::SURPLUS},
                           {"numbered", AoaLexer::NUMBERED}};

constexpr Word kDefault[] = {{"from", AoaLexer::FROM}, {"to", AoaLexer::TO}};

constexpr Word kExpression[] = {{"and", AoaLexer::AND},   {"or", AoaLexer::OR},       {"not", AoaLexer::NOT},
                                {"true", AoaLexer::TRUE}, {"false", AoaLexer::FALSE}, {"else", AoaLexer::OTHERWISE}};

constexpr std::string_view kFunctions[] = {"max", "min", "ceil", "pow", "log", "round"};

constexpr std::string_view kFlags[] = {"copy", "optional", "fused_qkv", "fused_qkv_old", "fused_ffn"};

}  // namespace

std::span<const Word> TopWords() { return kTop; }
std::span<const Word> SideWords() { return kSide; }
std::span<const Word> MapWords() { return kMap; }
std::span<const Word> DeclarationWords() { return kDeclaration; }
std::span<const Word> PlaceWords() { return kPlace; }
std::span<const Word> DefaultWords() { return kDefault; }
std::span<const Word> ExpressionWords() { return kExpression; }
std::span<const std::string_view> Functions() { return kFunctions; }
std::span<const std::string_view> Flags() { return kFlags; }

bool EndsValue(size_t type) {
  switch (type) {
    case AoaLexer::NUMBER:
    case AoaLexer::IDENT:
    case AoaLexer::CONFIG_KEY:
    case AoaLexer::NUMBER_OF:
    case AoaLexer::STRING:
    case AoaLexer::TRUE:
    case AoaLexer::FALSE:
    case AoaLexer::RPAREN:
      return true;
    default:
      return false;
  }
}

size_t Find(std::span<const Word> words, std::string_view text) {
  for (const Word& word : words) {
    if (word.text == text) return word.type;
  }
  return 0;
}

bool Contains(std::span<const std::string_view> words, std::string_view text) {
  for (std::string_view word : words) {
    if (word == text) return true;
  }
  return false;
}

std::vector<std::string> Texts(std::span<const Word> words) {
  std::vector<std::string> out;
  for (const Word& word : words) out.emplace_back(word.text);
  return out;
}

std::vector<std::string> Texts(std::span<const std::string_view> words) { return {words.begin(), words.end()}; }

std::string List(const std::vector<std::string>& words, std::string_view last) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back("`" + word + "`");
  return diag::Enumerate(quoted, quoted.size(), last);
}

}  // namespace aoa::parse
