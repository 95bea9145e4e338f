// Source bytes with the characters marked whose meaning needs unbounded look-ahead.
//
// `{` opens a block in `side a{`, but a group in `x.{q,k}.w`, and only the text up to the `}` tells. `-` belongs to the
// name in `a-b`, but begins the arrow in `a->b`. A lexer would look ahead again and again: `{a{a{a...` costs the square
// of its length. One pass over the text settles all of them, and writes its findings as control codes into a copy that
// the lexer reads. Bytes keep their places, so an offset in the copy is an offset in the source.
#pragma once

#include <string>
#include <string_view>

namespace aoa::parse {

// A group has a comma and no blank, and holds nothing but characters of names and further groups.
inline constexpr char kGroupOpen = '\x01';
inline constexpr char kGroupComma = '\x02';
inline constexpr char kGroupClose = '\x03';
inline constexpr char kArrowMinus = '\x04';
// What means nothing anywhere: control codes that the source itself holds, and the `$` of a `${` that is not closed.
inline constexpr char kControl = '\x05';

std::string Mark(std::string_view text);

}  // namespace aoa::parse
