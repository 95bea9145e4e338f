#include "compiler/bind/configuration.h"

#include <algorithm>
#include <string>
#include <vector>

namespace aoa::bind {
namespace {

using nlohmann::json;

bool Holds(const Context& context, size_t end, Dimensions& dimensions) {
  diag::Diagnostics ignored;  // conditions were checked with the run's other lines
  return Dimensions::Holds(context, dimensions.ScopeAt(end), ignored).value_or(false);
}

// The value at a dotted path, or null.
json At(const json& config, const std::string& path) {
  const json* at = &config;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find('.', begin), path.size());
    auto it = at->is_object() ? at->find(path.substr(begin, end - begin)) : at->end();
    if (it == at->end()) return nullptr;
    at = &*it;
    begin = end + 1;
  }
  return *at;
}

void Set(json& config, const std::string& path, json value) {
  json* at = &config;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find('.', begin), path.size());
    if (!at->is_object()) *at = json::object();
    at = &(*at)[path.substr(begin, end - begin)];
    begin = end + 1;
  }
  *at = std::move(value);
}

// Turns `name = expression` around: what configuration key must have which value for the name to have this one.
class Inverter {
 public:
  Inverter(const Unit& unit, const Side& side, json& common) : unit_(unit), side_(side), common_(common) {}

  void Name(const std::string& name, const json& value, int depth = 0) {
    if (depth > kDeepest) return;
    auto equation = side_.dims.find(name);
    if (equation == side_.dims.end()) {
      equation = unit_.dims.find(name);
      if (equation == unit_.dims.end()) return;
    }
    if (equation->second->value) Expression(*equation->second->value, value, depth);
  }

 private:
  static constexpr int kDeepest = 50;

  void Expression(const ast::Expr& e, const json& value, int depth) {
    switch (e.kind) {
      case ast::Expr::Kind::kConfig:
        Set(common_, e.text, value);
        break;
      case ast::Expr::Kind::kElse:
        Expression(*e.args[0], value, depth);
        break;
      case ast::Expr::Kind::kName:
        Name(e.text, value, depth + 1);
        break;
      case ast::Expr::Kind::kUnary:
        if (e.text == "not" && value.is_boolean()) Expression(*e.args[0], !value.get<bool>(), depth);
        break;
      default:  // what does not turn around is written only
        break;
    }
  }

  const Unit& unit_;
  const Side& side_;
  json& common_;
};

}  // namespace

std::optional<json> CommonConfiguration(const Unit& unit, const Side& side, const json& own) {
  if (side.config.empty()) return std::nullopt;
  json common = json::object();
  Inverter inverter(unit, side, common);
  for (const auto& line : side.config) {
    json value = At(own, line.node->key.text);
    if (!value.is_null()) inverter.Name(line.node->name.text, value);
  }
  return common;
}

std::optional<json> TargetConfiguration(const Program& program, const json* source, bool alike) {
  Dimensions& dimensions = *program.dimensions;
  size_t last = program.ends.size() - 1;
  const Side &from = *program.ends[0].side, &to = *program.ends[last].side;
  if (to.config.empty()) return std::nullopt;
  json config = alike && source && from.config.empty() ? *source : json::object();
  for (const auto& line : to.config) {
    if (!Holds(line.context, last, dimensions)) continue;
    json value;
    for (const auto& spelling : from.config) {
      if (source && spelling.node->name.text == line.node->name.text && Holds(spelling.context, 0, dimensions))
        value = At(*source, spelling.node->key.text);
    }
    if (value.is_null()) value = dimensions.ConfigValue(line.node->name.text, last);
    if (!value.is_null()) Set(config, line.node->key.text, std::move(value));
  }
  return config;
}

}  // namespace aoa::bind
