#include "compiler/parse/build_choice.h"
#include "compiler/parse/builder.h"

namespace aoa::parse {

using diag::Code;

void Builder::Add(AoaParser::MapBlockContext* tree, std::vector<ast::Item>& out) {
  ast::Map map;
  map.items = Build(tree->items);
  if (!Good(tree->head)) return;
  map.left = Build(tree->head->left);
  map.right = Build(tree->head->right);
  if (Build(tree->head->direction) != ast::Arrow::kBoth) {
    Error(Code::kSyntax, Range(tree->head->direction), "a map that goes one way only")
        .Expected("`map " + map.left.text + " <-> " + map.right.text + "`")
        .Note("the arrows of its statements say what goes one way");
  }
  map.where = Range(tree->head);
  out.emplace_back(std::move(map));
}

std::vector<ast::MapItem> Builder::Build(const std::vector<AoaParser::MapItemContext*>& trees) {
  std::vector<ast::MapItem> items;
  for (AoaParser::MapItemContext* tree : trees) Add(tree, items);
  return items;
}

void Builder::Add(AoaParser::MapItemContext* tree, std::vector<ast::MapItem>& out) {
  if (tree->loop) return Add(tree->loop, out);
  if (tree->choice) return Add(tree->choice, out);
  if (tree->line) return Add(tree->line, out);
}

void Builder::Add(AoaParser::MapForContext* tree, std::vector<ast::MapItem>& out) { AddFor(tree, out); }

void Builder::Add(AoaParser::MapIfContext* tree, std::vector<ast::MapItem>& out) { AddIf(tree, out); }

void Builder::Add(AoaParser::StatementContext* tree, std::vector<ast::MapItem>& out) {
  if (!Good(tree)) return;
  ast::Statement statement;
  statement.where = Range(tree);
  statement.arrow = Build(tree->direction);
  for (AoaParser::OperandContext* operand : tree->left) statement.left.push_back(Build(operand));
  for (AoaParser::OperandContext* operand : tree->right) statement.right.push_back(Build(operand));
  for (AoaParser::TargetOrAttributeContext* term : tree->rest) Add(term, statement);
  // `optional` behind a tensor says of the statement what the attribute says.
  auto note_optional = [&](AoaParser::OperandContext* operand) {
    if (!operand->optional) return;
    ast::Attribute attribute;
    attribute.where = Range(operand->optional);
    attribute.key = {"optional", attribute.where};
    if (statement.attributes.empty() || statement.attributes.back().key.text != "optional")
      statement.attributes.push_back(std::move(attribute));
  };
  for (AoaParser::OperandContext* operand : tree->left) note_optional(operand);
  for (AoaParser::OperandContext* operand : tree->right) note_optional(operand);
  for (AoaParser::TargetOrAttributeContext* term : tree->rest) {
    if (term->target) note_optional(term->target);
  }
  CheckTransposed(statement);
  out.push_back({std::move(statement)});
}

void Builder::Add(AoaParser::TargetOrAttributeContext* tree, ast::Statement& out) {
  if (tree->target) {
    out.right.push_back(Build(tree->target));
    return;
  }
  ast::Attribute attribute;
  attribute.where = Range(tree);
  attribute.key = IdentOf(tree->flag ? tree->flag : tree->key);
  if (tree->value) {
    attribute.value_where = Range(tree->value);
    attribute.text = std::string(attribute.value_where.text());
    if (tree->value->number) {
      Number number = NumberIn(attribute.value_where);
      attribute.kind = ast::Attribute::Value::kNumber;
      attribute.number = number.value;
      attribute.integer = number.integer;
    } else if (tree->value->text) {
      attribute.kind = ast::Attribute::Value::kWord;
    } else {
      bool escapes = tree->value->quoted->getType() == AoaParser::STRING;
      attribute.kind = ast::Attribute::Value::kString;
      attribute.text = escapes ? Unquote(tree->value->quoted) : attribute.text.substr(1, attribute.text.size() - 2);
    }
  }
  Check(attribute);
  out.attributes.push_back(std::move(attribute));
}

ast::Operand Builder::Build(AoaParser::OperandContext* tree) {
  ast::Operand operand;
  operand.name = Build(tree->tensor);
  operand.where = Range(tree);
  operand.blank = !operand.name.quoted && operand.name.text == "_";
  if (tree->type) {
    operand.slice = BuildSlice(tree->type);
    if (operand.slice)
      operand.slice_where = Range(tree->type);
    else
      operand.type = BuildType(tree->type);
  }
  for (AoaParser::BracketContext* stored : {tree->stored, tree->late}) {
    if (!stored) continue;
    if (!operand.type)
      Error(Code::kSyntax, Range(stored), "a stored shape without a type").Help("write `name [type] stored [shape]`");
    else if (operand.type->stored)
      Error(Code::kSyntax, Range(stored), "a second stored shape of one tensor");
    else
      AddStored(stored, *operand.type);
  }
  if (tree->transposed) {
    operand.transposed = true;
    operand.transposed_where = Range(tree->transposed);
  }
  if (tree->dtype) {
    operand.dtype = BuildDType(tree->dtype);
    operand.dtype_where = Range(tree->dtype);
  }
  if (operand.blank && (tree->type || tree->transposed || tree->dtype)) {
    Error(Code::kSyntax, operand.where, "`_` stands for no tensor and has no type")
        .Help("the type of what is dropped or filled is that of the other side");
  }
  return operand;
}

// A tensor is transposed where it is read. In both directions at once either side may say it.
void Builder::CheckTransposed(const ast::Statement& statement) {
  if (statement.arrow == ast::Arrow::kBoth) return;
  bool right = statement.arrow == ast::Arrow::kRight;
  for (const ast::Operand& target : right ? statement.right : statement.left) {
    if (!target.transposed) continue;
    Error(Code::kAttributeUse, target.transposed_where, "`^T` stands at a target")
        .Help("write it at the source: " + Quote(right ? "a^T -> b" : "b <- a^T"));
  }
}

}  // namespace aoa::parse
