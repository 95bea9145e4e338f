// Parse trees to ast::File: one method for each kind of node, in build_*.cpp.
//
// A rule that the parser left because of a mistake has `exception` set, and its labels may be null: such lines are left
// out. Mistakes that the grammar has no words for (an unknown attribute, a number that does not fit) are reported here.
#pragma once

#include "compiler/parse/antlr.h"
#include "compiler/parse/ast.h"
#include "compiler/parse/reporter.h"

namespace aoa::parse {

class Builder {
 public:
  explicit Builder(Reporter& reporter) : reporter_(reporter) {}

  ast::File Build(AoaParser::FileContext* tree);
  ast::ExprPtr Build(AoaParser::LoneExpressionContext* tree);

 private:
  // build_file.cpp
  void Add(AoaParser::ItemContext* tree, std::vector<ast::Item>& out);
  void Add(AoaParser::FamilyLineContext* tree, std::vector<ast::Item>& out);
  void Add(AoaParser::ImportLineContext* tree, std::vector<ast::Item>& out);
  void Add(AoaParser::DefaultBlockContext* tree, std::vector<ast::Item>& out);
  ast::DimsBlock Build(AoaParser::DimsBlockContext* tree);
  void Add(AoaParser::EquationContext* tree, std::vector<ast::Equation>& out);
  AoaParser::PrimaryContext* AliasIn(AoaParser::ExpressionContext* tree);
  std::optional<ast::Axis> Alias(AoaParser::PrimaryContext* tree, std::string_view name);

  // build_side.cpp
  void Add(AoaParser::SideBlockContext* tree, std::vector<ast::Item>& out);
  std::vector<ast::SideItem> Build(const std::vector<AoaParser::SideItemContext*>& trees);
  void Add(AoaParser::SideItemContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::FormatLineContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::LikeLineContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::MeshLineContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::OverlayLineContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::PlaceLineContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::PlaceTermContext* tree, ast::Place& out);
  void Add(AoaParser::RoleLineContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::ZeroLineContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::ConfigBlockContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::RemoveLineContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::SideForContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::SideIfContext* tree, std::vector<ast::SideItem>& out);

  // build_declaration.cpp
  void Add(AoaParser::DeclarationContext* tree, std::vector<ast::SideItem>& out);
  void Add(AoaParser::DeclarationAttributeContext* tree, ast::Declaration& out);
  void AddPlaces(AoaParser::DeclarationAttributeContext* tree, ast::Declaration& out);

  // build_map.cpp
  void Add(AoaParser::MapBlockContext* tree, std::vector<ast::Item>& out);
  std::vector<ast::MapItem> Build(const std::vector<AoaParser::MapItemContext*>& trees);
  void Add(AoaParser::MapItemContext* tree, std::vector<ast::MapItem>& out);
  void Add(AoaParser::MapForContext* tree, std::vector<ast::MapItem>& out);
  void Add(AoaParser::MapIfContext* tree, std::vector<ast::MapItem>& out);
  void Add(AoaParser::StatementContext* tree, std::vector<ast::MapItem>& out);
  ast::Operand Build(AoaParser::OperandContext* tree);
  void Add(AoaParser::TargetOrAttributeContext* tree, ast::Statement& out);
  void Check(const ast::Attribute& attribute);
  void CheckTransposed(const ast::Statement& statement);

  // build_type.cpp
  ast::Type BuildType(AoaParser::BracketContext* tree);
  void AddStored(AoaParser::BracketContext* tree, ast::Type& out);
  // Paddle's [a:b], if it is that.
  std::optional<std::pair<int64_t, int64_t>> BuildSlice(AoaParser::BracketContext* tree);
  ast::Axis Build(AoaParser::TypeAxisContext* tree);
  ast::Axis Build(AoaParser::AtomContext* tree);
  ast::Axis Build(AoaParser::SumContext* tree);
  ast::Axis Build(AoaParser::ProductContext* tree);
  ast::Cut Build(AoaParser::CutAxesContext* tree);
  std::vector<const antlr4::Token*> Values(AoaParser::NumbersContext* tree);
  std::optional<DType> BuildDType(AoaParser::WordContext* tree);

  // build_expression.cpp
  ast::ExprPtr BuildRoot(AoaParser::ExpressionContext* tree);
  ast::ExprPtr Build(AoaParser::ExpressionContext* tree);
  ast::ExprPtr Build(AoaParser::DisjunctionContext* tree);
  ast::ExprPtr Build(AoaParser::ConjunctionContext* tree);
  ast::ExprPtr Build(AoaParser::NegationContext* tree);
  ast::ExprPtr Build(AoaParser::ComparisonContext* tree);
  ast::ExprPtr Build(AoaParser::AdditiveContext* tree);
  ast::ExprPtr Build(AoaParser::MultiplicativeContext* tree);
  ast::ExprPtr Build(AoaParser::FactorContext* tree);
  ast::ExprPtr Build(AoaParser::PrimaryContext* tree);
  ast::ExprPtr BuildCall(AoaParser::PrimaryContext* tree);
  ast::ExprPtr Unary(std::string operation, const antlr4::Token* sign, ast::ExprPtr value);
  ast::ExprPtr Join(ast::Expr::Kind kind, std::string operation, ast::ExprPtr left, ast::ExprPtr right);
  ast::ExprPtr Leaf(ast::Expr::Kind kind, const antlr4::Token* token);
  ast::ExprPtr NumberOrName(AoaParser::WordContext* tree);

  // build_words.cpp
  ast::Ident Build(AoaParser::WordContext* tree);
  ast::Ident IdentOf(const antlr4::Token* token);
  // A word that expressions and types can name; one that they cannot is a mistake.
  ast::Ident Identifier(AoaParser::WordContext* tree, std::string_view what);
  std::vector<ast::Ident> Identifiers(const std::vector<AoaParser::WordContext*>& trees, std::string_view what);
  ast::Name Build(AoaParser::TensorNameContext* tree);
  ast::Arrow Build(AoaParser::ArrowContext* tree);
  // The text of a double-quoted token, escapes resolved.
  std::string Unquote(const antlr4::Token* token);
  // A number as written; `integer` if it is one that fits. One that does not fit is reported.
  struct Number {
    double value = 0;
    std::optional<int64_t> integer;
  };
  Number NumberIn(SourceRange where);
  // A number that must be whole; 0 after a mistake.
  int64_t Integer(const antlr4::Token* token, std::string_view what);

  // build_choice.h
  template <class Item, class Tree>
  void AddFor(Tree* tree, std::vector<Item>& out);
  template <class Item, class Tree>
  void AddIf(Tree* tree, std::vector<Item>& out);

  SourceRange Range(const antlr4::Token* token) const;
  SourceRange Range(const antlr4::ParserRuleContext* tree) const;
  std::string_view TextOf(const antlr4::Token* token) const { return Range(token).text(); }
  diag::Diagnostic& Error(diag::Code code, SourceRange where, std::string message) {
    return reporter_.Error(code, where, std::move(message));
  }

  Reporter& reporter_;
  size_t operations_ = 0;  // of the expression that is being built
};

// Whether the parser read a rule to its end.
template <class Tree>
bool Good(const Tree* tree) {
  return tree != nullptr && tree->exception == nullptr;
}

}  // namespace aoa::parse
