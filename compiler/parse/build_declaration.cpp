#include "compiler/diag/suggest.h"
#include "compiler/parse/builder.h"

namespace aoa::parse {

using diag::Code;

void Builder::Add(AoaParser::DeclarationContext* tree, std::vector<ast::SideItem>& out) {
  if (!Good(tree)) return;
  ast::Declaration declaration;
  declaration.name = Build(tree->tensor);
  declaration.where = Range(tree);
  if (tree->type) declaration.type = BuildType(tree->type);
  for (AoaParser::DeclarationAttributeContext* attribute : tree->attributes) Add(attribute, declaration);
  out.push_back({std::move(declaration)});
}

void Builder::Add(AoaParser::DeclarationAttributeContext* tree, ast::Declaration& out) {
  bool again = (tree->stored && out.type && out.type->stored) || (tree->dtype && out.dtype_where) ||
               (tree->optional && out.optional) || (tree->tied && out.tied) || (tree->weight && out.blocks_of) ||
               (tree->replicas && out.replicas_mean) || (tree->group && out.group);
  if (again) {
    Error(Code::kSyntax, Range(tree->start), Quote(TextOf(tree->start)) + " stands twice in one declaration");
    return;
  }
  if (tree->stored) {
    if (out.type)
      AddStored(tree->stored, *out.type);
    else
      Error(Code::kSyntax, Range(tree), "a stored shape without a type").Help("write `name [type] stored [shape]`");
  } else if (tree->dtype) {
    out.dtype = BuildDType(tree->dtype);
    out.dtype_where = Range(tree->dtype);
  } else if (tree->optional) {
    out.optional = Range(tree);
  } else if (tree->tied) {
    out.tied = Build(tree->tied);
  } else if (tree->weight) {
    out.blocks_of = Build(tree->weight);
    for (const antlr4::Token* size : Values(tree->sizes)) {
      out.blocks.push_back(Integer(size, "the size of a block"));
      if (out.blocks.back() < 1) Error(Code::kSyntax, Range(size), "a block of size " + Quote(TextOf(size)));
    }
  } else if (tree->on) {
    AddPlaces(tree, out);
  } else if (tree->replicas) {
    out.replicas_mean = Range(tree);
    ast::Ident how = Build(tree->how);
    if (how.text != "mean")
      Error(Code::kKeyword, how.where, Quote(how.text) + " says not what becomes of replicas")
          .Help("write `replicas mean`, or nothing: then one copy is read");
  } else {
    out.group = Build(tree->group);
  }
}

// on first, on last, on first, last; of an axis
void Builder::AddPlaces(AoaParser::DeclarationAttributeContext* tree, ast::Declaration& out) {
  ast::On on;
  on.where = Range(tree);
  if (tree->axis) on.axis = Build(tree->axis);
  for (const ast::On& other : out.on) {
    if (on.axis ? other.axis && other.axis->text == on.axis->text : !other.axis) {
      Error(Code::kSyntax, Range(tree->start), "`on` stands twice for one axis")
          .Help("`on first, last` names both ends");
      return;
    }
  }
  for (AoaParser::WordContext* word : tree->places) {
    ast::Ident place = Build(word);
    if (place.text == "first") {
      on.first = true;
    } else if (place.text == "last") {
      on.last = true;
    } else {
      auto near = diag::Nearest(place.text, {"first", "last"});
      Error(Code::kKeyword, place.where, Quote(place.text) + " is no stage")
          .Help(near ? "a stage with a near name is " + Quote(*near)
                     : "a tensor stands `on first`, `on last` or `on first, last`, and with `of AXIS` on the ends of "
                       "an axis");
    }
  }
  out.on.push_back(std::move(on));
}

}  // namespace aoa::parse
