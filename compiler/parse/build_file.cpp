#include "compiler/parse/builder.h"

namespace aoa::parse {

using diag::Code;

ast::File Builder::Build(AoaParser::FileContext* tree) {
  ast::File file;
  file.source = &reporter_.file();
  for (AoaParser::ItemContext* item : tree->items) Add(item, file.items);
  return file;
}

void Builder::Add(AoaParser::ItemContext* tree, std::vector<ast::Item>& out) {
  if (tree->family) return Add(tree->family, out);
  if (tree->imported) return Add(tree->imported, out);
  if (tree->side) return Add(tree->side, out);
  if (tree->map) return Add(tree->map, out);
  if (tree->defaults) return Add(tree->defaults, out);
  if (tree->dims) out.emplace_back(Build(tree->dims));
}

void Builder::Add(AoaParser::FamilyLineContext* tree, std::vector<ast::Item>& out) {
  if (Good(tree)) out.emplace_back(ast::Family{Build(tree->name), Range(tree)});
}

void Builder::Add(AoaParser::ImportLineContext* tree, std::vector<ast::Item>& out) {
  if (Good(tree)) out.emplace_back(ast::Import{Unquote(tree->path), Range(tree->path), Range(tree)});
}

void Builder::Add(AoaParser::DefaultBlockContext* tree, std::vector<ast::Item>& out) {
  ast::Default defaults;
  defaults.where = Range(tree->head);
  for (AoaParser::DefaultEndContext* end : tree->ends) {
    if (!Good(end)) continue;
    auto& place = end->end->getType() == AoaParser::FROM ? defaults.from : defaults.to;
    if (place) {
      Error(Code::kDeclaredTwice, Range(end->end), Quote(TextOf(end->end)) + " stands twice in one `default` block")
          .Also(place->where, "the first one");
      continue;
    }
    place = ast::DefaultEnd{Build(end->side), Unquote(end->path), Range(end)};
  }
  out.emplace_back(std::move(defaults));
}

ast::DimsBlock Builder::Build(AoaParser::DimsBlockContext* tree) {
  ast::DimsBlock block;
  block.where = Range(tree->head);
  for (AoaParser::EquationContext* equation : tree->equations) Add(equation, block.equations);
  return block;
}

void Builder::Add(AoaParser::EquationContext* tree, std::vector<ast::Equation>& out) {
  if (!Good(tree)) return;
  ast::Equation equation;
  equation.name = IdentOf(tree->name);
  equation.where = Range(tree);
  if (tree->alias) {
    equation.kind = ast::Equation::Kind::kAlias;
    equation.axis = Build(tree->alias);
  } else if (AoaParser::PrimaryContext* alias = tree->sign ? AliasIn(tree->value) : nullptr) {
    if (tree->sign->getType() == AoaParser::DEFAULT_EQUAL) {
      Error(Code::kSyntax, Range(tree->value), "a default is a number, and this is an axis")
          .Help("`(a * b)` is a number");
      return;
    }
    equation.kind = ast::Equation::Kind::kAlias;
    equation.axis = Alias(alias, equation.name.text);
    if (!equation.axis) return;
  } else {
    bool is_default = tree->sign && tree->sign->getType() == AoaParser::DEFAULT_EQUAL;
    equation.kind = !tree->sign  ? ast::Equation::Kind::kValue
                    : is_default ? ast::Equation::Kind::kDefault
                                 : ast::Equation::Kind::kNumber;
    equation.value = BuildRoot(tree->value);
    if (!equation.value) return;
  }
  out.push_back(std::move(equation));
}

namespace {

// The one primary that an expression consists of, or null.
AoaParser::PrimaryContext* OnlyPrimary(AoaParser::ExpressionContext* tree) {
  if (tree->values.size() != 1) return nullptr;
  AoaParser::DisjunctionContext* disjunction = tree->values[0];
  if (disjunction->parts.size() != 1 || disjunction->parts[0]->parts.size() != 1) return nullptr;
  AoaParser::NegationContext* negation = disjunction->parts[0]->parts[0];
  if (!negation->nots.empty() || negation->value->sign || negation->value->left->terms.size() != 1) return nullptr;
  AoaParser::MultiplicativeContext* term = negation->value->left->terms[0];
  if (term->factors.size() != 1 || !term->factors[0]->minuses.empty()) return nullptr;
  return term->factors[0]->value;
}

}  // namespace

// The parenthesis with several values side by side that an expression is, if it is one.
AoaParser::PrimaryContext* Builder::AliasIn(AoaParser::ExpressionContext* tree) {
  for (AoaParser::PrimaryContext* primary = OnlyPrimary(tree); primary && primary->open;
       primary = OnlyPrimary(primary->first)) {
    if (!primary->beside.empty()) return primary;
  }
  return nullptr;
}

std::optional<ast::Axis> Builder::Alias(AoaParser::PrimaryContext* tree, std::string_view name) {
  ast::Axis axis;
  axis.where = Range(tree);
  if (tree->name) {
    axis.kind = ast::Axis::Kind::kVar;
    axis.name = IdentOf(tree->name);
    return axis;
  }
  axis.kind = ast::Axis::Kind::kProduct;
  std::vector<AoaParser::PrimaryContext*> parts = tree->beside;
  if (tree->open) parts.insert(parts.begin(), OnlyPrimary(tree->first));
  for (AoaParser::PrimaryContext* part : parts) {
    std::optional<ast::Axis> built;
    if (part && (part->name || part->open)) built = Alias(part, name);
    if (!built) {
      Error(Code::kSyntax, Range(tree), "values side by side that are no names")
          .Help("an axis that is more than a product of names is written `axis " + std::string(name) + " = ...`");
      return std::nullopt;
    }
    axis.parts.push_back(std::move(*built));
  }
  if (axis.parts.size() == 1) return std::move(axis.parts[0]);
  return axis;
}

}  // namespace aoa::parse
