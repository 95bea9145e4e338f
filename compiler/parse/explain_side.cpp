// Mistakes in sides.
#include "compiler/diag/suggest.h"
#include "compiler/parse/failure.h"
#include "compiler/parse/words.h"

namespace aoa::parse {

using diag::Code;

bool Failure::ExplainDeclaration() {
  if (Rule() != AoaParser::RuleDeclaration) return false;
  std::string_view word = TextOf(token_);
  std::string_view head = TextOf(First());
  bool typed = Earlier({AoaParser::LBRACKET}) != nullptr;
  if (IsArrow()) {
    Error("an arrow stands in a side").Help("statements stand in the block of a `map`; a side declares its tensors");
    return true;
  }
  if (Type() == AoaParser::LBRACKET && !typed && Earlier({AoaParser::COLON}) && head.find('$') != head.npos) {
    Error("a type that does not follow the name of its tensor")
        .Help("leading zeros are written `${" + std::string(head.substr(head.rfind('$') + 1)) + ":02}`");
    return true;
  }
  if (Type() == AoaParser::LBRACKET) {
    Error(typed ? "a second type of " + Quote(head) : "a type that does not follow the name of its tensor")
        .Help("a type stands right behind the name: `w [x y] optional`");
    return true;
  }
  if (Type() == AoaParser::COMMA) {
    Error("a comma between tensors").Help("a line declares one tensor, or several by a group: `x.{q,k}`");
    return true;
  }
  if (!IsName() && Type() != AoaParser::INTERLEAVE && Type() != AoaParser::BY) return false;
  auto near_attribute = diag::Nearest(word, Texts(DeclarationWords()));
  auto near_keyword = diag::Nearest(head, Texts(SideWords()));
  if (near_keyword && !typed) {
    reporter_.Error(Code::kKeyword, Range(First()), "unknown keyword " + Quote(head))
        .Help("a keyword with a near name is " + Quote(*near_keyword));
  } else if (near_attribute) {
    Error("unknown attribute " + Shown() + " of a tensor", Code::kKeyword)
        .Help("an attribute with a near name is " + Quote(*near_attribute));
  } else if (typed) {
    Error(Shown() + " is no attribute of a tensor", Code::kKeyword)
        .Note("the attributes are " +
              List({"optional", "tied", "on", "blocks of", "replicas mean", "group", "stored"}));
  } else {
    auto& d = Error(Shown() + " follows the tensor " + Quote(head) + " and is no attribute");
    if (Find(TopWords(), head))
      d.Help(Quote(head) + " as a keyword stands outside of every block");
    else
      d.Note("the lines of a side begin with a tensor or with " + List(Texts(SideWords()), " or "));
  }
  return true;
}

bool Failure::ExplainPlace() {
  if (Rule() != AoaParser::RulePlaceLine) return false;
  if (AtEnd() || Earlier({AoaParser::ON}) == nullptr) {
    Error("`place` names no mesh axis").Help("write `place l on pp`");
    return true;
  }
  if (!IsName()) return false;
  auto near = diag::Nearest(TextOf(token_), Texts(PlaceWords()));
  auto& d = Error("unknown word " + Shown() + " in a `place` line", Code::kKeyword);
  if (near)
    d.Help("a word with a near name is " + Quote(*near));
  else
    d.Note("a `place` line goes on with " + List({"interleave", "by", "surplus", "numbered locally"}, " or "));
  return true;
}

bool Failure::ExplainRole() {
  if (Type() == AoaParser::EQUAL && First()->getType() == AoaParser::STATE) {
    Error("a `state` has no value").Help("only a `scalar` is computed");
    return true;
  }
  if (Rule() != AoaParser::RuleRoleLine || Earlier({AoaParser::STRING}) != nullptr) return false;
  Error("no template of names stands after " + ShownBefore())
      .Help("write " + Quote(std::string(TextOf(First())) + " moment1 \"{}.exp_avg\""));
  return true;
}

}  // namespace aoa::parse
