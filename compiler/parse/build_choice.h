// `if` and `for`, which sides and maps have in common: their trees have the same labels.
#pragma once

#include "compiler/parse/builder.h"

namespace aoa::parse {

// Each `else if` is an `if` inside the one before it, and whoever walks the tree recurses.
inline constexpr size_t kMostElseIfs = 64;

template <class Item, class Tree>
void Builder::AddFor(Tree* tree, std::vector<Item>& out) {
  ast::For<Item> loop;
  loop.body = Build(tree->body);
  if (!Good(tree->head)) return;
  loop.variable = IdentOf(tree->head->variable);
  loop.from = BuildRoot(tree->head->from);
  loop.to = BuildRoot(tree->head->to);
  loop.where = Range(tree->head);
  if (loop.from && loop.to) out.push_back({std::move(loop)});
}

template <class Item, class Tree>
void Builder::AddIf(Tree* tree, std::vector<Item>& out) {
  bool good = true;
  auto branch = [&](auto* head, auto* then) {
    ast::If<Item> choice;
    if (Good(head)) {
      choice.condition = BuildRoot(head->condition);
      choice.where = Range(head);
    }
    if (then) choice.then = Build(then->items);
    good = good && choice.condition && then;
    return choice;
  };
  ast::If<Item> first = branch(tree->head, tree->then);
  std::vector<Item> otherwise;
  if (tree->otherwise) otherwise = Build(tree->otherwise->items);
  if (tree->more.size() > kMostElseIfs) {
    Error(diag::Code::kTooDeep, Range(tree->more[kMostElseIfs]->start),
          "more than " + std::to_string(kMostElseIfs) + " `else if` in a row");
    return;
  }
  for (size_t i = tree->more.size(); i-- > 0;) {
    ast::If<Item> choice = branch(tree->more[i]->head, tree->more[i]->then);
    choice.otherwise = std::move(otherwise);
    otherwise.clear();
    otherwise.push_back({std::move(choice)});
  }
  first.otherwise = std::move(otherwise);
  if (good) out.push_back({std::move(first)});
}

}  // namespace aoa::parse
