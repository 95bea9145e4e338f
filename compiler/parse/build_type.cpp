#include "compiler/diag/suggest.h"
#include "compiler/parse/builder.h"
#include "compiler/parse/words.h"

namespace aoa::parse {
namespace {

using ast::Axis;
using diag::Code;

// The place of a cut in an axis, if there is one.
const ast::Cut* CutIn(const Axis& axis) {
  if (axis.cut) return &*axis.cut;
  for (const Axis& part : axis.parts) {
    if (const ast::Cut* cut = CutIn(part)) return cut;
  }
  return nullptr;
}

}  // namespace

ast::Type Builder::BuildType(AoaParser::BracketContext* tree) {
  ast::Type type;
  type.where = Range(tree);
  for (AoaParser::TypeAxisContext* axis : tree->axes) type.axes.push_back(Build(axis));
  return type;
}

void Builder::AddStored(AoaParser::BracketContext* tree, ast::Type& out) {
  std::vector<Axis> axes = BuildType(tree).axes;
  for (const Axis& axis : axes) {
    if (const ast::Cut* cut = CutIn(axis)) {
      Error(Code::kSyntax, cut->where, "a cut after `stored`")
          .Help("leave it out: a factor that the type cuts is cut there too");
      break;
    }
  }
  out.stored = std::move(axes);
  out.where = aoa::Join(out.where, Range(tree));
}

std::optional<std::pair<int64_t, int64_t>> Builder::BuildSlice(AoaParser::BracketContext* tree) {
  if (tree->axes.size() != 1 || tree->axes[0]->cut) return std::nullopt;
  AoaParser::AtomContext* atom = tree->axes[0]->subject;
  if (!atom->last) return std::nullopt;
  int64_t from = Integer(atom->number, "the first number of a slice");
  int64_t to = Integer(atom->last, "the last number of a slice");
  if (to <= from)
    Error(Code::kSyntax, Range(tree), "the slice " + Quote(Range(tree).text()) + " holds no numbers")
        .Note("`name[0:3]` stands for `name_0, name_1, name_2`");
  constexpr int64_t kMost = 100'000;  // tensors of one model
  if (to > from && to - from > kMost) {
    Error(Code::kSyntax, Range(tree),
          "the slice " + Quote(Range(tree).text()) + " stands for more than " + std::to_string(kMost) + " tensors");
    to = from;
  }
  return std::pair(from, to);
}

Axis Builder::Build(AoaParser::TypeAxisContext* tree) {
  Axis axis = Build(tree->subject);
  axis.where = Range(tree);
  if (!tree->cut) return axis;
  if (axis.cut) {  // ((a)@x)@y
    Axis outer;
    outer.kind = Axis::Kind::kProduct;
    outer.where = axis.where;
    outer.parts.push_back(std::move(axis));
    axis = std::move(outer);
  }
  axis.cut = Build(tree->cut);
  return axis;
}

Axis Builder::Build(AoaParser::AtomContext* tree) {
  Axis axis;
  if (tree->inner) return Build(tree->inner);
  if (tree->unknown) {
    axis.kind = Axis::Kind::kAny;
  } else if (tree->padded) {
    axis.kind = Axis::Kind::kPad;
    axis.parts.push_back(Build(tree->padded));
    axis.multiple = BuildRoot(tree->multiple);
    if (!axis.multiple) axis.multiple = std::make_shared<ast::Expr>();  // reported; the tree stays whole
  } else if (tree->variable) {
    axis.name = IdentOf(tree->variable);
    if (tree->extent) {
      axis.kind = Axis::Kind::kLiteral;
      axis.extent = Integer(tree->extent, "an extent");
      if (axis.extent < 1) Error(Code::kAxis, Range(tree->extent), "an axis of extent " + Quote(TextOf(tree->extent)));
    }
  } else if (tree->last) {
    Error(Code::kSyntax, Range(tree), "a slice is no axis")
        .Help("`name[0:3]` stands for `name_0, name_1, name_2`, and has no type");
  } else {
    axis.kind = Axis::Kind::kOne;
    axis.extent = 1;
    std::string_view text = TextOf(tree->number);
    if (text != "1") {
      Error(Code::kAxis, Range(tree), "the number " + Quote(text) + " alone is no axis")
          .Help("give it a name: `p:" + std::string(text.substr(0, 20)) + "`");
    }
  }
  return axis;
}

// A sum or a product of one is what it is one of.
Axis Builder::Build(AoaParser::SumContext* tree) {
  if (tree->products.size() == 1) return Build(tree->products[0]);
  Axis axis;
  axis.kind = Axis::Kind::kSum;
  axis.where = Range(tree);
  for (AoaParser::ProductContext* product : tree->products) axis.parts.push_back(Build(product));
  return axis;
}

Axis Builder::Build(AoaParser::ProductContext* tree) {
  if (tree->factors.size() == 1) return Build(tree->factors[0]);
  Axis axis;
  axis.kind = Axis::Kind::kProduct;
  axis.where = Range(tree);
  for (AoaParser::TypeAxisContext* factor : tree->factors) axis.parts.push_back(Build(factor));
  return axis;
}

ast::Cut Builder::Build(AoaParser::CutAxesContext* tree) {
  ast::Cut cut;
  cut.where = Range(tree);
  for (const antlr4::Token* axis : tree->axes) cut.axes.push_back(IdentOf(axis));
  if (!tree->rounding) return cut;
  cut.rounding = IdentOf(tree->rounding);
  if (cut.rounding->text != "ceil" && cut.rounding->text != "front") {
    Error(Code::kSyntax, cut.rounding->where, "unknown rounding " + Quote(cut.rounding->text) + " of a cut")
        .Help("`~ceil` gives even blocks with a shorter last one, `~front` makes the first blocks one longer");
  }
  return cut;
}

std::vector<const antlr4::Token*> Builder::Values(AoaParser::NumbersContext* tree) {
  return {tree->values.begin(), tree->values.end()};
}

std::optional<DType> Builder::BuildDType(AoaParser::WordContext* tree) {
  ast::Ident word = Build(tree);
  std::optional<DType> type = DTypeNamed(word.text);
  if (type) return type;
  std::vector<std::string> names(DTypeNames().begin(), DTypeNames().end());
  auto& d = Error(Code::kDType, word.where, "unknown element type " + Quote(word.text));
  if (auto near = diag::Nearest(word.text, names)) d.Help("a type with a near name is " + Quote(*near));
  d.Note("the element types are " + List(names));
  return std::nullopt;
}

}  // namespace aoa::parse
