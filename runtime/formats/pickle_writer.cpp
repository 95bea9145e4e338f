#include "runtime/formats/pickle_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <unordered_set>

namespace aoa::formats::pickle {
namespace {

using Kind = Value::Kind;

constexpr int kDeepest = 900;    // Python's own reader recurses no deeper
constexpr size_t kBatch = 1000;  // items that Python sets or appends at a time

class Writer {
 public:
  explicit Writer(Protocol protocol) : protocol_(protocol) {}

  Result<Written> Run(const Value& value) {
    CountUses(value);
    Op(0x80);
    Op(static_cast<uint8_t>(protocol_));
    AOA_RETURN_IF_ERROR(Put(value, 0));
    Op('.');
    return std::move(out_);
  }

 private:
  // ---------------------------------------------------------------- what is shared

  static void EachChild(const Value& value, std::vector<const Value*>& out) {
    for (const Value* child : {value.callable, value.arguments, value.keywords, value.state}) {
      if (child) out.push_back(child);
    }
    out.insert(out.end(), value.items.begin(), value.items.end());
    out.insert(out.end(), value.entries.begin(), value.entries.end());
  }

  void CountUses(const Value& root) {
    std::vector<const Value*> rest = {&root};
    while (!rest.empty()) {
      const Value* value = rest.back();
      rest.pop_back();
      if (++uses_[value] == 1) EachChild(*value, rest);
    }
  }

  // Constants are shorter than the look-up of them.
  bool IsShared(const Value& value) const {
    bool constant = value.kind == Kind::kNone || value.kind == Kind::kBool || value.kind == Kind::kInt ||
                    value.kind == Kind::kFloat;
    return !constant && uses_.at(&value) > 1;
  }

  // ---------------------------------------------------------------- pieces

  void Op(uint8_t opcode) { out_.bytes += static_cast<char>(opcode); }

  template <class T>
  void Number(T value) {
    static_assert(std::endian::native == std::endian::little);
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_.bytes.append(bytes, sizeof(T));
  }

  void Remember(const Value& value) {
    if (!IsShared(value)) return;
    auto slot = static_cast<uint32_t>(memo_.size());
    memo_[&value] = slot;
    if (slot < 256) {
      Op('q');
      Number(static_cast<uint8_t>(slot));
    } else {
      Op('r');
      Number(slot);
    }
  }

  bool Recall(const Value& value) {
    auto it = memo_.find(&value);
    if (it == memo_.end()) return false;
    if (it->second < 256) {
      Op('h');
      Number(static_cast<uint8_t>(it->second));
    } else {
      Op('j');
      Number(it->second);
    }
    return true;
  }

  void Int(int64_t value) {
    if (value >= 0 && value < 256) {
      Op('K');
      Number(static_cast<uint8_t>(value));
    } else if (value >= 0 && value < 65536) {
      Op('M');
      Number(static_cast<uint16_t>(value));
    } else if (value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max()) {
      Op('J');
      Number(static_cast<int32_t>(value));
    } else {
      std::string digits(sizeof(value), '\0');
      std::memcpy(digits.data(), &value, sizeof(value));
      const char sign = value < 0 ? '\xFF' : '\0';
      while (digits.size() > 1 && digits.back() == sign && (digits[digits.size() - 2] < 0) == (value < 0))
        digits.pop_back();
      Long(digits);
    }
  }

  void Long(const std::string& digits) {
    if (digits.size() < 256) {
      Op(0x8A);
      Number(static_cast<uint8_t>(digits.size()));
    } else {
      Op(0x8B);
      Number(static_cast<int32_t>(digits.size()));
    }
    out_.bytes += digits;
  }

  void Text(const std::string& text) {
    Op('X');
    Number(static_cast<uint32_t>(text.size()));
    out_.bytes += text;
  }

  void Global(const std::string& text) {
    size_t blank = text.find(' ');
    Op('c');
    out_.bytes += text.substr(0, blank) + "\n" + text.substr(blank + 1) + "\n";
  }

  Status Bytes(const Value& value) {
    if (protocol_ == Protocol::kTwo) return BytesAsText(value);
    const bool array = value.kind == Kind::kByteArray;
    uint64_t length = value.outside ? static_cast<uint64_t>(value.integer) : value.text.size();
    if (array || length > UINT32_MAX) {
      Op(array ? 0x96 : 0x8E);
      Number(length);
    } else {
      Op('B');
      Number(static_cast<uint32_t>(length));
    }
    if (value.outside)
      out_.holes.push_back({out_.bytes.size(), &value, length});
    else
      out_.bytes += value.text;
    return Status();
  }

  // Protocol 2 has no bytes: Python encodes a text of the same code points as Latin-1.
  Status BytesAsText(const Value& value) {
    if (value.outside) return Status::Invalid("long bytes in a pickle of protocol 2");
    std::string text;
    for (char c : value.text) {
      auto byte = static_cast<uint8_t>(c);
      if (byte < 0x80) {
        text += c;
      } else {
        text += static_cast<char>(0xC0 | byte >> 6);
        text += static_cast<char>(0x80 | (byte & 0x3F));
      }
    }
    if (value.kind == Kind::kByteArray) Global("builtins bytearray");
    Global("_codecs encode");
    Text(text);
    Text("latin1");
    Op(0x86);
    Op('R');
    if (value.kind == Kind::kByteArray) {
      Op(0x85);
      Op('R');
    }
    return Status();
  }

  // ---------------------------------------------------------------- nodes

  Status Put(const Value& value, int depth) {
    if (depth > kDeepest) return Status::Invalid("values are nested too deep");
    if (Recall(value)) return Status();
    switch (value.kind) {
      case Kind::kNone:
        Op('N');
        return Status();
      case Kind::kBool:
        Op(value.integer ? 0x88 : 0x89);
        return Status();
      case Kind::kInt:
        value.outside ? Long(value.text) : Int(value.integer);
        return Status();
      case Kind::kFloat:
        Op('G');
        Number(__builtin_bswap64(std::bit_cast<uint64_t>(value.number)));
        return Status();
      case Kind::kText:
        if (value.outside) return Status::Invalid("a long text");
        Text(value.text);
        break;
      case Kind::kBytes:
      case Kind::kByteArray:
        AOA_RETURN_IF_ERROR(Bytes(value));
        break;
      case Kind::kGlobal:
        Global(value.text);
        break;
      case Kind::kTuple:
        return Tuple(value, depth);
      case Kind::kPersistent:
        AOA_RETURN_IF_ERROR(Put(*value.items[0], depth + 1));
        Op('Q');
        break;
      case Kind::kSet:
      case Kind::kFrozenSet:
        Global(value.kind == Kind::kSet ? "builtins set" : "builtins frozenset");
        Op(']');
        AOA_RETURN_IF_ERROR(Items(value, depth));
        Op(0x85);
        Op('R');
        break;
      case Kind::kList:
        Op(']');
        Remember(value);
        return Items(value, depth);
      case Kind::kDict:
        Op('}');
        Remember(value);
        return Entries(value, depth);
      case Kind::kObject:
        return Object(value, depth);
    }
    Remember(value);
    return Status();
  }

  Status Tuple(const Value& value, int depth) {
    if (!open_.insert(&value).second) return Status::Invalid("a tuple that holds itself");
    size_t size = value.items.size();
    if (size > 3) Op('(');
    for (const Value* item : value.items) AOA_RETURN_IF_ERROR(Put(*item, depth + 1));
    Op(size == 0 ? ')' : size == 1 ? 0x85 : size == 2 ? 0x86 : size == 3 ? 0x87 : 't');
    open_.erase(&value);
    Remember(value);
    return Status();
  }

  Status Items(const Value& value, int depth) {
    for (size_t i = 0; i < value.items.size(); i += kBatch) {
      Op('(');
      for (size_t k = i; k < std::min(value.items.size(), i + kBatch); ++k)
        AOA_RETURN_IF_ERROR(Put(*value.items[k], depth + 1));
      Op('e');
    }
    return Status();
  }

  Status Entries(const Value& value, int depth) {
    for (size_t i = 0; i < value.entries.size(); i += 2 * kBatch) {
      Op('(');
      for (size_t k = i; k < std::min(value.entries.size(), i + 2 * kBatch); ++k)
        AOA_RETURN_IF_ERROR(Put(*value.entries[k], depth + 1));
      Op('u');
    }
    return Status();
  }

  Status Object(const Value& value, int depth) {
    if (value.made == Value::Made::kInstance) Op('(');
    AOA_RETURN_IF_ERROR(Put(*value.callable, depth + 1));
    if (value.made == Value::Made::kInstance) {
      for (const Value* item : value.arguments->items) AOA_RETURN_IF_ERROR(Put(*item, depth + 1));
      Op('o');
    } else {
      AOA_RETURN_IF_ERROR(Put(*value.arguments, depth + 1));
      if (value.keywords) AOA_RETURN_IF_ERROR(Put(*value.keywords, depth + 1));
      Op(value.made == Value::Made::kReduce ? 'R' : value.made == Value::Made::kNew ? 0x81 : 0x92);
    }
    Remember(value);
    AOA_RETURN_IF_ERROR(Items(value, depth));
    AOA_RETURN_IF_ERROR(Entries(value, depth));
    if (!value.state) return Status();
    AOA_RETURN_IF_ERROR(Put(*value.state, depth + 1));
    Op('b');
    return Status();
  }

  Protocol protocol_;
  Written out_;
  std::unordered_map<const Value*, uint32_t> uses_, memo_;
  std::unordered_set<const Value*> open_;  // tuples that are being written
};

}  // namespace

Result<Written> Write(const Value& value, Protocol protocol) { return Writer(protocol).Run(value); }

}  // namespace aoa::formats::pickle
