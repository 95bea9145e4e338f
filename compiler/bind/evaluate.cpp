#include "compiler/bind/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;
using Kind = Value::Kind;

constexpr double kLargestWhole = 9007199254740992.0;  // 2^53: whole numbers beyond are not told apart by a double

Value Overflowed(const ast::Expr& e) {
  return Value::Failed(Code::kArithmetic, e.where, fmt::format("`{}` is larger than any extent", ToString(e)));
}

// + - * on whole numbers stay whole.
Value WholeArithmetic(const ast::Expr& e, int64_t a, int64_t b) {
  int64_t out = 0;
  bool overflow = e.text == "+"   ? __builtin_add_overflow(a, b, &out)
                  : e.text == "-" ? __builtin_sub_overflow(a, b, &out)
                                  : __builtin_mul_overflow(a, b, &out);
  return overflow ? Overflowed(e) : Value::Whole(out);
}

Value Divide(const ast::Expr& e, const Value& a, const Value& b, Arithmetic arithmetic) {
  if (b.number == 0) return Value::Failed(Code::kArithmetic, e.where, fmt::format("`{}` divides by zero", ToString(e)));
  if (!a.integer || !b.integer) return Value::Real(a.number / b.number);
  if (*a.integer % *b.integer == 0) return Value::Whole(*a.integer / *b.integer);
  if (arithmetic == Arithmetic::kReal) return Value::Real(a.number / b.number);
  Value out = Value::Failed(Code::kArithmetic, e.where,
                            fmt::format("`{}` leaves a remainder: {} / {}", ToString(e), *a.integer, *b.integer));
  out.failure->Found(
      fmt::format("{} = {} * {} + {}", *a.integer, *b.integer, *a.integer / *b.integer, *a.integer % *b.integer));
  out.failure->Help("`ceil(a / b)` rounds up, `a % b` is the remainder");
  return out;
}

Value Remainder(const ast::Expr& e, const Value& a, const Value& b) {
  if (!a.integer || !b.integer)
    return Value::Failed(Code::kArithmetic, e.where, fmt::format("`{}` wants whole numbers", ToString(e)));
  if (*b.integer == 0)
    return Value::Failed(Code::kArithmetic, e.where, fmt::format("`{}` divides by zero", ToString(e)));
  return Value::Whole(*a.integer % *b.integer);
}

// A comparison with an absent key is false, whichever it is. A word and a number are unequal, and neither is less.
bool Compare(const std::string& op, const Value& a, const Value& b) {
  if (a.kind == Kind::kAbsent || b.kind == Kind::kAbsent) return false;
  bool alike = a.kind == b.kind && a.kind != Kind::kOther;
  bool equal = alike && (a.kind == Kind::kNumber ? a.number == b.number
                         : a.kind == Kind::kText ? a.text == b.text
                                                 : a.truth == b.truth);
  if (op == "==") return equal;
  if (op == "!=") return !equal;
  if (!alike || a.kind == Kind::kBool) return false;
  bool less = a.kind == Kind::kNumber ? a.number < b.number : a.text < b.text;
  if (op == "<") return less;
  if (op == "<=") return less || equal;
  if (op == ">") return !less && !equal;
  return !less;
}

class Evaluator {
 public:
  Evaluator(const Scope& scope, Arithmetic arithmetic) : scope_(scope), arithmetic_(arithmetic) {}

  Value Eval(const ast::Expr& e) {
    switch (e.kind) {
      case ast::Expr::Kind::kNumber:
        return e.integer ? Value::Whole(*e.integer) : Value::Real(e.number);
      case ast::Expr::Kind::kString:
        return Value::Text(e.text);
      case ast::Expr::Kind::kBool:
        return Value::Bool(e.number != 0);
      case ast::Expr::Kind::kName:
        return scope_.name(e.text, e.where);
      case ast::Expr::Kind::kConfig:
        return scope_.config(e.text);
      case ast::Expr::Kind::kVariable:
        if (scope_.variable) return scope_.variable(e.text);
        return Value::Failed(Code::kCondition, e.where, fmt::format("`${}` has a number only in a condition", e.text));
      case ast::Expr::Kind::kUnary:
        return Unary(e);
      case ast::Expr::Kind::kBinary:
        return Binary(e);
      case ast::Expr::Kind::kCall:
        return Call(e);
      case ast::Expr::Kind::kElse: {
        Value first = Eval(*e.args[0]);
        return first.kind == Kind::kAbsent ? Eval(*e.args[1]) : first;
      }
    }
    return Value::Unknown();
  }

 private:
  Value Unary(const ast::Expr& e) {
    Value a = Eval(*e.args[0]);
    if (!a.known()) return a;
    if (e.text == "not") return Value::Bool(!a.Truth());
    if (a.kind == Kind::kAbsent) return a;
    if (a.kind != Kind::kNumber) return NotANumber(e, *e.args[0], a);
    return a.integer ? Value::Whole(-*a.integer) : Value::Real(-a.number);
  }

  Value Binary(const ast::Expr& e) {
    if (e.text == "and" || e.text == "or") return Logic(e);
    Value a = Eval(*e.args[0]), b = Eval(*e.args[1]);
    if (!a.known()) return a;
    if (!b.known()) return b;
    if (e.text == "in") return Among(e, a, b);
    if (e.text == "==" || e.text == "!=" || e.text[0] == '<' || e.text[0] == '>')
      return Value::Bool(Compare(e.text, a, b));
    if (a.kind == Kind::kAbsent) return a;
    if (b.kind == Kind::kAbsent) return b;
    if (a.kind != Kind::kNumber) return NotANumber(e, *e.args[0], a);
    if (b.kind != Kind::kNumber) return NotANumber(e, *e.args[1], b);
    if (e.text == "/") return Divide(e, a, b, arithmetic_);
    if (e.text == "%") return Remainder(e, a, b);
    if (a.integer && b.integer) return WholeArithmetic(e, *a.integer, *b.integer);
    return Value::Real(e.text == "+" ? a.number + b.number : e.text == "-" ? a.number - b.number : a.number * b.number);
  }

  // Whether a list of the configuration has the value. An absent list has none.
  Value Among(const ast::Expr& e, const Value& value, const Value& list) {
    if (list.kind != Kind::kOther && list.kind != Kind::kAbsent)
      return Value::Failed(Code::kConfigKey, e.where,
                           fmt::format("`{}` is {} where a list is wanted", ToString(*e.args[1]), list.Show()));
    return Value::Bool(std::any_of(list.items.begin(), list.items.end(),
                                   [&](const Value& item) { return Compare("==", value, item); }));
  }

  // Decided by one side where that is enough, even if the other is not known yet.
  Value Logic(const ast::Expr& e) {
    bool deciding = e.text == "or";
    Value a = Eval(*e.args[0]);
    if (a.kind == Kind::kFailed || (a.known() && a.Truth() == deciding)) return a.known() ? Value::Bool(deciding) : a;
    Value b = Eval(*e.args[1]);
    if (b.kind == Kind::kFailed) return b;
    if (b.known() && b.Truth() == deciding) return Value::Bool(deciding);
    return a.known() && b.known() ? Value::Bool(!deciding) : Value::Unknown();
  }

  Value Call(const ast::Expr& e) {
    if (e.text == "ceil") return Ceil(e);
    std::vector<Value> args;
    for (const ast::ExprPtr& arg : e.args) {
      args.push_back(Eval(*arg));
      if (!args.back().known() || args.back().kind == Kind::kAbsent) return args.back();
      if (args.back().kind != Kind::kNumber) return NotANumber(e, *arg, args.back());
    }
    size_t wanted = e.text == "log" || e.text == "round" ? 1 : 2;
    if (args.size() != wanted) {
      return Value::Failed(
          Code::kArithmetic, e.where,
          fmt::format("`{}` takes {} argument{}, not {}", e.text, wanted, wanted == 1 ? "" : "s", args.size()));
    }
    if (e.text == "max") return args[0].number >= args[1].number ? args[0] : args[1];
    if (e.text == "min") return args[0].number <= args[1].number ? args[0] : args[1];
    if (e.text == "pow") return Value::Real(std::pow(args[0].number, args[1].number));
    if (e.text == "log") return Value::Real(std::log(args[0].number));
    return Value::Real(std::nearbyint(args[0].number));  // round: to even
  }

  // ceil(a / b): the quotient of whole numbers, rounded up.
  Value Ceil(const ast::Expr& e) {
    const ast::Expr* quotient = e.args.size() == 1 ? e.args[0].get() : nullptr;
    if (!quotient || quotient->kind != ast::Expr::Kind::kBinary || quotient->text != "/") {
      return Value::Failed(Code::kArithmetic, e.where, fmt::format("`{}` is no rounded quotient", ToString(e)));
    }
    Value a = Eval(*quotient->args[0]), b = Eval(*quotient->args[1]);
    for (const Value* v : {&a, &b}) {
      if (!v->known() || v->kind == Kind::kAbsent) return *v;
    }
    if (!a.integer || !b.integer || *b.integer <= 0)
      return Value::Failed(Code::kArithmetic, e.where,
                           fmt::format("`{}` wants whole numbers and a positive divisor", ToString(e)));
    int64_t rest = *a.integer % *b.integer;
    return Value::Whole(*a.integer / *b.integer + (rest > 0));
  }

  Value NotANumber(const ast::Expr& e, const ast::Expr& part, const Value& value) {
    Code code = part.kind == ast::Expr::Kind::kConfig ? Code::kConfigKey : Code::kArithmetic;
    Value out =
        Value::Failed(code, e.where, fmt::format("`{}` is {} where a number is wanted", ToString(part), value.Show()));
    return out;
  }

  const Scope& scope_;
  Arithmetic arithmetic_;
};

int Binding(const ast::Expr& e) {
  if (e.kind == ast::Expr::Kind::kElse) return 0;
  if (e.kind != ast::Expr::Kind::kBinary) return 9;
  if (e.text == "or") return 1;
  if (e.text == "and") return 2;
  if (e.text == "+" || e.text == "-") return 5;
  if (e.text == "*" || e.text == "/" || e.text == "%") return 6;
  return 4;
}

}  // namespace

Value Value::Absent() {
  Value v;
  v.kind = Kind::kAbsent;
  return v;
}
Value Value::Whole(int64_t value) {
  Value v;
  v.kind = Kind::kNumber;
  v.number = static_cast<double>(value);
  v.integer = value;
  return v;
}
Value Value::Real(double value) {
  Value v;
  v.kind = Kind::kNumber;
  v.number = value;
  if (std::nearbyint(value) == value && std::fabs(value) <= kLargestWhole) v.integer = static_cast<int64_t>(value);
  return v;
}
Value Value::Bool(bool value) {
  Value v;
  v.kind = Kind::kBool;
  v.truth = value;
  return v;
}
Value Value::Text(std::string value) {
  Value v;
  v.kind = Kind::kText;
  v.text = std::move(value);
  return v;
}
Value Value::Failed(Code code, SourceRange where, std::string message) {
  Value v;
  v.kind = Kind::kFailed;
  diag::Diagnostic d{};
  d.code = code;
  d.where = where;
  d.message = std::move(message);
  v.failure = std::move(d);
  return v;
}

bool Value::Truth() const {
  switch (kind) {
    case Kind::kNumber:
      return number != 0;
    case Kind::kText:
      return !text.empty();
    case Kind::kBool:
    case Kind::kOther:
      return truth;
    default:
      return false;
  }
}

std::string Value::Show() const {
  switch (kind) {
    case Kind::kUnknown:
      return "not known yet";
    case Kind::kAbsent:
      return "absent";
    case Kind::kNumber:
      return integer ? fmt::format("{}", *integer) : fmt::format("{}", number);
    case Kind::kBool:
      return truth ? "true" : "false";
    case Kind::kText:
      return fmt::format("\"{}\"", diag::Printable(text));
    case Kind::kOther:
      return "a list or an object";
    case Kind::kFailed:
      return "a mistake";
  }
  return "";
}

namespace {

Value OfJson(const nlohmann::json& json) {
  if (json.is_null()) return Value::Absent();
  if (json.is_boolean()) return Value::Bool(json.get<bool>());
  if (json.is_string()) return Value::Text(json.get<std::string>());
  if (json.is_number_integer() && (!json.is_number_unsigned() || json.get<uint64_t>() <= INT64_MAX))
    return Value::Whole(json.get<int64_t>());
  if (json.is_number()) return Value::Real(json.get<double>());
  Value other;
  other.kind = Kind::kOther;
  other.truth = !json.empty();
  if (json.is_array()) {
    for (const nlohmann::json& item : json)
      other.items.push_back(item.is_structured() ? Value::Absent() : OfJson(item));
  }
  return other;
}

}  // namespace

Value FromConfig(const nlohmann::json& config, const std::string& path) {
  const nlohmann::json* at = &config;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find('.', begin), path.size());
    auto key = path.substr(begin, end - begin);
    if (!at->is_object() || !at->contains(key)) return Value::Absent();
    at = &(*at)[key];
    begin = end + 1;
  }
  return OfJson(*at);
}

Value Evaluate(const ast::Expr& expression, const Scope& scope, Arithmetic arithmetic) {
  return Evaluator(scope, arithmetic).Eval(expression);
}

void NamesIn(const ast::Expr& e, std::set<std::string>& names) {
  if (e.kind == ast::Expr::Kind::kName) names.insert(e.text);
  for (const ast::ExprPtr& arg : e.args) NamesIn(*arg, names);
}

std::string ToString(const ast::Expr& e) {
  auto part = [&](const ast::Expr& inner, int least) {
    return Binding(inner) < least ? "(" + ToString(inner) + ")" : ToString(inner);
  };
  switch (e.kind) {
    case ast::Expr::Kind::kNumber:
      return e.integer ? fmt::format("{}", *e.integer) : fmt::format("{}", e.number);
    case ast::Expr::Kind::kString:
      return "\"" + diag::Printable(e.text) + "\"";
    case ast::Expr::Kind::kBool:
      return e.number != 0 ? "true" : "false";
    case ast::Expr::Kind::kName:
      return e.text;
    case ast::Expr::Kind::kConfig:
      return "config." + e.text;
    case ast::Expr::Kind::kVariable:
      return "$" + e.text;
    case ast::Expr::Kind::kUnary:
      return (e.text == "not" ? "not " : e.text) + part(*e.args[0], 7);
    case ast::Expr::Kind::kBinary:
      return part(*e.args[0], Binding(e)) + " " + e.text + " " + part(*e.args[1], Binding(e) + 1);
    case ast::Expr::Kind::kElse:
      return part(*e.args[0], 1) + " else " + part(*e.args[1], 0);
    case ast::Expr::Kind::kCall: {
      std::string out = e.text + "(";
      for (size_t i = 0; i < e.args.size(); ++i) out += (i ? ", " : "") + ToString(*e.args[i]);
      return out + ")";
    }
  }
  return "";
}

}  // namespace aoa::bind
