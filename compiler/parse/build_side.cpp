#include "compiler/parse/build_choice.h"
#include "compiler/parse/builder.h"

namespace aoa::parse {

using diag::Code;

void Builder::Add(AoaParser::SideBlockContext* tree, std::vector<ast::Item>& out) {
  ast::Side side;
  side.items = Build(tree->items);
  if (!Good(tree->head)) return;
  side.name = Build(tree->head->name);
  side.where = Range(tree->head);
  out.emplace_back(std::move(side));
}

std::vector<ast::SideItem> Builder::Build(const std::vector<AoaParser::SideItemContext*>& trees) {
  std::vector<ast::SideItem> items;
  for (AoaParser::SideItemContext* tree : trees) Add(tree, items);
  return items;
}

void Builder::Add(AoaParser::SideItemContext* tree, std::vector<ast::SideItem>& out) {
  if (tree->format) return Add(tree->format, out);
  if (tree->like) return Add(tree->like, out);
  if (tree->mesh) return Add(tree->mesh, out);
  if (tree->overlay) return Add(tree->overlay, out);
  if (tree->place) return Add(tree->place, out);
  if (tree->role) return Add(tree->role, out);
  if (tree->zero) return Add(tree->zero, out);
  if (tree->config) return Add(tree->config, out);
  if (tree->remove) return Add(tree->remove, out);
  if (tree->loop) return Add(tree->loop, out);
  if (tree->choice) return Add(tree->choice, out);
  if (tree->tensor) return Add(tree->tensor, out);
  if (tree->dims) out.push_back({Build(tree->dims)});
}

void Builder::Add(AoaParser::FormatLineContext* tree, std::vector<ast::SideItem>& out) {
  if (!Good(tree)) return;
  ast::Format format{Build(tree->name), std::nullopt, Range(tree)};
  if (tree->variant) format.variant = Build(tree->variant);
  out.push_back({std::move(format)});
}

void Builder::Add(AoaParser::LikeLineContext* tree, std::vector<ast::SideItem>& out) {
  if (Good(tree)) out.push_back({ast::Like{Build(tree->name), Range(tree)}});
}

void Builder::Add(AoaParser::MeshLineContext* tree, std::vector<ast::SideItem>& out) {
  if (Good(tree)) out.push_back({ast::MeshLine{Identifiers(tree->axes, "a mesh axis"), Range(tree)}});
}

void Builder::Add(AoaParser::OverlayLineContext* tree, std::vector<ast::SideItem>& out) {
  if (!Good(tree)) return;
  out.push_back(
      {ast::Overlay{Identifiers(tree->axes, "a mesh axis"), Identifiers(tree->over, "a mesh axis"), Range(tree)}});
}

void Builder::Add(AoaParser::PlaceLineContext* tree, std::vector<ast::SideItem>& out) {
  if (!Good(tree)) return;
  ast::Place place;
  place.variable = Identifier(tree->variable, "a variable");
  place.axis = Identifier(tree->axis, "a mesh axis");
  place.where = Range(tree);
  for (AoaParser::PlaceTermContext* term : tree->terms) Add(term, place);
  out.push_back({std::move(place)});
}

void Builder::Add(AoaParser::PlaceTermContext* tree, ast::Place& out) {
  bool again = (tree->rounds && out.interleave) || (tree->counts && !out.by.empty()) ||
               (tree->surplus && out.surplus) || (tree->numbered && out.numbered_locally);
  if (again) {
    Error(Code::kSyntax, Range(tree->start), Quote(TextOf(tree->start)) + " stands twice in one `place` line");
  } else if (tree->rounds) {
    out.interleave = NumberOrName(tree->rounds);
  } else if (tree->counts) {
    for (const antlr4::Token* count : Values(tree->counts)) {
      ast::Expr number;
      number.integer = Integer(count, "the count of a stage");
      number.number = static_cast<double>(*number.integer);
      number.where = Range(count);
      out.by.push_back(std::make_shared<ast::Expr>(std::move(number)));
    }
    if (out.by.empty())
      Error(Code::kSyntax, Range(tree->counts), "`by` without counts")
          .Help("write one count for each stage: `by [9, 8, 8, 7]`");
  } else if (tree->surplus) {
    out.surplus = Build(tree->surplus);
    if (out.surplus->text != "first" && out.surplus->text != "last") {
      Error(Code::kKeyword, out.surplus->where, Quote(out.surplus->text) + " says not where the surplus goes")
          .Help("write `surplus first` or `surplus last`");
    }
  } else {
    out.numbered_locally = true;
    ast::Ident how = Build(tree->numbered);
    if (how.text != "locally")
      Error(Code::kKeyword, how.where, Quote(how.text) + " stands after `numbered`").Help("write `numbered locally`");
  }
}

void Builder::Add(AoaParser::RoleLineContext* tree, std::vector<ast::SideItem>& out) {
  if (!Good(tree)) return;
  ast::Role role;
  role.scalar = tree->scalar != nullptr;
  role.role = Identifier(tree->role, "a role");
  role.name_template = Unquote(tree->pattern);
  role.template_where = Range(tree->pattern);
  if (tree->dtype) role.dtype = BuildDType(tree->dtype);
  if (tree->value) role.computed = BuildRoot(tree->value);
  role.where = Range(tree);
  const std::string& text = role.name_template;
  size_t hole = text.find('{'), close = text.find('}', hole == std::string::npos ? 0 : hole);
  if (close == std::string::npos) hole = std::string::npos;
  if (hole == std::string::npos || text.find_first_of("{}", close + 1) != std::string::npos) {
    Error(Code::kSyntax, role.template_where,
          hole == std::string::npos ? "a template without `{}`" : "a template with more than one `{}`")
        .Help("`{}` stands for the name of the weight: `\"{}.exp_avg\"`");
  }
  out.push_back({std::move(role)});
}

void Builder::Add(AoaParser::ZeroLineContext* tree, std::vector<ast::SideItem>& out) {
  if (Good(tree))
    out.push_back({ast::Zero{Identifier(tree->axis, "a mesh axis"), Build(tree->partition), Range(tree)}});
}

void Builder::Add(AoaParser::ConfigBlockContext* tree, std::vector<ast::SideItem>& out) {
  ast::Config config;
  config.where = Range(tree->head);
  for (AoaParser::ConfigEntryContext* entry : tree->entries) {
    if (!Good(entry)) continue;
    ast::Ident key = IdentOf(entry->key);
    if (entry->key->getType() == AoaParser::STRING) key.text = Unquote(entry->key);
    config.entries.push_back({std::move(key), Identifier(entry->name, "a dimension or a value"), Range(entry)});
  }
  out.push_back({std::move(config)});
}

void Builder::Add(AoaParser::RemoveLineContext* tree, std::vector<ast::SideItem>& out) {
  if (!Good(tree)) return;
  ast::Remove remove;
  remove.where = Range(tree);
  for (AoaParser::TensorNameContext* name : tree->names) remove.names.push_back(Build(name));
  out.push_back({std::move(remove)});
}

void Builder::Add(AoaParser::SideForContext* tree, std::vector<ast::SideItem>& out) { AddFor(tree, out); }

void Builder::Add(AoaParser::SideIfContext* tree, std::vector<ast::SideItem>& out) { AddIf(tree, out); }

}  // namespace aoa::parse
