// What a rule file says, as trees. Nothing is expanded, looked up or evaluated here; every node has its place in the
// text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/source.h"

namespace aoa::ast {

struct Ident {
  std::string text;
  SourceRange where;
};

// ---------------------------------------------------------------- expressions

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

// Numbers, words and truth values: in `dims`, in conditions, in `pad(x, k)`, in names `${=l+3}`, after `scalar ... =`.
struct Expr {
  enum class Kind {
    kNumber,    // `number`; `integer` if it is spelled without a fraction or an exponent and fits
    kString,    // `text`
    kBool,      // `number` is 0 or 1
    kName,      // `text`: a dimension, a mesh axis, or (in scalars) a role
    kConfig,    // `text` is the key path after `config.`: "a.b"
    kVariable,  // `text` is the name variable after `$`: its number, in conditions inside a `for`
    kUnary,     // `text` is "-" or "not"; args[0]
    kBinary,    // `text` is one of + - * / % == != < <= > >= in and or; args[0], args[1]
    kCall,      // `text` is the function: max min ceil pow log round; args. The argument of ceil is the quotient
    kElse,      // args[0] else args[1]
  };
  Kind kind = Kind::kNumber;
  std::string text;
  double number = 0;
  std::optional<int64_t> integer;
  std::vector<ExprPtr> args;
  SourceRange where;
};

// ---------------------------------------------------------------- types

struct Axis;

// `@tp`, `@tp.ep`, `@tp~ceil`
struct Cut {
  std::vector<Ident> axes;        // outermost first
  std::optional<Ident> rounding;  // ceil or front; none is even
  SourceRange where;
};

struct Axis {
  enum class Kind {
    kVar,      // `name`
    kLiteral,  // `name`:`extent`
    kOne,      // 1
    kProduct,  // (a b c): parts
    kSum,      // (a + b): parts
    kPad,      // pad(x, k): parts[0] is x (a product or sum if several words stand there), `multiple` is k
    kAny,      // _
  };
  Kind kind = Kind::kVar;
  Ident name;
  int64_t extent = 0;
  std::vector<Axis> parts;
  ExprPtr multiple;
  std::optional<Cut> cut;
  SourceRange where;
};

// [a b (c d)] stored [..] : bf16. Redundant parentheses are gone: ((f + f))@tp is (f + f)@tp.
struct Type {
  std::vector<Axis> axes;
  std::optional<std::vector<Axis>> stored;
  SourceRange where;
};

// ---------------------------------------------------------------- names

// A tensor name as written: bare (with $v, {a,b}, *) or quoted (literal).
struct Name {
  std::string text;  // bare: as written; quoted: without quotes, escapes resolved
  bool quoted = false;
  SourceRange where;
};

// ---------------------------------------------------------------- blocks

template <class Item>
struct For {
  Ident variable;
  ExprPtr from, to;  // half open
  std::vector<Item> body;
  SourceRange where;
};

template <class Item>
struct If {
  ExprPtr condition;
  std::vector<Item> then, otherwise;  // `else if` is an If alone in `otherwise`
  SourceRange where;                  // of the head
};

// ---------------------------------------------------------------- dims

// One line of a `dims` block.
struct Equation {
  enum class Kind {
    kNumber,   // n = EXPR
    kAlias,    // n = (a b)    or    axis n = AXIS
    kDefault,  // n ?= EXPR
    kValue,    // value n = EXPR
  };
  Kind kind = Kind::kNumber;
  Ident name;
  ExprPtr value;             // all but kAlias
  std::optional<Axis> axis;  // kAlias
  SourceRange where;
};

// ---------------------------------------------------------------- sides

struct SideItem;

struct Format {
  Ident name;
  std::optional<Ident> variant;
  SourceRange where;
};
struct Like {
  Ident side;
  SourceRange where;
};
struct MeshLine {
  std::vector<Ident> axes;
  SourceRange where;
};
struct Overlay {
  std::vector<Ident> axes;
  std::vector<Ident> on;
  SourceRange where;
};

// place l on pp [interleave X] [by [..]] [surplus first|last] [numbered locally]
struct Place {
  Ident variable, axis;
  ExprPtr interleave;       // null, a number or a name
  std::vector<ExprPtr> by;  // empty, or one count (a number) per stage
  std::optional<Ident> surplus;
  bool numbered_locally = false;
  SourceRange where;
};

// state ROLE "T" : dtype      scalar ROLE "T" = EXPR
struct Role {
  bool scalar = false;
  Ident role;
  std::string name_template;  // holds one "{}"
  SourceRange template_where;
  std::optional<DType> dtype;
  ExprPtr computed;
  SourceRange where;
};

struct Zero {
  Ident axis, by;
  SourceRange where;
};
struct ConfigEntry {
  Ident key, name;
  SourceRange where;
};
struct Config {
  std::vector<ConfigEntry> entries;
  SourceRange where;
};
struct Remove {
  std::vector<Name> names;
  SourceRange where;
};
struct DimsBlock {
  std::vector<Equation> equations;
  SourceRange where;
};

// `on first, last of tp`: the ends of a mesh axis; without `of`, of the axis of the side's first placement.
struct On {
  bool first = false, last = false;
  std::optional<Ident> axis;
  SourceRange where;
};

// A tensor of a side: NAME [type] [attributes in any order].
struct Declaration {
  Name name;
  std::optional<Type> type;
  std::optional<DType> dtype;
  std::optional<SourceRange> dtype_where;
  std::optional<SourceRange> optional;
  std::optional<Name> tied;
  std::optional<Name> blocks_of;
  std::vector<int64_t> blocks;
  std::vector<On> on;  // all of them hold
  std::optional<SourceRange> replicas_mean;
  std::optional<Ident> group;
  SourceRange where;
};

struct SideItem {
  std::variant<Format, Like, MeshLine, Overlay, Place, Role, Zero, Config, Remove, DimsBlock, Declaration,
               For<SideItem>, If<SideItem>>
      item;
};

struct Side {
  Ident name;
  std::vector<SideItem> items;
  SourceRange where;  // of the head
};

// ---------------------------------------------------------------- maps

// One tensor of a statement, or `_`.
struct Operand {
  bool blank = false;  // _
  Name name;
  std::optional<std::pair<int64_t, int64_t>> slice;  // name[a:b] stands for name_a .. name_(b-1)
  SourceRange slice_where;
  bool transposed = false;  // ^T
  SourceRange transposed_where;
  std::optional<Type> type;
  std::optional<DType> dtype;
  std::optional<SourceRange> dtype_where;
  SourceRange where;
};

// `key=value`, or a flag (copy, optional, fused_qkv, fused_qkv_old, fused_ffn).
struct Attribute {
  Ident key;
  enum class Value { kFlag, kNumber, kWord, kString } kind = Value::kFlag;
  std::string text;  // the word, the text of the string, or the number as written
  double number = 0;
  std::optional<int64_t> integer;
  SourceRange value_where;
  SourceRange where;
};

enum class Arrow { kBoth, kRight, kLeft };

struct Statement {
  std::vector<Operand> left, right;
  Arrow arrow = Arrow::kBoth;
  std::vector<Attribute> attributes;
  SourceRange where;
};

struct MapItem {
  std::variant<Statement, For<MapItem>, If<MapItem>> item;
};

struct Map {
  Ident left, right;
  std::vector<MapItem> items;
  SourceRange where;  // of the head
};

// ---------------------------------------------------------------- files

struct Family {
  Ident name;
  SourceRange where;
};
struct Import {
  std::string path;
  SourceRange path_where;
  SourceRange where;
};

// default { from SIDE "PATH"  to SIDE "PATH" }
struct DefaultEnd {
  Ident side;
  std::string path;
  SourceRange where;
};
struct Default {
  std::optional<DefaultEnd> from, to;
  SourceRange where;
};

using Item = std::variant<Family, Import, DimsBlock, Side, Map, Default>;

struct File {
  const SourceFile* source = nullptr;
  std::vector<Item> items;
};

}  // namespace aoa::ast
