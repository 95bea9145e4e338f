#include "compiler/bind/dimensions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/bind/check_sides.h"
#include "compiler/bind/ranges.h"
#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;

// The first configuration key of an expression that the configuration lacks.
const ast::Expr* AbsentKey(const ast::Expr& e, const std::function<Value(const std::string&)>& config) {
  if (e.kind == ast::Expr::Kind::kConfig) return config(e.text).kind == Value::Kind::kAbsent ? &e : nullptr;
  if (e.kind == ast::Expr::Kind::kElse) return AbsentKey(*e.args[1], config);
  for (const ast::ExprPtr& arg : e.args) {
    if (const ast::Expr* found = AbsentKey(*arg, config)) return found;
  }
  return nullptr;
}

// The origins of a dimension that give different values, the first of each.
std::vector<const Origin*> Differing(const std::vector<Origin>& origins) {
  std::vector<const Origin*> out;
  for (const Origin& origin : origins) {
    if (std::none_of(out.begin(), out.end(), [&](const Origin* other) { return other->value == origin.value; }))
      out.push_back(&origin);
  }
  return out;
}

// "5: config.hidden_size = 5", but not "5: 5".
std::string Says(const Origin& origin) {
  std::string value = std::to_string(origin.value);
  return origin.text == value ? value : fmt::format("{}: {}", value, origin.text);
}

std::string FirstKey(const ast::Expr& e) {
  if (e.kind == ast::Expr::Kind::kConfig) return "config." + e.text;
  for (const ast::ExprPtr& arg : e.args) {
    if (std::string key = FirstKey(*arg); !key.empty()) return key;
  }
  return "";
}

void AllPaths(const nlohmann::json& value, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& [key, inner] : value.items()) {
    out.push_back(prefix + key);
    if (inner.is_object() && out.size() < 1000) AllPaths(inner, prefix + key + ".", out);
  }
}

}  // namespace

size_t Dimensions::AddEnd(const Side& side, std::map<std::string, int64_t> mesh_sizes) {
  End end;
  end.side = &side;
  end.mesh_sizes = std::move(mesh_sizes);
  for (const auto& [name, equation] : side.dims) end.local.insert(name);
  ends_.push_back(std::move(end));
  // Equations are evaluated from the start, wherever their names are met first.
  for (const auto& [name, equation] : unit_.dims) At(kFile, name);
  for (const auto& [name, equation] : side.dims) At(ends_.size() - 1, name);
  return ends_.size() - 1;
}

size_t Dimensions::AddSymbolicEnd(const Side& side) {
  std::map<std::string, int64_t> sizes;
  Mesh mesh;
  for (const std::string& axis : MeshAxesOf(side)) {
    sizes[axis] = 1;
    mesh.axes.push_back({axis, 1});
  }
  size_t end = AddEnd(side, std::move(sizes));
  SetMesh(end, std::move(mesh));
  Propagate();
  return end;
}

bool Dimensions::Define(const Definition& d, size_t from_end, size_t to_end) {
  if (!unit_.dimension_names.contains(d.name) || AliasAt(kFile, d.name)) return false;
  std::vector<SymbolId> symbols;
  std::string spelled = d.name;
  if (d.at == Definition::At::kBoth) {
    symbols.push_back(At(kFile, d.name));
    for (size_t end = 0; end < ends_.size(); ++end) {
      if (ends_[end].local.contains(d.name)) symbols.push_back(At(end, d.name));
    }
  } else {
    size_t end = d.at == Definition::At::kFrom ? from_end : to_end;
    spelled = (d.at == Definition::At::kFrom ? "from." : "to.") + d.name;
    ends_[end].local.insert(d.name);
    symbols.push_back(At(end, d.name));
  }
  for (SymbolId id : symbols) {
    Offer(id, {d.value, fmt::format("-D {}={}", spelled, d.value), {}});
    symbols_[id].from_command_line = true;
    symbols_[id].set_at_both_ends = symbols.size() > 2;  // the file's name, and one of each end
  }
  return true;
}

SymbolId Dimensions::At(size_t end, const std::string& name) {
  bool local = end < ends_.size() && ends_[end].local.contains(name);
  auto [it, added] = ids_.try_emplace({local ? end + 1 : 0, name}, symbols_.size());
  if (!added) return it->second;
  Symbol symbol;
  symbol.name = name;
  symbol.scope = local ? end : kFile;
  const std::map<std::string, const ast::Equation*>* dims = &unit_.dims;
  if (local && ends_[end].side->dims.contains(name)) dims = &ends_[end].side->dims;
  if (auto equation = dims->find(name);
      equation != dims->end() && equation->second->kind != ast::Equation::Kind::kValue)
    symbol.equation = equation->second;
  symbols_.push_back(std::move(symbol));
  return it->second;
}

bool Dimensions::Offer(SymbolId id, Origin origin) {
  Symbol& symbol = symbols_[id];
  for (const Origin& other : symbol.origins) {
    if (other.value == origin.value && other.where == origin.where && other.text == origin.text) return false;
  }
  bool first = !symbol.value;
  if (first) symbol.value = origin.value;
  if (symbol.origins.size() < 100 || origin.value != *symbol.value) symbol.origins.push_back(std::move(origin));
  return first;
}

const ast::Axis* Dimensions::AliasAt(size_t end, const std::string& name) const {
  const std::map<std::string, const ast::Equation*>* dims = &unit_.dims;
  if (end < ends_.size() && ends_[end].side->dims.contains(name)) dims = &ends_[end].side->dims;
  auto it = dims->find(name);
  return it != dims->end() && it->second->axis ? &*it->second->axis : nullptr;
}

Value Dimensions::ConfigAt(const std::string& path) const {
  if (symbolic_) return Value::Unknown();
  return config_ ? FromConfig(*config_, path) : Value::Absent();
}

Value Dimensions::NameValue(size_t end, const std::string& name, SourceRange where, bool with_mesh) {
  if (with_mesh && end < ends_.size()) {
    auto size = ends_[end].mesh_sizes.find(name);
    if (size != ends_[end].mesh_sizes.end()) return symbolic_ ? Value::Unknown() : Value::Whole(size->second);
  }
  if (const ast::Axis* alias = AliasAt(end, name)) {
    int any = 0;
    int64_t extent = Extent(Lower(*alias, end, any));
    return extent == Axis::kUnknown ? Value::Unknown() : Value::Whole(extent);
  }
  const Symbol& symbol = symbols_[At(end, name)];
  if (symbol.value) return Value::Whole(*symbol.value);
  if (const ast::Equation* value = ValueAt(end, name)) {
    if (!open_values_.insert(value).second)
      return Value::Failed(Code::kArithmetic, where, fmt::format("`{}` depends on itself", name));
    Value result = Evaluate(*value->value, ScopeAt(end), Arithmetic::kReal);
    open_values_.erase(value);
    return result;
  }
  if (symbol.failure) {
    Value failed = Value::Failed(symbol.failure->code, where, "");
    failed.failure = symbol.failure;
    return failed;
  }
  return Value::Unknown();
}

// The line `value NAME = ...` that holds at an end, or null.
const ast::Equation* Dimensions::ValueAt(size_t end, const std::string& name) const {
  const std::map<std::string, const ast::Equation*>* dims = &unit_.dims;
  if (end < ends_.size() && ends_[end].side->dims.contains(name)) dims = &ends_[end].side->dims;
  auto it = dims->find(name);
  return it != dims->end() && it->second->kind == ast::Equation::Kind::kValue ? it->second : nullptr;
}

Scope Dimensions::ScopeAt(size_t end) {
  return {[this, end](const std::string& name, SourceRange where) { return NameValue(end, name, where, true); },
          [this](const std::string& path) { return ConfigAt(path); }};
}

Scope Dimensions::ScopeBetween(size_t a, size_t b) {
  auto own = [this](size_t end, const std::string& name) {
    return ends_[end].mesh_sizes.contains(name) || ends_[end].local.contains(name);
  };
  return {[this, a, b, own](const std::string& name, SourceRange where) {
            Value first = NameValue(a, name, where, true);
            if (!own(b, name)) return first;
            Value second = NameValue(b, name, where, true);
            if (!own(a, name) || !first.known() || !second.known() || first.number == second.number) return second;
            return Value::Failed(
                Code::kCondition, where,
                fmt::format("`{}` is {} at one end and {} at the other", name, first.Show(), second.Show()));
          },
          [this](const std::string& path) { return ConfigAt(path); }};
}

std::optional<bool> Dimensions::Holds(const Context& context, const Scope& scope, diag::Diagnostics& diagnostics) {
  bool unknown = false;
  for (const Guard& guard : context.guards) {
    if (VariableOf(guard)) continue;  // it says for which numbers the line counts (ranges.h)
    Value value = Evaluate(*guard.condition, scope, Arithmetic::kReal);
    if (value.kind == Value::Kind::kFailed) {
      diagnostics.Error(Code::kCondition, guard.condition->where, "the condition cannot be decided")
          .Found(value.failure->message);
      return false;
    }
    if (!value.known()) {
      unknown = true;
    } else if (value.Truth() == guard.negated) {
      return false;
    }
  }
  return unknown ? std::nullopt : std::optional(true);
}

// ---------------------------------------------------------------- equations

bool Dimensions::EvaluateEquation(SymbolId id) {
  Symbol& symbol = symbols_[id];
  if (!symbol.equation || symbol.equation_done || symbol.equation->kind != ast::Equation::Kind::kNumber) return false;
  size_t scope_end = symbol.scope;
  Scope scope{[&](const std::string& name, SourceRange where) { return NameValue(scope_end, name, where, false); },
              [&](const std::string& path) { return ConfigAt(path); }};
  const ast::Equation* equation = symbol.equation;
  Value value = Evaluate(*equation->value, scope,
                         Arithmetic::kExact);  // may create symbols: `symbol` is not used before it is found again
  if (value.kind == Value::Kind::kUnknown) return false;
  Symbol& target = symbols_[id];
  target.equation_done = true;
  if (value.kind == Value::Kind::kNumber && value.integer) {
    std::string text = ToString(*equation->value);
    if (equation->value->kind != ast::Expr::Kind::kNumber) text += fmt::format(" = {}", *value.integer);
    return Offer(id, {*value.integer, std::move(text), equation->where}), true;
  }
  DescribeFailure(target, value);
  return false;
}

void Dimensions::DescribeFailure(Symbol& symbol, const Value& value) {
  const ast::Equation& equation = *symbol.equation;
  if (value.kind == Value::Kind::kFailed) {
    symbol.failure = value.failure;
    return;
  }
  diag::Diagnostic d{};
  d.where = equation.value->where;
  if (value.kind == Value::Kind::kAbsent) {
    const ast::Expr* key = AbsentKey(*equation.value, [this](const std::string& path) { return ConfigAt(path); });
    std::string path = key ? key->text : "";
    d.code = Code::kConfigKey;
    if (key) d.where = key->where;
    if (config_) {
      d.message = fmt::format("the configuration has no `{}`", path);
      std::vector<std::string> known;
      AllPaths(*config_, "", known);
      if (auto near = diag::Nearest(path, known)) d.Help(fmt::format("it has `{}`", diag::Printable(*near)));
    } else {
      d.message = fmt::format("there is no configuration to take `{}` from", path);
      d.Help("`--config FILE` names one; a checkpoint brings its own as `config.json`");
    }
    d.Help(fmt::format("`else` says what counts when a key is absent; `-D {}=...` gives the dimension", symbol.name));
  } else {
    d.code = Code::kConfigKey;
    std::string key = FirstKey(*equation.value);
    d.message = fmt::format("{} is {}, no whole number",
                            key.empty() ? "`" + ToString(*equation.value) + "`" : "`" + key + "`", value.Show());
  }
  symbol.failure = std::move(d);
}

bool Dimensions::Propagate() {
  bool any = false;
  for (bool changed = true; changed;) {
    changed = false;
    for (SymbolId id = 0; id < symbols_.size(); ++id) changed |= EvaluateEquation(id);
    any |= changed;
  }
  return any;
}

bool Dimensions::ApplyDefault() {
  for (SymbolId id = 0; id < symbols_.size(); ++id) {
    const ast::Equation* equation = symbols_[id].equation;
    if (!equation || equation->kind != ast::Equation::Kind::kDefault || symbols_[id].value) continue;
    size_t end = symbols_[id].scope;
    Scope scope{[&](const std::string& name, SourceRange where) { return NameValue(end, name, where, false); },
                [&](const std::string& path) { return ConfigAt(path); }};
    Value value = Evaluate(*equation->value, scope, Arithmetic::kExact);
    if (value.kind == Value::Kind::kNumber && value.integer) {
      Offer(id, {*value.integer, fmt::format("default {}", ToString(*equation->value)), equation->where});
      return true;
    }
    if (value.known() || value.kind == Value::Kind::kFailed) {
      symbols_[id].equation_done = true;
      DescribeFailure(symbols_[id], value);
    }
  }
  return false;
}

// ---------------------------------------------------------------- reports

bool Dimensions::Require(SymbolId id, SourceRange where, diag::Diagnostics& diagnostics) {
  Symbol& symbol = symbols_[id];
  if (symbol.failure && !symbol.from_command_line) {
    if (!symbol.reported) {
      auto& d = diagnostics.Error(symbol.failure->code, symbol.failure->where, symbol.failure->message);
      d.expected = symbol.failure->expected;
      d.found = symbol.failure->found;
      d.notes = symbol.failure->notes;
      d.helps = symbol.failure->helps;
      if (where) d.Also(where, fmt::format("`{}` is used here", symbol.name));
    }
    symbol.reported = true;
    return false;
  }
  if (symbol.value && *symbol.value >= 0) return true;
  if (!symbol.reported) {
    if (symbol.value) {
      diagnostics
          .Error(Code::kArithmetic, where, fmt::format("dimension `{}` is {}, no extent", symbol.name, *symbol.value))
          .Found(Describe(id));
    } else {
      auto& d =
          diagnostics.Error(Code::kUnknownDimension, where, fmt::format("nothing fixes dimension `{}`", symbol.name));
      if (symbol.equation && symbol.equation->value) {
        d.Also(symbol.equation->where, "this equation needs dimensions that are not known either");
      }
      d.Expected("a shape in which it is the only unknown, an equation, or a configuration key");
      d.Help(fmt::format("`-D {}=...` gives it", symbol.name));
    }
  }
  symbol.reported = true;
  return false;
}

bool Dimensions::RequireAll(const ast::Type& type, size_t end, diag::Diagnostics& diagnostics) {
  bool ok = true;
  for (const std::vector<ast::Axis>* axes : {&type.axes, type.stored ? &*type.stored : nullptr}) {
    if (!axes) continue;
    for (const ast::Axis& axis : *axes) {
      auto symbols = SymbolsOf(axis, end);
      // An equation that failed explains why the rest of the axis is not known.
      auto failed = std::find_if(symbols.begin(), symbols.end(),
                                 [&](SymbolId id) { return symbols_[id].failure && !symbols_[id].from_command_line; });
      if (failed != symbols.end()) symbols = {*failed};
      bool known = true;
      for (SymbolId symbol : symbols) known &= Require(symbol, axis.where, diagnostics);
      ok &= known && RequireMultiples(axis, end, diagnostics);
    }
  }
  return ok;
}

// Paddings go to a multiple of 1 or more.
bool Dimensions::RequireMultiples(const ast::Axis& axis, size_t end, diag::Diagnostics& diagnostics) {
  bool ok = true;
  for (const ast::Axis& part : axis.parts) ok &= RequireMultiples(part, end, diagnostics);
  if (axis.kind != ast::Axis::Kind::kPad || !ok) return ok;
  Value multiple = Evaluate(*axis.multiple, ScopeAt(end), Arithmetic::kExact);
  if (multiple.kind == Value::Kind::kNumber && multiple.integer && *multiple.integer > 0) return true;
  if (!reported_multiples_.insert(&axis).second) return false;
  auto& d = diagnostics
                .Error(Code::kArithmetic, axis.multiple->where,
                       fmt::format("a padding to a multiple of `{}`", axis.multiple->where.text()))
                .Expected("a whole number, 1 or more");
  if (multiple.integer) d.Found(std::to_string(*multiple.integer));
  return false;
}

void Dimensions::ReportContradictions(diag::Diagnostics& diagnostics) const {
  std::map<std::set<int64_t>, std::string> before;  // pairs of values -> the dimension that had them first
  for (const Symbol& symbol : symbols_) {
    std::vector<const Origin*> shown = Differing(symbol.origins);
    if (shown.size() < 2) continue;
    const Origin* place = shown[1]->where ? shown[1] : shown[0];
    std::vector<std::string> values;
    for (const Origin* origin : shown) values.push_back(std::to_string(origin->value));
    auto& d = diagnostics.Error(Code::kContradiction, place->where,
                                fmt::format("dimension `{}` is {}", symbol.name, diag::Enumerate(values)));
    d.Label(Says(*place));
    for (const Origin* origin : shown) {
      if (origin == place) continue;
      if (origin->where)
        d.Also(origin->where, Says(*origin));
      else
        d.Found(fmt::format("{} = {} from {}", symbol.name, origin->value, origin->text));
    }
    d.Note("no source overrides another: all must agree");
    if (shown.size() > 2) continue;
    auto [it, first] = before.emplace(std::set<int64_t>{shown[0]->value, shown[1]->value}, symbol.name);
    if (first) continue;
    d.Help(
        fmt::format("`{}` and `{}` have each other's extents: if a tensor lies the other way round, `^T` after its "
                    "name or the type `[{} {}]` says so",
                    it->second, symbol.name, symbol.name, it->second));
  }
}

std::string Dimensions::Describe(SymbolId id) const {
  const Symbol& symbol = symbols_[id];
  if (!symbol.value) return symbol.name + " is not known";
  std::string text = fmt::format("{} = {}", symbol.name, *symbol.value);
  bool says_more = !symbol.origins.empty() && symbol.origins[0].text != std::to_string(*symbol.value);
  return says_more ? fmt::format("{} ({})", text, symbol.origins[0].text) : text;
}

nlohmann::json Dimensions::ConfigValue(const std::string& name, size_t end) {
  if (const ast::Equation* equation = ValueAt(end, name)) {
    const ast::Expr& e = *equation->value;
    if (e.kind == ast::Expr::Kind::kConfig && config_) {  // any JSON value, as it stands
      const nlohmann::json* at = config_;
      for (size_t begin = 0; begin <= e.text.size();) {
        size_t next = std::min(e.text.find('.', begin), e.text.size());
        auto key = e.text.substr(begin, next - begin);
        if (!at->is_object() || !at->contains(key)) return nullptr;
        at = &(*at)[key];
        begin = next + 1;
      }
      return *at;
    }
    Value value = Evaluate(e, ScopeAt(end), Arithmetic::kReal);
    switch (value.kind) {
      case Value::Kind::kNumber:
        return value.integer ? nlohmann::json(*value.integer) : nlohmann::json(value.number);
      case Value::Kind::kBool:
        return value.truth;
      case Value::Kind::kText:
        return value.text;
      default:
        return nullptr;
    }
  }
  Value value = NameValue(end, name, {}, false);
  return value.integer ? nlohmann::json(*value.integer) : nlohmann::json(nullptr);
}

}  // namespace aoa::bind
