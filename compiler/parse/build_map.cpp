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
  map.arrow = Build(tree->head->direction);
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
  for (AoaParser::OperandAttributeContext* attribute : tree->attributes) Add(attribute, operand);
  if (operand.blank && (tree->type || !tree->attributes.empty())) {
    Error(Code::kSyntax, operand.where, "`_` stands for no tensor and has no type")
        .Help("the type of what is dropped or filled is that of the other side");
  }
  return operand;
}

void Builder::Add(AoaParser::OperandAttributeContext* tree, ast::Operand& out) {
  bool again = (tree->stored && out.type && out.type->stored) || (tree->dtype && out.dtype_where) ||
               (tree->transposed && out.transposed);
  if (again) {
    Error(Code::kSyntax, Range(tree->start), Quote(TextOf(tree->start)) + " stands twice after one tensor");
  } else if (tree->stored) {
    if (out.type)
      AddStored(tree->stored, *out.type);
    else
      Error(Code::kSyntax, Range(tree), "a stored shape without a type").Help("write `name [type] stored [shape]`");
  } else if (tree->dtype) {
    out.dtype = BuildDType(tree->dtype);
    out.dtype_where = Range(tree->dtype);
  } else {
    out.transposed = true;
    out.transposed_where = Range(tree->transposed);
  }
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
