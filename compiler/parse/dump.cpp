// The tree as text: `--emit=ast`. Places are left out, so equal trees have equal dumps however their text is laid out.
#include <fmt/format.h>

#include <iterator>

#include "compiler/parse/parse.h"

namespace aoa::parse {
namespace {

// Text as a JSON string, so that it stays on its line.
std::string Json(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += std::string("\\") + c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string NumberText(double number, const std::optional<int64_t>& integer) {
  return integer ? std::to_string(*integer) : fmt::format("{}", number);
}

std::string_view ArrowText(ast::Arrow arrow) {
  return arrow == ast::Arrow::kBoth ? "<->" : arrow == ast::Arrow::kRight ? "->" : "<-";
}

class Dumper {
 public:
  std::string Run(const ast::File& file) {
    Line("file");
    Nested nested(*this);
    for (const ast::Item& item : file.items) std::visit([&](const auto& node) { Node(node); }, item);
    return std::move(out_);
  }

 private:
  // One level deeper, as long as it lives.
  struct Nested {
    explicit Nested(Dumper& dumper) : level(dumper.level_) { ++level; }
    ~Nested() { --level; }
    int& level;
  };

  template <class... Parts>
  void Line(fmt::format_string<Parts...> format, Parts&&... parts) {
    out_.append(static_cast<size_t>(level_) * 2, ' ');
    fmt::format_to(std::back_inserter(out_), format, std::forward<Parts>(parts)...);
    out_ += '\n';
  }

  static std::string Names(const std::vector<ast::Ident>& names) {
    std::string out;
    for (const ast::Ident& name : names) out += " " + name.text;
    return out;
  }
  static std::string NameText(const ast::Name& name) { return name.quoted ? Json(name.text) : name.text; }

  template <class Item>
  void Block(std::string_view head, const std::vector<Item>& items) {
    Line("{}", head);
    Nested nested(*this);
    for (const Item& item : items) std::visit([&](const auto& node) { Node(node); }, item.item);
  }

  // ------------------------------------------------------------ the file

  void Node(const ast::Family& node) { Line("family {}", node.name.text); }
  void Node(const ast::Import& node) { Line("import {}", Json(node.path)); }
  void Node(const ast::Side& node) { Block(fmt::format("side {}", node.name.text), node.items); }
  void Node(const ast::Map& node) { Block(fmt::format("map {} <-> {}", node.left.text, node.right.text), node.items); }

  void Node(const ast::Default& node) {
    Line("default");
    Nested nested(*this);
    if (node.from) Line("from {} {}", node.from->side.text, Json(node.from->path));
    if (node.to) Line("to {} {}", node.to->side.text, Json(node.to->path));
  }

  void Node(const ast::DimsBlock& node) {
    Line("dims");
    Nested nested(*this);
    for (const ast::Equation& equation : node.equations) Node(equation);
  }

  void Node(const ast::Equation& node) {
    switch (node.kind) {
      case ast::Equation::Kind::kNumber:
        Line("equation {}", node.name.text);
        break;
      case ast::Equation::Kind::kAlias:
        Line("alias {}", node.name.text);
        break;
      case ast::Equation::Kind::kDefault:
        Line("default {}", node.name.text);
        break;
      case ast::Equation::Kind::kValue:
        Line("value {}", node.name.text);
        break;
    }
    Nested nested(*this);
    if (node.axis)
      Node(*node.axis);
    else
      Node(*node.value);
  }

  // ------------------------------------------------------------ sides

  void Node(const ast::Format& node) {
    Line("format {}{}", node.name.text, node.variant ? " " + node.variant->text : "");
  }
  void Node(const ast::Like& node) { Line("like {}", node.side.text); }
  void Node(const ast::MeshLine& node) { Line("mesh{}", Names(node.axes)); }
  void Node(const ast::Overlay& node) { Line("overlay{} on{}", Names(node.axes), Names(node.on)); }

  void Node(const ast::Place& node) {
    Line("place {} on {}", node.variable.text, node.axis.text);
    Nested nested(*this);
    if (node.interleave) Expression("interleave", *node.interleave);
    if (!node.by.empty()) {
      Line("by");
      Nested counts(*this);
      for (const ast::ExprPtr& count : node.by) Node(*count);
    }
    if (node.surplus) Line("surplus {}", node.surplus->text);
    if (node.numbered_locally) Line("numbered locally");
  }

  void Node(const ast::Role& node) {
    Line("{} {} {}{}", node.scalar ? "scalar" : "state", node.role.text, Json(node.name_template),
         DTypeText(node.dtype));
    Nested nested(*this);
    if (node.computed) Node(*node.computed);
  }

  void Node(const ast::Zero& node) { Line("zero {} by {}", node.axis.text, node.by.text); }

  void Node(const ast::Config& node) {
    Line("config");
    Nested nested(*this);
    for (const ast::ConfigEntry& entry : node.entries) Line("entry {} {}", Json(entry.key.text), entry.name.text);
  }

  void Node(const ast::Remove& node) {
    Line("remove");
    Nested nested(*this);
    for (const ast::Name& name : node.names) Line("name {}", NameText(name));
  }

  void Node(const ast::Declaration& node) {
    Line("tensor {}{}", NameText(node.name), DTypeText(node.dtype));
    Nested nested(*this);
    if (node.type) Node(*node.type);
    if (node.optional) Line("optional");
    if (node.tied) Line("tied {}", NameText(*node.tied));
    if (node.blocks_of) Line("blocks of {} [{}]", NameText(*node.blocks_of), fmt::join(node.blocks, " "));
    for (const ast::On& on : node.on) {
      std::string of = on.axis ? " of " + on.axis->text : "";
      if (on.first) Line("on first{}", of);
      if (on.last) Line("on last{}", of);
    }
    if (node.replicas_mean) Line("replicas mean");
    if (node.group) Line("group {}", node.group->text);
  }

  // ------------------------------------------------------------ for, if

  template <class Item>
  void Node(const ast::For<Item>& node) {
    Line("for {}", node.variable.text);
    Nested nested(*this);
    Expression("from", *node.from);
    Expression("to", *node.to);
    Block("do", node.body);
  }

  template <class Item>
  void Node(const ast::If<Item>& node) {
    Line("if");
    Nested nested(*this);
    Node(*node.condition);
    Block("then", node.then);
    if (!node.otherwise.empty()) Block("else", node.otherwise);
  }

  // ------------------------------------------------------------ maps

  void Node(const ast::Statement& node) {
    Line("statement {}", ArrowText(node.arrow));
    Nested nested(*this);
    for (const ast::Operand& operand : node.left) Operand("left", operand);
    for (const ast::Operand& operand : node.right) Operand("right", operand);
    for (const ast::Attribute& attribute : node.attributes) Node(attribute);
  }

  void Operand(std::string_view side, const ast::Operand& node) {
    Line("{} {}{}{}{}", side, node.blank ? "_" : NameText(node.name),
         node.slice ? fmt::format("[{}:{}]", node.slice->first, node.slice->second) : "", node.transposed ? "^T" : "",
         DTypeText(node.dtype));
    Nested nested(*this);
    if (node.type) Node(*node.type);
  }

  void Node(const ast::Attribute& node) {
    switch (node.kind) {
      case ast::Attribute::Value::kFlag:
        return Line("flag {}", node.key.text);
      case ast::Attribute::Value::kNumber:
        return Line("attribute {} number {}", node.key.text, NumberText(node.number, node.integer));
      case ast::Attribute::Value::kWord:
        return Line("attribute {} word {}", node.key.text, node.text);
      case ast::Attribute::Value::kString:
        return Line("attribute {} string {}", node.key.text, Json(node.text));
    }
  }

  // ------------------------------------------------------------ types

  static std::string DTypeText(const std::optional<DType>& type) {
    return type ? fmt::format(" : {}", Name(*type)) : "";
  }

  void Node(const ast::Type& node) {
    Line("type");
    {
      Nested nested(*this);
      for (const ast::Axis& axis : node.axes) Node(axis);
    }
    if (!node.stored) return;
    Line("stored");
    Nested nested(*this);
    for (const ast::Axis& axis : *node.stored) Node(axis);
  }

  void Node(const ast::Axis& node) {
    std::string cut;
    if (node.cut) {
      for (size_t i = 0; i < node.cut->axes.size(); ++i) cut += (i == 0 ? " @" : ".") + node.cut->axes[i].text;
      if (node.cut->rounding) cut += "~" + node.cut->rounding->text;
    }
    switch (node.kind) {
      case ast::Axis::Kind::kVar:
        return Line("axis {}{}", node.name.text, cut);
      case ast::Axis::Kind::kLiteral:
        return Line("axis {}:{}{}", node.name.text, node.extent, cut);
      case ast::Axis::Kind::kOne:
        return Line("axis 1{}", cut);
      case ast::Axis::Kind::kAny:
        return Line("axis _{}", cut);
      case ast::Axis::Kind::kProduct:
        Line("product{}", cut);
        break;
      case ast::Axis::Kind::kSum:
        Line("sum{}", cut);
        break;
      case ast::Axis::Kind::kPad:
        Line("pad{}", cut);
        break;
    }
    Nested nested(*this);
    for (const ast::Axis& part : node.parts) Node(part);
    if (node.multiple) Expression("multiple", *node.multiple);
  }

  // ------------------------------------------------------------ expressions

  void Expression(std::string_view role, const ast::Expr& node) {
    Line("{}", role);
    Nested nested(*this);
    Node(node);
  }

  void Node(const ast::Expr& node) {
    switch (node.kind) {
      case ast::Expr::Kind::kNumber:
        return Line("number {}", NumberText(node.number, node.integer));
      case ast::Expr::Kind::kString:
        return Line("string {}", Json(node.text));
      case ast::Expr::Kind::kBool:
        return Line("{}", node.number != 0);
      case ast::Expr::Kind::kName:
        return Line("name {}", node.text);
      case ast::Expr::Kind::kConfig:
        return Line("config {}", node.text);
      case ast::Expr::Kind::kVariable:
        return Line("variable {}", node.text);
      case ast::Expr::Kind::kUnary:
        Line("unary {}", node.text);
        break;
      case ast::Expr::Kind::kBinary:
        Line("binary {}", node.text);
        break;
      case ast::Expr::Kind::kCall:
        Line("call {}", node.text);
        break;
      case ast::Expr::Kind::kElse:
        Line("else");
        break;
    }
    Nested nested(*this);
    for (const ast::ExprPtr& arg : node.args) Node(*arg);
  }

  std::string out_;
  int level_ = 0;
};

}  // namespace

std::string Dump(const ast::File& file) { return Dumper().Run(file); }

}  // namespace aoa::parse
