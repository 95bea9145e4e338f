#include "compiler/parse/builder.h"

namespace aoa::parse {
namespace {

using ast::Expr;
using ast::ExprPtr;

// Expressions nest by their operators too, and whoever walks them recurses. Brackets are bounded by the lexer.
constexpr size_t kMostOperations = 1000;

}  // namespace

ExprPtr Builder::Build(AoaParser::LoneExpressionContext* tree) { return Good(tree) ? BuildRoot(tree->value) : nullptr; }

// Null if the expression is too long.
ExprPtr Builder::BuildRoot(AoaParser::ExpressionContext* tree) {
  operations_ = 0;
  ExprPtr out = Build(tree);
  if (operations_ <= kMostOperations) return out;
  Error(diag::Code::kTooDeep, Range(tree),
        "an expression of more than " + std::to_string(kMostOperations) + " operations");
  return nullptr;
}

ExprPtr Builder::Join(Expr::Kind kind, std::string operation, ExprPtr left, ExprPtr right) {
  if (++operations_ > kMostOperations || !left || !right) return left;
  Expr out;
  out.kind = kind;
  out.text = std::move(operation);
  out.where = aoa::Join(left->where, right->where);
  out.args = {std::move(left), std::move(right)};
  return std::make_shared<Expr>(std::move(out));
}

ExprPtr Builder::Unary(std::string operation, const antlr4::Token* sign, ExprPtr value) {
  if (++operations_ > kMostOperations || !value) return value;
  Expr out;
  out.kind = Expr::Kind::kUnary;
  out.text = std::move(operation);
  out.where = aoa::Join(Range(sign), value->where);
  out.args = {std::move(value)};
  return std::make_shared<Expr>(std::move(out));
}

ExprPtr Builder::Leaf(Expr::Kind kind, const antlr4::Token* token) {
  Expr out;
  out.kind = kind;
  out.text = std::string(TextOf(token));
  out.where = Range(token);
  return std::make_shared<Expr>(std::move(out));
}

// a else b else c is a else (b else c).
ExprPtr Builder::Build(AoaParser::ExpressionContext* tree) {
  ExprPtr out = Build(tree->values.back());
  for (size_t i = tree->values.size() - 1; i-- > 0;) out = Join(Expr::Kind::kElse, "", Build(tree->values[i]), out);
  return out;
}

ExprPtr Builder::Build(AoaParser::DisjunctionContext* tree) {
  ExprPtr out = Build(tree->parts[0]);
  for (size_t i = 1; i < tree->parts.size(); ++i) out = Join(Expr::Kind::kBinary, "or", out, Build(tree->parts[i]));
  return out;
}

ExprPtr Builder::Build(AoaParser::ConjunctionContext* tree) {
  ExprPtr out = Build(tree->parts[0]);
  for (size_t i = 1; i < tree->parts.size(); ++i) out = Join(Expr::Kind::kBinary, "and", out, Build(tree->parts[i]));
  return out;
}

ExprPtr Builder::Build(AoaParser::NegationContext* tree) {
  ExprPtr out = Build(tree->value);
  for (size_t i = tree->nots.size(); i-- > 0;) out = Unary("not", tree->nots[i], out);
  return out;
}

ExprPtr Builder::Build(AoaParser::ComparisonContext* tree) {
  ExprPtr out = Build(tree->left);
  return tree->sign ? Join(Expr::Kind::kBinary, std::string(TextOf(tree->sign)), out, Build(tree->right)) : out;
}

ExprPtr Builder::Build(AoaParser::AdditiveContext* tree) {
  ExprPtr out = Build(tree->terms[0]);
  for (size_t i = 1; i < tree->terms.size(); ++i) {
    out = Join(Expr::Kind::kBinary, std::string(TextOf(tree->signs[i - 1])), out, Build(tree->terms[i]));
  }
  return out;
}

ExprPtr Builder::Build(AoaParser::MultiplicativeContext* tree) {
  ExprPtr out = Build(tree->factors[0]);
  for (size_t i = 1; i < tree->factors.size(); ++i) {
    out = Join(Expr::Kind::kBinary, std::string(TextOf(tree->signs[i - 1])), out, Build(tree->factors[i]));
  }
  return out;
}

ExprPtr Builder::Build(AoaParser::FactorContext* tree) {
  ExprPtr out = Build(tree->value);
  for (size_t i = tree->minuses.size(); i-- > 0;) out = Unary("-", tree->minuses[i], out);
  return out;
}

ExprPtr Builder::Build(AoaParser::PrimaryContext* tree) {
  if (tree->name) return Leaf(Expr::Kind::kName, tree->name);
  Expr out;
  out.where = Range(tree);
  if (tree->variable) {
    out.kind = Expr::Kind::kVariable;
    out.text = TextOf(tree->variable).substr(1);
  } else if (tree->number) {
    Number number = NumberIn(out.where);
    out.kind = Expr::Kind::kNumber;
    out.number = number.value;
    out.integer = number.integer;
  } else if (tree->text) {
    out.kind = Expr::Kind::kString;
    out.text = Unquote(tree->text);
  } else if (tree->truth) {
    out.kind = Expr::Kind::kBool;
    out.number = tree->truth->getType() == AoaParser::TRUE;
  } else if (tree->key) {
    out.kind = Expr::Kind::kConfig;
    out.text = TextOf(tree->key).substr(std::string_view("config.").size());
  } else if (tree->function) {
    return BuildCall(tree);
  } else {
    if (!tree->beside.empty()) {
      Error(diag::Code::kSyntax, Range(tree->beside[0]), "two values side by side")
          .Help("an equation `n = (a b)` names an axis; numbers are multiplied by `*`");
    }
    return Build(tree->first);
  }
  return std::make_shared<Expr>(std::move(out));
}

ExprPtr Builder::BuildCall(AoaParser::PrimaryContext* tree) {
  Expr out;
  out.kind = Expr::Kind::kCall;
  out.where = Range(tree);
  out.text = std::string(TextOf(tree->function));
  for (AoaParser::ExpressionContext* argument : tree->arguments) out.args.push_back(Build(argument));
  size_t due = out.text == "max" || out.text == "min" || out.text == "pow" ? 2 : 1;
  if (out.args.size() != due) {
    Error(diag::Code::kSyntax, out.where, Quote(out.text) + (due == 1 ? " takes one value" : " takes two values"))
        .Found(std::to_string(out.args.size()));
  } else if (out.text == "ceil" && out.args[0] && out.args[0]->text != "/") {
    Error(diag::Code::kSyntax, out.args[0]->where, "`ceil` of something that is no quotient")
        .Help("write `ceil(a / b)`");
  }
  return std::make_shared<Expr>(std::move(out));
}

// A word of a line where a number may stand: `interleave 2`, `interleave vpp`.
ExprPtr Builder::NumberOrName(AoaParser::WordContext* tree) {
  SourceRange where = Range(tree);
  if (where.text().find_first_not_of("0123456789") != std::string_view::npos) {
    Identifier(tree, "a dimension");
    return Leaf(Expr::Kind::kName, tree->text);
  }
  Number number = NumberIn(where);
  Expr out;
  out.number = number.value;
  out.integer = number.integer;
  out.where = where;
  return std::make_shared<Expr>(std::move(out));
}

}  // namespace aoa::parse
