// Expressions of `dims`, conditions and scalars: values of three kinds of truth (known, absent, not known yet).
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/diag/diagnostic.h"
#include "compiler/parse/ast.h"

namespace aoa::bind {

struct Value {
  enum class Kind {
    kUnknown,  // depends on a dimension that nothing has fixed yet
    kAbsent,   // a configuration key that is not there, or null
    kNumber,   // `number`; `integer` if it is whole
    kBool,
    kText,
    kOther,   // a list or an object of the configuration; `truth` says whether it holds something
    kFailed,  // a mistake, described in `failure`
  };
  Kind kind = Kind::kUnknown;
  double number = 0;
  std::optional<int64_t> integer;
  std::string text;                         // kText
  bool truth = false;                       // kBool, kOther
  std::vector<Value> items;                 // kOther: of a list
  std::optional<diag::Diagnostic> failure;  // kFailed

  static Value Unknown() { return {}; }
  static Value Absent();
  static Value Whole(int64_t value);
  static Value Real(double value);
  static Value Bool(bool value);
  static Value Text(std::string value);
  static Value Failed(diag::Code code, SourceRange where, std::string message);

  bool known() const { return kind != Kind::kUnknown && kind != Kind::kFailed; }
  // Truth of a known value: absent, false, 0, "", [] and {} are false.
  bool Truth() const;
  std::string Show() const;
};

// The value at a dotted path of a configuration; kAbsent if it, or a parent of it, is not there or null.
Value FromConfig(const nlohmann::json& config, const std::string& path);

// What names mean in an expression.
struct Scope {
  std::function<Value(const std::string& name, SourceRange where)> name;
  std::function<Value(const std::string& path)> config;
  std::function<Value(const std::string& name)> variable = nullptr;  // the number of a name variable
};

enum class Arithmetic {
  kExact,  // dims: division leaves no remainder
  kReal,   // conditions, scalars: division is that of numbers
};

Value Evaluate(const ast::Expr& expression, const Scope& scope, Arithmetic arithmetic);

// The names in an expression, configuration keys aside.
void NamesIn(const ast::Expr& expression, std::set<std::string>& names);

// The expression as a rule writes it.
std::string ToString(const ast::Expr& expression);

}  // namespace aoa::bind
