// The names that rules use as dimensions, wherever they stand: what `-D` may set.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "compiler/bind/unit.h"

namespace aoa::bind {

class NameCollector {
 public:
  explicit NameCollector(std::set<std::string>& names) : names_(names) {}

  void Note(const ast::Expr* expression) {
    if (!expression) return;
    if (expression->kind == ast::Expr::Kind::kName) names_.insert(expression->text);
    for (const ast::ExprPtr& arg : expression->args) Note(arg.get());
  }
  void Note(const ast::Axis& axis) {
    if (axis.kind == ast::Axis::Kind::kVar) names_.insert(axis.name.text);
    Note(axis.multiple.get());
    for (const ast::Axis& part : axis.parts) Note(part);
  }
  void Note(const std::optional<ast::Type>& type) {
    if (!type) return;
    for (const ast::Axis& axis : type->axes) Note(axis);
    if (!type->stored) return;
    for (const ast::Axis& axis : *type->stored) Note(axis);
  }
  void Note(const Pattern& pattern) {
    for (const std::string& name : pattern.Variables()) names_.insert(name);
    for (const PatternPart& part : pattern.parts) Note(part.expression.get());
  }
  void Note(const Context& context) {
    for (const Guard& guard : context.guards) Note(guard.condition);
    for (const VariableRange& range : context.ranges) {
      Note(range.from.get());
      Note(range.to.get());
    }
  }

 private:
  std::set<std::string>& names_;
};

}  // namespace aoa::bind
