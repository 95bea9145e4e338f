// Pickles as data. Python's pickle is a program for a stack machine that may call anything; here it is read by a
// machine that calls nothing. What the program would construct becomes a tree that says so: an object with its
// callable, its arguments and its state. Which constructors mean a tensor is for others to know (torch_file.h); one
// that nobody knows stays an inert object, and can be written as it was.
//
// Opcodes: pickletools of CPython, protocols 0 to 5, without the extension registry and out-of-band buffers, which no
// checkpoint uses.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/status.h"
#include "runtime/io/file.h"

namespace aoa::formats::pickle {

// A node of a tree. Nodes are shared, and a container can hold itself: walk by node, never by path.
struct Value {
  enum class Kind : uint8_t {
    kNone,
    kBool,        // integer is 0 or 1
    kInt,         // integer; or, beyond 64 bits, `text`: little-endian two's complement, and `outside`
    kFloat,       // number
    kText,        // text, UTF-8 as Python writes it (surrogates as three bytes)
    kBytes,       // text; or `outside`: at [offset, offset + integer) of the file
    kByteArray,   // the same
    kTuple,       // items
    kList,        // items
    kDict,        // entries: key, value, key, value, ...
    kSet,         // items
    kFrozenSet,   // items
    kGlobal,      // text: "module name", with a blank between them
    kObject,      // made
    kPersistent,  // items[0]: the id
  };
  // How an object was made, and so how it is written.
  enum class Made : uint8_t { kReduce, kNew, kNewKeywords, kInstance };

  Kind kind = Kind::kNone;
  Made made = Made::kReduce;
  bool outside = false;  // long bytes and texts stay in the file
  int64_t integer = 0;
  double number = 0;
  uint64_t offset = 0;  // of bytes and texts: where their first byte lies in the file
  std::string text;
  std::vector<const Value*> items;    // of an object: what was appended to it
  std::vector<const Value*> entries;  // of an object too: items that were set
  // Of an object.
  const Value* callable = nullptr;
  const Value* arguments = nullptr;
  const Value* keywords = nullptr;
  const Value* state = nullptr;

  bool Is(Kind k) const { return kind == k; }
  // A global of this name, "torch FloatStorage".
  bool IsGlobal(std::string_view name) const { return kind == Kind::kGlobal && text == name; }
  // An object made by calling the global of this name.
  bool IsMadeBy(std::string_view name) const { return kind == Kind::kObject && callable && callable->IsGlobal(name); }
  bool IsText(std::string_view t) const { return kind == Kind::kText && !outside && text == t; }

  // The value of a text key of a dictionary (or of one that an object is); null if there is none.
  const Value* Find(std::string_view key) const;
  std::optional<int64_t> AsInt() const;  // of ints and bools that fit
};

// Owns the nodes of one or several pickles.
class Tree {
 public:
  Tree() = default;
  Tree(Tree&&) = default;
  Tree& operator=(Tree&&) = default;

  Value* New(Value::Kind kind) {
    nodes_.emplace_back().kind = kind;
    return &nodes_.back();
  }
  size_t size() const { return nodes_.size(); }
  const std::deque<Value>& nodes() const { return nodes_; }

  // Nodes for what a writer makes.
  const Value* None() { return New(Value::Kind::kNone); }
  const Value* Bool(bool value);
  const Value* Int(int64_t value);
  const Value* Float(double value);
  const Value* Text(std::string_view text);
  const Value* Global(std::string_view name);  // "torch Size"
  const Value* Tuple(std::vector<const Value*> items);
  const Value* List(std::vector<const Value*> items);
  Value* Dict() { return New(Value::Kind::kDict); }
  void Set(Value* dict, std::string_view key, const Value* value);
  // callable(*arguments)
  Value* Call(std::string_view callable, std::vector<const Value*> arguments);
  const Value* Persistent(const Value* id);

 private:
  std::deque<Value> nodes_;
};

// The bytes of a file between two offsets.
struct Stream {
  const io::File* file = nullptr;
  uint64_t begin = 0, end = 0;
};

struct Parsed {
  const Value* value = nullptr;
  uint64_t end = 0;  // the offset behind STOP
};

// Reads one pickle into a tree. Failures name the byte and the reason; the caller says which file it is. Bytes longer
// than kLongestInside stay in the file.
Result<Parsed> Read(const Stream& stream, Tree& tree);
inline constexpr uint64_t kLongestInside = 64 << 10;

}  // namespace aoa::formats::pickle
