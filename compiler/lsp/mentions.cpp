#include "compiler/lsp/mentions.h"

#include <algorithm>

namespace aoa::lsp {
namespace {

using Kind = Mention::Kind;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

bool IsWordCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

class Collector {
 public:
  std::vector<Mention> Run(const ast::File& file) {
    for (const ast::Item& item : file.items) std::visit([&](const auto& node) { Read(node); }, item);
    std::erase_if(out_, [](const Mention& mention) { return !mention.where; });  // what mistakes left without a place
    return std::move(out_);
  }

 private:
  Mention& Add(Kind kind, SourceRange where, std::string name) {
    return out_.emplace_back(Mention{kind, where, std::move(name), scope_});
  }
  void Dimension(SourceRange where, const std::string& name) {
    Mention& mention = Add(Kind::kDimension, where, name);
    auto loop = std::find_if(loops_.rbegin(), loops_.rend(), [&](const ast::Ident& v) { return v.text == name; });
    if (loop != loops_.rend()) mention.loop = loop->where;
  }
  void Axes(const std::vector<ast::Ident>& axes) {
    for (const ast::Ident& axis : axes) Add(Kind::kAxis, axis.where, axis.text);
  }

  // ------------------------------------------------------------ parts of lines

  void Read(const ast::ExprPtr& expression) {
    if (!expression) return;
    bool name = expression->kind == ast::Expr::Kind::kName || expression->kind == ast::Expr::Kind::kVariable;
    if (name) Dimension(expression->where, expression->text);
    if (expression->kind == ast::Expr::Kind::kConfig) Add(Kind::kConfig, expression->where, expression->text);
    for (const ast::ExprPtr& arg : expression->args) Read(arg);
  }
  void Read(const ast::Axis& axis) {
    if (axis.kind == ast::Axis::Kind::kVar) Dimension(axis.name.where, axis.name.text);
    for (const ast::Axis& part : axis.parts) Read(part);
    Read(axis.multiple);
    if (axis.cut) Axes(axis.cut->axes);
  }
  void Read(const std::optional<ast::Type>& type) {
    if (!type) return;
    for (const ast::Axis& axis : type->axes) Read(axis);
    if (!type->stored) return;
    for (const ast::Axis& axis : *type->stored) Read(axis);
  }
  void Tensor(const ast::Name& name) { Add(Kind::kTensor, name.where, name.text).tensor = &name; }
  // `$l` and `${l+2}` in the name of a declaration are of a dimension; elsewhere the whole name is of a tensor.
  void Variables(const ast::Name& name) {
    if (name.quoted) return;
    std::string_view text = name.where.text();
    for (size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
      size_t begin = at + 1;
      while (begin < text.size() && (text[begin] == '{' || text[begin] == '=')) ++begin;
      size_t end = begin;
      while (end < text.size() && IsWordCharacter(text[end])) ++end;
      if (end == begin) continue;
      uint32_t first = name.where.begin + static_cast<uint32_t>(begin);
      Dimension({name.where.file, first, name.where.begin + static_cast<uint32_t>(end)},
                std::string(text.substr(begin, end - begin)));
    }
  }

  // ------------------------------------------------------------ items of a file

  void Read(const ast::Family&) {}
  void Read(const ast::Import& node) { Add(Kind::kImport, node.path_where, node.path); }
  void Read(const ast::DimsBlock& node) {
    for (const ast::Equation& equation : node.equations) {
      Dimension(equation.name.where, equation.name.text);
      Read(equation.value);
      if (equation.axis) Read(*equation.axis);
    }
  }
  void Read(const ast::Default& node) {
    for (const auto* end : {&node.from, &node.to}) {
      if (*end) Add(Kind::kSide, (*end)->side.where, (*end)->side.text);
    }
  }
  void Read(const ast::Side& node) {
    Add(Kind::kSide, node.name.where, node.name.text);
    scope_ = {node.name.text};
    ReadAll(node.items);
    scope_.clear();
  }
  void Read(const ast::Map& node) {
    for (const ast::Ident* side : {&node.left, &node.right}) Add(Kind::kSide, side->where, side->text);
    left_ = node.left.text;
    right_ = node.right.text;
    scope_ = {left_, right_};
    ReadAll(node.items);
    scope_.clear();
  }

  template <class Item>
  void ReadAll(const std::vector<Item>& items) {
    for (const Item& item : items) std::visit([&](const auto& node) { Read(node); }, item.item);
  }
  template <class Item>
  void Read(const ast::For<Item>& node) {
    Read(node.from);
    Read(node.to);
    loops_.push_back(node.variable);
    Dimension(node.variable.where, node.variable.text);
    ReadAll(node.body);
    loops_.pop_back();
  }
  template <class Item>
  void Read(const ast::If<Item>& node) {
    Read(node.condition);
    ReadAll(node.then);
    ReadAll(node.otherwise);
  }

  // ------------------------------------------------------------ lines of a side

  void Read(const ast::Format&) {}
  void Read(const ast::MeshLine& node) { Axes(node.axes); }
  void Read(const ast::Like& node) { Add(Kind::kSide, node.side.where, node.side.text); }
  void Read(const ast::Overlay& node) {
    Axes(node.axes);
    Axes(node.on);
  }
  void Read(const ast::Place& node) {
    Dimension(node.variable.where, node.variable.text);
    Axes({node.axis});
    Read(node.interleave);
  }
  void Read(const ast::Role& node) { Read(node.computed); }
  void Read(const ast::Zero& node) { Axes({node.axis}); }
  void Read(const ast::Config& node) {
    for (const ast::ConfigEntry& entry : node.entries) Dimension(entry.name.where, entry.name.text);
  }
  void Read(const ast::Remove& node) {
    for (const ast::Name& name : node.names) Tensor(name);
  }
  void Read(const ast::Declaration& node) {
    Tensor(node.name);
    Variables(node.name);
    Read(node.type);
    for (const auto* other : {&node.tied, &node.blocks_of}) {
      if (*other) Tensor(**other);
    }
  }

  // ------------------------------------------------------------ lines of a map

  void Read(const ast::Statement& node) {
    Operands(node.left, left_);
    Operands(node.right, right_);
  }
  void Operands(const std::vector<ast::Operand>& operands, const std::string& side) {
    for (const ast::Operand& operand : operands) {
      if (operand.blank) continue;
      scope_ = {side};
      Tensor(operand.name);
      scope_ = {left_, right_};
      Read(operand.type);
    }
  }

  std::vector<Mention> out_;
  std::vector<std::string> scope_;
  std::vector<ast::Ident> loops_;
  std::string left_, right_;  // of the map
};

}  // namespace

std::vector<Mention> MentionsOf(const ast::File& file) { return Collector().Run(file); }

std::optional<Mention> MentionAt(const ast::File& file, uint32_t offset) {
  std::optional<Mention> best;
  for (Mention& mention : MentionsOf(file)) {
    if (offset < mention.where.begin || offset > mention.where.end) continue;
    if (!best || mention.where.end - mention.where.begin < best->where.end - best->where.begin)
      best = std::move(mention);
  }
  return best;
}

}  // namespace aoa::lsp
