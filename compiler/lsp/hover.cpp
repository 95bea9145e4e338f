#include "compiler/lsp/hover.h"

#include <fmt/format.h>

#include <set>

#include "compiler/core/text.h"
#include "compiler/lsp/definition.h"
#include "compiler/lsp/mentions.h"

namespace aoa::lsp {
namespace {

using Kind = Mention::Kind;

constexpr size_t kMostTensors = 8;  // declarations that one name shows
constexpr size_t kLongestValue = 200;

std::string Code(const std::string& text) { return "```aoa\n" + text + "\n```\n"; }

// "if config.a, not config.b"
std::string ConditionText(const bind::Context& context) {
  std::string text;
  for (const bind::Guard& guard : context.guards) {
    std::string condition = bind::ToString(*guard.condition);
    text += fmt::format("{}{}`{}`", text.empty() ? "if " : " and ", guard.negated ? "not " : "", condition);
  }
  return text;
}

class Describer {
 public:
  Describer(const Analysis& analysis, const Checkpoint* checkpoint, Extents& extents)
      : analysis_(analysis), checkpoint_(checkpoint), extents_(extents) {}

  std::string Text(const Mention& mention) {
    switch (mention.kind) {
      case Kind::kTensor:
        return Tensor(mention);
      case Kind::kDimension:
        return Dimension(mention);
      case Kind::kAxis:
        return MeshAxis(mention);
      case Kind::kSide:
        return SideText(mention.name);
      case Kind::kImport:
        return fmt::format("`{}`", Printable(ImportPath(analysis_.main->path(), mention.name)));
      case Kind::kConfig:
        return Config(mention.name);
    }
    return "";
  }

 private:
  std::string Tensor(const Mention& mention) {
    std::string text;
    for (const std::string& side : mention.sides) {
      auto declarations = DeclarationsOf(analysis_, side, *mention.tensor);
      for (size_t i = 0; i < declarations.size(); ++i) {
        if (i == kMostTensors) {
          text += fmt::format("and {} more\n", declarations.size() - i);
          break;
        }
        text += (text.empty() ? "" : "\n") + Declaration(*declarations[i], side);
      }
    }
    return text;
  }

  std::string Declaration(const bind::Declaration& d, const std::string& side) {
    const ast::Declaration& node = *d.node;
    std::string line = d.pattern.text();
    if (node.type) line += "  " + std::string(node.type->where.text());
    if (node.dtype) line += fmt::format(" : {}", Name(*node.dtype));
    if (node.optional) line += "  optional";
    std::string text = Code(line);
    std::string condition = ConditionText(d.context);
    text += fmt::format("side `{}`{}{}\n", side, condition.empty() ? "" : ", ", condition);
    if (node.type) text += Shape(extents_.TypeOf(side, *node.type));
    return text + Stored(d.pattern);
  }

  static std::string Shape(const TensorType& type) {
    std::string variables = Extents::VariablesText(type);
    return fmt::format("\nextents `{}`{}{}\n", Extents::ShapeText(type), variables.empty() ? "" : ": ", variables);
  }

  // What the checkpoint holds under such names.
  std::string Stored(const bind::Pattern& pattern) const {
    if (!checkpoint_ || pattern.HasExtent()) return "";
    const Schema& schema = checkpoint_->schema;
    std::set<uint32_t> names;
    const StoredTensor* first = nullptr;
    for (const SchemaTable& table : schema.tables) {
      for (const StoredTensor& t : table) {
        if (!names.contains(t.name) && !pattern.Match(schema.names[t.name])) continue;
        names.insert(t.name);
        if (!first) first = &t;
      }
    }
    if (!first) return "\nnot in the checkpoint\n";
    return fmt::format("\nin the checkpoint: `{}` {}{}{}\n", ToString(schema.shapes[first->shape]), Name(first->dtype),
                       schema.has_mesh ? " on a rank" : "",
                       names.size() == 1 ? "" : fmt::format(", {} tensors", names.size()));
  }

  std::string Dimension(const Mention& mention) {
    std::string text = Code(mention.name);
    const ast::Equation* equation = mention.loop ? nullptr : EquationOf(analysis_, mention);
    if (mention.loop) text += "the variable of a `for`\n";
    if (equation) text = Code(std::string(equation->where.text()));
    if (equation && equation->axis) {
      Axis axis = extents_.AxisOf(mention.sides.empty() ? "" : mention.sides.front(), *equation->axis);
      return text + fmt::format("{}\n", Extents::ExtentText(axis));
    }
    std::vector<std::string> sides = mention.sides;
    if (sides.empty()) sides.push_back("");
    for (const std::string& side : sides) {
      auto value = extents_.ValueOf(side, mention.name);
      if (value) return text + *value + "\n";
    }
    return text;
  }

  std::string MeshAxis(const Mention& mention) const {
    std::string text = Code(mention.name) + "an axis of the mesh";
    for (const std::string& side : mention.sides) text += fmt::format(" of side `{}`", side);
    return text + "\n";
  }

  std::string SideText(const std::string& name) const {
    auto found = analysis_.unit.sides.find(name);
    if (found == analysis_.unit.sides.end()) return "";
    const bind::Side& side = found->second;
    std::string text = Code("side " + name);
    for (const auto& line : side.formats) text += fmt::format("`{}`\n", line.node->where.text());
    for (const auto& line : side.meshes) text += fmt::format("`{}`\n", line.node->where.text());
    size_t count = side.declarations.size();
    text += fmt::format("{} tensor name{}\n", count, count == 1 ? "" : "s");
    bool here = checkpoint_ && SideOf(analysis_.unit, checkpoint_->schema) == &side;
    return here ? text + fmt::format("\nthe checkpoint {} is of this side\n", Printable(checkpoint_->path)) : text;
  }

  std::string Config(const std::string& path) const {
    std::string text = Code("config." + path);
    if (!checkpoint_ || !checkpoint_->config) return text + "a key of the model's configuration\n";
    bind::Value value = bind::FromConfig(*checkpoint_->config, path);
    if (value.kind == bind::Value::Kind::kAbsent) return text + "not in the configuration\n";
    return text + Printable(value.Show().substr(0, kLongestValue)) + "\n";
  }

  const Analysis& analysis_;
  const Checkpoint* checkpoint_;
  Extents& extents_;
};

}  // namespace

std::optional<Hover> HoverAt(const Analysis& analysis, const Checkpoint* checkpoint, Extents& extents,
                             uint32_t offset) {
  auto mention = MentionAt(analysis.file(), offset);
  if (!mention) return std::nullopt;
  std::string text = Describer(analysis, checkpoint, extents).Text(*mention);
  if (text.empty()) return std::nullopt;
  return Hover{std::move(text), mention->where};
}

}  // namespace aoa::lsp
