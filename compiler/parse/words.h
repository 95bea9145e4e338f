// The words of the language, by the place where they mean something. Anywhere else they are names.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aoa::parse {

struct Word {
  std::string_view text;
  size_t type;  // of AoaLexer
};

std::span<const Word> TopWords();          // first in a line of the file
std::span<const Word> SideWords();         // first in a line of a side
std::span<const Word> MapWords();          // first in a line of a map
std::span<const Word> DeclarationWords();  // attributes of a declaration
std::span<const Word> PlaceWords();        // terms of a `place` line
std::span<const Word> DefaultWords();      // inside `default`
std::span<const Word> ExpressionWords();
std::span<const std::string_view> Functions();
std::span<const std::string_view> Flags();  // attributes of a statement without a value
std::vector<std::string> Keys();            // those with one; in build_attribute.cpp, with what they may be

// Whether a token ends a value of an expression: then `-` after it is an operator, elsewhere a sign.
bool EndsValue(size_t type);

// The type of `text` among `words`, or 0.
size_t Find(std::span<const Word> words, std::string_view text);
bool Contains(std::span<const std::string_view> words, std::string_view text);

// For near names and for messages.
std::vector<std::string> Texts(std::span<const Word> words);
std::vector<std::string> Texts(std::span<const std::string_view> words);
// "`a`, `b` and `c`"
std::string List(const std::vector<std::string>& words, std::string_view last = " and ");

}  // namespace aoa::parse
