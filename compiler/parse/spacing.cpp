#include "compiler/parse/spacing.h"

#include "compiler/parse/antlr.h"
#include "compiler/parse/words.h"

namespace aoa::parse {
bool Spacing::Opens(size_t type) { return type == AoaLexer::LBRACKET || type == AoaLexer::LPAREN; }
bool Spacing::Closes(size_t type) { return type == AoaLexer::RBRACKET || type == AoaLexer::RPAREN; }

bool Spacing::Before(size_t next) const {
  if (hugs_ || Closes(next)) return false;
  switch (next) {
    case AoaLexer::COMMA:
    case AoaLexer::TRANSPOSE:
    case AoaLexer::AT:
    case AoaLexer::TILDE:
    case AoaLexer::DOT:
    case AoaLexer::RANGE:
      return false;
    // `p:2` is an axis, `w : f32` a tensor with its element type.
    case AoaLexer::COLON:
      return last_ != AoaLexer::IDENT && last_ != AoaLexer::NUMBER;
    case AoaLexer::LBRACKET:
      return !in_map_ || (last_ != AoaLexer::NAME && last_ != AoaLexer::STRING);
    case AoaLexer::EQUAL:
      return !in_map_;
    case AoaLexer::STAR:
    case AoaLexer::SLASH:
    case AoaLexer::PERCENT:
      return square_depth_ == 0;  // pad(v, 128*tp)
    default:
      return true;
  }
}

void Spacing::Pass(size_t type) {
  switch (type) {
    case AoaLexer::AT:
    case AoaLexer::TILDE:
    case AoaLexer::DOT:
    case AoaLexer::RANGE:
    case AoaLexer::FUNCTION:
    case AoaLexer::PAD:
      hugs_ = true;
      break;
    case AoaLexer::COLON:
      hugs_ = last_ == AoaLexer::IDENT || last_ == AoaLexer::NUMBER;
      break;
    case AoaLexer::EQUAL:
      hugs_ = in_map_;
      break;
    case AoaLexer::MINUS:
      hugs_ = !EndsValue(last_);
      break;
    case AoaLexer::STAR:
    case AoaLexer::SLASH:
    case AoaLexer::PERCENT:
      hugs_ = square_depth_ > 0;
      break;
    default:
      hugs_ = Opens(type);
  }
  if (Opens(type)) ++depth_;
  if (Closes(type)) --depth_;
  if (type == AoaLexer::LBRACKET) ++square_depth_;
  if (type == AoaLexer::RBRACKET) --square_depth_;
  if (type == AoaLexer::MAP) in_map_ = true;
  last_ = type;
}

}  // namespace aoa::parse
