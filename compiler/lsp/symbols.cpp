#include "compiler/lsp/symbols.h"

#include <fmt/format.h>

#include <map>

#include "compiler/core/text.h"
#include "compiler/lsp/position.h"
#include "compiler/parse/lexemes.h"

namespace aoa::lsp {
namespace {

using nlohmann::json;

// Of the protocol's SymbolKind.
enum SymbolKind { kNamespace = 3, kClass = 5, kField = 8, kInterface = 11, kFunction = 12, kConstant = 14 };

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

class Outline {
 public:
  explicit Outline(const Analysis& analysis) : source_(*analysis.main), file_(analysis.file()) {}

  json Run() {
    FindBlocks();
    json out = json::array();
    for (const ast::Item& item : file_.items) {
      std::visit(Overloaded{[&](const ast::DimsBlock& node) { out.push_back(Dims(node)); },
                            [&](const ast::Side& node) { out.push_back(Side(node)); },
                            [&](const ast::Map& node) { out.push_back(Map(node)); }, [](const auto&) {}},
                 item);
    }
    return out;
  }

 private:
  // Where each block ends, by the place of its `{`.
  void FindBlocks() {
    std::vector<uint32_t> open;
    for (const parse::Lexeme& lexeme : parse::ReadLexemes(source_)) {
      if (lexeme.kind == parse::Lexeme::Kind::kOpenBlock) open.push_back(lexeme.begin);
      if (lexeme.kind != parse::Lexeme::Kind::kCloseBlock || open.empty()) continue;
      ends_[open.back()] = lexeme.end;
      open.pop_back();
    }
  }

  json Symbol(std::string name, std::string detail, SymbolKind kind, SourceRange all, SourceRange selected) const {
    json symbol = {{"name", name.empty() ? "?" : Printable(name)},
                   {"kind", static_cast<int>(kind)},
                   {"range", ToJson(Join(all, selected))},
                   {"selectionRange", ToJson(selected)}};
    if (!detail.empty()) symbol["detail"] = Printable(detail);
    return symbol;
  }

  // From its head to its `}`; the head alone while there is none.
  json Block(std::string name, SymbolKind kind, SourceRange head, json children) const {
    auto block = ends_.lower_bound(head.begin);
    SourceRange all = head;
    if (block != ends_.end() && block->first <= head.end + 1) all.end = std::max(all.end, block->second);
    json symbol = Symbol(std::move(name), "", kind, all, head);
    symbol["children"] = std::move(children);
    return symbol;
  }

  json Dims(const ast::DimsBlock& node) const {
    json children = json::array();
    for (const ast::Equation& e : node.equations)
      children.push_back(Symbol(e.name.text, std::string(e.where.text()), kConstant, e.where, e.name.where));
    return Block("dims", kNamespace, node.where, std::move(children));
  }

  json Side(const ast::Side& node) const {
    json children = json::array();
    AddAll(node.items, children);
    return Block("side " + node.name.text, kClass, node.where, std::move(children));
  }

  json Map(const ast::Map& node) const {
    json children = json::array();
    AddAll(node.items, children);
    return Block(fmt::format("map {} {}", node.left.text, node.right.text), kInterface, node.where,
                 std::move(children));
  }

  template <class Item>
  void AddAll(const std::vector<Item>& items, json& out) const {
    for (const Item& item : items) {
      std::visit(Overloaded{[&](const ast::Declaration& d) {
                              std::string type = d.type ? std::string(d.type->where.text()) : "";
                              out.push_back(Symbol(d.name.text, type, kField, d.where, d.name.where));
                            },
                            [&](const ast::Statement& s) {
                              out.push_back(Symbol(std::string(s.where.text()), "", kFunction, s.where, s.where));
                            },
                            [&](const ast::For<Item>& node) { AddAll(node.body, out); },
                            [&](const ast::If<Item>& node) {
                              AddAll(node.then, out);
                              AddAll(node.otherwise, out);
                            },
                            [](const auto&) {}},
                 item.item);
    }
  }

  const SourceFile& source_;
  const ast::File& file_;
  std::map<uint32_t, uint32_t> ends_;
};

}  // namespace

json SymbolsOf(const Analysis& analysis) { return Outline(analysis).Run(); }

}  // namespace aoa::lsp
