// The machine: a stack, marks on it, and a memo. Every length is held against the bytes that are left before anything
// is made of it; numbers of the memo are keys of a map.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "runtime/formats/pickle.h"
#include "runtime/formats/quote.h"

namespace aoa::formats::pickle {
namespace {

using Kind = Value::Kind;

constexpr size_t kWindow = 256 << 10;
constexpr size_t kLongestLine = 64 << 10;
constexpr size_t kMostNodes = 64 << 20;
constexpr uint64_t kLongestNumber = 4096;  // bytes of an integer

// Bytes of a file from front to back, through a window.
class ByteReader {
 public:
  explicit ByteReader(const Stream& stream) : file_(*stream.file), at_(stream.begin), end_(stream.end) {}

  uint64_t at() const { return at_; }
  uint64_t left() const { return end_ - at_; }

  Status Byte(uint8_t& out) { return Copy(&out, 1); }

  template <class T>
  Status Number(T& out) {
    static_assert(std::endian::native == std::endian::little);
    return Copy(&out, sizeof(T));
  }

  Status Text(uint64_t length, std::string& out) {
    if (length > left()) return TooShort(length);
    out.resize(static_cast<size_t>(length));
    return Copy(out.data(), out.size());
  }

  Status Skip(uint64_t length) {
    if (length > left()) return TooShort(length);
    at_ += length;
    return Status();
  }

  // Up to a line feed, which is taken and left out.
  Status Line(std::string& out) {
    out.clear();
    for (;;) {
      uint8_t c = 0;
      AOA_RETURN_IF_ERROR(Byte(c));
      if (c == '\n') return Status();
      if (out.size() == kLongestLine) return Status::Invalid("a line of too many bytes");
      out += static_cast<char>(c);
    }
  }

 private:
  Status TooShort(uint64_t length) const {
    return Status::Invalid(fmt::format("{} bytes are announced, {} are left", length, left()));
  }

  Status Copy(void* out, size_t length) {
    if (length > left()) return TooShort(length);
    if (at_ < window_at_ || at_ + length > window_at_ + window_.size()) {
      window_at_ = at_;
      window_.resize(static_cast<size_t>(std::min<uint64_t>(left(), std::max(kWindow, length))));
      AOA_RETURN_IF_ERROR(file_.ReadAt(window_at_, std::as_writable_bytes(std::span(window_))));
    }
    std::memcpy(out, window_.data() + (at_ - window_at_), length);
    at_ += length;
    return Status();
  }

  const io::File& file_;
  uint64_t at_, end_;
  uint64_t window_at_ = 0;
  std::string window_;
};

bool IsUtf8WithSurrogates(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto c = static_cast<uint8_t>(text[i]);
    size_t more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 9;
    if (more == 9 || i + more >= text.size() + (more == 0)) return false;
    for (size_t k = 1; k <= more; ++k) {
      if ((static_cast<uint8_t>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    auto second = more ? static_cast<uint8_t>(text[i + 1]) : 0;
    if ((c == 0xE0 && second < 0xA0) || (c == 0xF0 && second < 0x90) || (c == 0xF4 && second > 0x8F)) return false;
    i += more + 1;
  }
  return true;
}

void AppendUtf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

// Python 2's names of modules, which its pickles hold.
std::string_view ModernModule(std::string_view module) {
  if (module == "__builtin__") return "builtins";
  if (module == "copy_reg") return "copyreg";
  return module;
}

class Machine {
 public:
  Machine(const Stream& stream, Tree& tree) : in_(stream), tree_(tree) {}

  Result<Parsed> Run() {
    for (;;) {
      opcode_at_ = in_.at();
      Status status = Step();
      if (!status.ok()) return std::move(status).WithContext(fmt::format("byte {}", opcode_at_));
      if (result_) return Parsed{result_, in_.at()};
      if (tree_.size() > kMostNodes) return Status::Invalid(fmt::format("byte {}: too many values", opcode_at_));
    }
  }

 private:
  Status Step() {
    uint8_t opcode = 0;
    if (in_.left() == 0) return Status::Invalid("the pickle ends without STOP");
    AOA_RETURN_IF_ERROR(in_.Byte(opcode));
    switch (opcode) {
      case 0x80:
        return Protocol();
      case 0x95:
        return Frame();
      case '(':
        marks_.push_back(stack_.size());
        return Status();
      case '.':
        return Stop();
      case '0':
        return Pop();
      case '1':
        return PopMark();
      case '2':
        return Duplicate();
      case 'N':
        return Push(Shared(none_, Kind::kNone, 0));
      case 0x88:
        return Push(Shared(true_, Kind::kBool, 1));
      case 0x89:
        return Push(Shared(false_, Kind::kBool, 0));
      case 'J':
        return FixedInt<int32_t>();
      case 'K':
        return FixedInt<uint8_t>();
      case 'M':
        return FixedInt<uint16_t>();
      case 0x8A:
        return LongInt<uint8_t>();
      case 0x8B:
        return LongInt<int32_t>();
      case 'I':
        return IntLine();
      case 'L':
        return LongLine();
      case 'G':
        return Float();
      case 'F':
        return FloatLine();
      case 'X':
        return Text<uint32_t>(Kind::kText);
      case 0x8C:
        return Text<uint8_t>(Kind::kText);
      case 0x8D:
        return Text<uint64_t>(Kind::kText);
      case 'V':
        return UnicodeLine();
      case 'T':
        return Text<int32_t>(Kind::kBytes, true);
      case 'U':
        return Text<uint8_t>(Kind::kBytes, true);
      case 'S':
        return StringLine();
      case 'B':
        return Text<uint32_t>(Kind::kBytes);
      case 'C':
        return Text<uint8_t>(Kind::kBytes);
      case 0x8E:
        return Text<uint64_t>(Kind::kBytes);
      case 0x96:
        return Text<uint64_t>(Kind::kByteArray);
      case ']':
        return Push(tree_.New(Kind::kList));
      case '}':
        return Push(tree_.New(Kind::kDict));
      case ')':
        return Push(tree_.New(Kind::kTuple));
      case 0x8F:
        return Push(tree_.New(Kind::kSet));
      case 'a':
        return Append(1);
      case 'e':
        return AppendMark();
      case 0x90:
        return AppendMark();
      case 's':
        return SetItem();
      case 'u':
        return SetItems();
      case 'l':
        return Collect(Kind::kList);
      case 'd':
        return Collect(Kind::kDict);
      case 't':
        return Collect(Kind::kTuple);
      case 0x91:
        return Collect(Kind::kFrozenSet);
      case 0x85:
        return Tuple(1);
      case 0x86:
        return Tuple(2);
      case 0x87:
        return Tuple(3);
      case 'q':
        return Put<uint8_t>();
      case 'r':
        return Put<uint32_t>();
      case 'p':
        return PutLine();
      case 0x94:
        return Remember(static_cast<uint32_t>(memo_.size()));
      case 'h':
        return Get<uint8_t>();
      case 'j':
        return Get<uint32_t>();
      case 'g':
        return GetLine();
      case 'c':
        return GlobalLines();
      case 0x93:
        return StackGlobal();
      case 'R':
        return Make(Value::Made::kReduce);
      case 0x81:
        return Make(Value::Made::kNew);
      case 0x92:
        return MakeWithKeywords();
      case 'b':
        return Build();
      case 'i':
        return Instance();
      case 'o':
        return InstanceOnStack();
      case 'Q':
        return Persistent();
      case 'P':
        return PersistentLine();
      default:
        return Status::Invalid(fmt::format("opcode 0x{:02X} stands in no checkpoint's pickle", opcode));
    }
  }

  // ---------------------------------------------------------------- the stack

  Status Push(Value* value) {
    stack_.push_back(value);
    return Status();
  }

  // Values above the last mark.
  size_t Depth() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  Status Need(size_t count) const {
    return Depth() >= count ? Status()
                            : Status::Invalid(fmt::format("the stack holds {} of {} values", Depth(), count));
  }

  Value* Take() {
    Value* top = stack_.back();
    stack_.pop_back();
    return top;
  }

  Status TakeMark(std::vector<const Value*>& out) {
    if (marks_.empty()) return Status::Invalid("there is no mark on the stack");
    out.assign(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return Status();
  }

  Status Pop() {
    if (Depth() == 0 && !marks_.empty()) return marks_.pop_back(), Status();
    AOA_RETURN_IF_ERROR(Need(1));
    Take();
    return Status();
  }

  Status PopMark() {
    std::vector<const Value*> ignored;
    return TakeMark(ignored);
  }

  Status Duplicate() {
    AOA_RETURN_IF_ERROR(Need(1));
    return Push(stack_.back());
  }

  Status Stop() {
    if (stack_.size() != 1 || !marks_.empty())
      return Status::Invalid(
          fmt::format("STOP with {} values and {} marks on the stack", stack_.size(), marks_.size()));
    result_ = stack_.back();
    return Status();
  }

  Status Protocol() {
    uint8_t version = 0;
    AOA_RETURN_IF_ERROR(in_.Byte(version));
    return version <= 5 ? Status() : Status::Invalid(fmt::format("protocol {} is not known", version));
  }

  Status Frame() {
    uint64_t length = 0;
    AOA_RETURN_IF_ERROR(in_.Number(length));
    if (length <= in_.left()) return Status();
    return Status::Invalid(fmt::format("a frame of {} bytes, {} are left", length, in_.left()));
  }

  // ---------------------------------------------------------------- constants

  Value* Shared(Value*& node, Kind kind, int64_t integer) {
    if (!node) {
      node = tree_.New(kind);
      node->integer = integer;
    }
    return node;
  }

  Status PushInt(int64_t value) {
    constexpr int64_t kSmall = 256;
    if (value >= 0 && value < kSmall) {
      if (small_.empty()) small_.resize(kSmall);
      return Push(Shared(small_[static_cast<size_t>(value)], Kind::kInt, value));
    }
    Value* out = tree_.New(Kind::kInt);
    out->integer = value;
    return Push(out);
  }

  template <class T>
  Status FixedInt() {
    T value = 0;
    AOA_RETURN_IF_ERROR(in_.Number(value));
    return PushInt(value);
  }

  template <class T>
  Status LongInt() {
    T length = 0;
    AOA_RETURN_IF_ERROR(in_.Number(length));
    if (static_cast<int64_t>(length) < 0) return Status::Invalid("a negative length");
    if (static_cast<uint64_t>(length) > kLongestNumber) return Status::Invalid("an integer of too many bytes");
    std::string digits;
    AOA_RETURN_IF_ERROR(in_.Text(static_cast<uint64_t>(length), digits));
    return PushLong(std::move(digits));
  }

  // Little-endian two's complement.
  Status PushLong(std::string digits) {
    bool negative = !digits.empty() && digits.back() < 0;
    size_t size = digits.size();
    const char sign = negative ? '\xFF' : '\0';
    while (size > 8 && digits[size - 1] == sign && (digits[size - 2] < 0) == negative) --size;
    if (size > 8) {
      Value* out = tree_.New(Kind::kInt);
      out->outside = true;
      out->text = std::move(digits);
      return Push(out);
    }
    uint64_t bits = negative ? ~uint64_t{0} : 0;
    std::memcpy(&bits, digits.data(), size);
    return PushInt(static_cast<int64_t>(bits));
  }

  Status IntLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    if (line_ == "00") return Push(Shared(false_, Kind::kBool, 0));
    if (line_ == "01") return Push(Shared(true_, Kind::kBool, 1));
    return DecimalLine();
  }

  Status LongLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    if (line_.ends_with('L')) line_.pop_back();
    return DecimalLine();
  }

  Status DecimalLine() {
    char* end = nullptr;
    errno = 0;
    long long value = std::strtoll(line_.c_str(), &end, 10);
    if (line_.empty() || *end || errno)
      return Status::Invalid(fmt::format("{} is no integer of 64 bits", Quote(line_)));
    return PushInt(value);
  }

  Status PushFloat(double value) {
    Value* out = tree_.New(Kind::kFloat);
    out->number = value;
    return Push(out);
  }

  Status Float() {
    uint64_t bits = 0;
    AOA_RETURN_IF_ERROR(in_.Number(bits));
    return PushFloat(std::bit_cast<double>(__builtin_bswap64(bits)));
  }

  Status FloatLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    char* end = nullptr;
    double value = std::strtod(line_.c_str(), &end);
    if (line_.empty() || *end) return Status::Invalid(fmt::format("{} is no number", Quote(line_)));
    return PushFloat(value);
  }

  // Texts and bytes with a length in front. Strings of Python 2 (`legacy`) are texts where they are ASCII.
  template <class Length>
  Status Text(Kind kind, bool legacy = false) {
    Length announced = 0;
    AOA_RETURN_IF_ERROR(in_.Number(announced));
    if constexpr (std::is_signed_v<Length>) {
      if (announced < 0) return Status::Invalid(fmt::format("a negative length, {}", announced));
    }
    auto length = static_cast<uint64_t>(announced);
    Value* out = tree_.New(kind);
    out->offset = in_.at();
    out->integer = static_cast<int64_t>(std::min<uint64_t>(length, INT64_MAX));
    if (length > kLongestInside) {
      out->outside = true;
      AOA_RETURN_IF_ERROR(in_.Skip(length));
      return Push(out);
    }
    AOA_RETURN_IF_ERROR(in_.Text(length, out->text));
    if (kind == Kind::kText && !IsUtf8WithSurrogates(out->text))
      return Status::Invalid(fmt::format("the text {} is not UTF-8", Quote(out->text)));
    bool ascii = std::all_of(out->text.begin(), out->text.end(), [](char c) { return c >= 0; });
    if (legacy && ascii) out->kind = Kind::kText;
    return Push(out);
  }

  Status PushText(std::string text) {
    Value* out = tree_.New(Kind::kText);
    out->text = std::move(text);
    return Push(out);
  }

  // Characters are Latin-1, or \uXXXX and \UXXXXXXXX.
  Status UnicodeLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    std::string out;
    for (size_t i = 0; i < line_.size();) {
      size_t digits = line_[i] != '\\' || i + 1 >= line_.size() ? 0
                      : line_[i + 1] == 'u'                     ? 4
                      : line_[i + 1] == 'U'                     ? 8
                                                                : 0;
      if (digits == 0) {
        AppendUtf8(out, static_cast<uint8_t>(line_[i++]));
        continue;
      }
      std::string number = line_.substr(i + 2, digits);
      char* end = nullptr;
      unsigned long c = std::strtoul(number.c_str(), &end, 16);
      if (number.size() != digits || *end || c > 0x10FFFF) return Status::Invalid("a broken escape in a text");
      AppendUtf8(out, static_cast<uint32_t>(c));
      i += 2 + digits;
    }
    return PushText(std::move(out));
  }

  // A quoted string of Python 2 without escapes other than the plainest.
  Status StringLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    bool quoted = line_.size() >= 2 && (line_[0] == '\'' || line_[0] == '"') && line_.back() == line_[0];
    if (!quoted) return Status::Invalid("a string without quotes");
    std::string out;
    for (size_t i = 1; i + 1 < line_.size(); ++i) {
      if (line_[i] != '\\') {
        out += line_[i];
        continue;
      }
      char c = line_[++i];
      if (c == '\\' || c == '\'' || c == '"')
        out += c;
      else if (c == 'n' || c == 't' || c == 'r')
        out += c == 'n' ? '\n' : c == 't' ? '\t' : '\r';
      else
        return Status::Invalid(
            fmt::format("an escape {} in a string", Quote(std::string_view(line_).substr(i - 1, 2))));
    }
    return PushText(std::move(out));
  }

  // ---------------------------------------------------------------- containers

  static bool Holds(const Value& value) {
    return value.kind == Kind::kList || value.kind == Kind::kSet || value.kind == Kind::kObject;
  }

  Status Append(size_t count) {
    AOA_RETURN_IF_ERROR(Need(count + 1));
    const Value* item = Take();
    if (!Holds(*stack_.back())) return Status::Invalid("something is appended to what is no list");
    stack_.back()->items.push_back(item);
    return Status();
  }

  Status AppendMark() {
    std::vector<const Value*> items;
    AOA_RETURN_IF_ERROR(TakeMark(items));
    AOA_RETURN_IF_ERROR(Need(1));
    if (!Holds(*stack_.back())) return Status::Invalid("something is appended to what is no list");
    auto& into = stack_.back()->items;
    into.insert(into.end(), items.begin(), items.end());
    return Status();
  }

  Status AddEntries(const std::vector<const Value*>& entries) {
    AOA_RETURN_IF_ERROR(Need(1));
    Value& into = *stack_.back();
    if (into.kind != Kind::kDict && into.kind != Kind::kObject)
      return Status::Invalid("an item is set in what is no dictionary");
    if (entries.size() % 2) return Status::Invalid("a key without a value");
    into.entries.insert(into.entries.end(), entries.begin(), entries.end());
    return Status();
  }

  Status SetItem() {
    AOA_RETURN_IF_ERROR(Need(3));
    const Value* value = Take();
    const Value* key = Take();
    return AddEntries({key, value});
  }

  Status SetItems() {
    std::vector<const Value*> entries;
    AOA_RETURN_IF_ERROR(TakeMark(entries));
    return AddEntries(entries);
  }

  Status Collect(Kind kind) {
    Value* out = tree_.New(kind);
    AOA_RETURN_IF_ERROR(TakeMark(kind == Kind::kDict ? out->entries : out->items));
    if (out->entries.size() % 2) return Status::Invalid("a key without a value");
    return Push(out);
  }

  Status Tuple(size_t count) {
    AOA_RETURN_IF_ERROR(Need(count));
    Value* out = tree_.New(Kind::kTuple);
    out->items.assign(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return Push(out);
  }

  // ---------------------------------------------------------------- the memo

  Status Remember(uint32_t slot) {
    AOA_RETURN_IF_ERROR(Need(1));
    memo_[slot] = stack_.back();
    return Status();
  }

  template <class T>
  Status Put() {
    T slot = 0;
    AOA_RETURN_IF_ERROR(in_.Number(slot));
    return Remember(slot);
  }

  Status Recall(uint32_t slot) {
    auto it = memo_.find(slot);
    if (it == memo_.end()) return Status::Invalid(fmt::format("nothing was put into place {} of the memo", slot));
    return Push(it->second);
  }

  template <class T>
  Status Get() {
    T slot = 0;
    AOA_RETURN_IF_ERROR(in_.Number(slot));
    return Recall(slot);
  }

  Status SlotLine(uint32_t& slot) {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    char* end = nullptr;
    unsigned long long value = std::strtoull(line_.c_str(), &end, 10);
    if (line_.empty() || *end || value > UINT32_MAX)
      return Status::Invalid(fmt::format("{} is no place of the memo", Quote(line_)));
    slot = static_cast<uint32_t>(value);
    return Status();
  }

  Status PutLine() {
    uint32_t slot = 0;
    AOA_RETURN_IF_ERROR(SlotLine(slot));
    return Remember(slot);
  }

  Status GetLine() {
    uint32_t slot = 0;
    AOA_RETURN_IF_ERROR(SlotLine(slot));
    return Recall(slot);
  }

  // ---------------------------------------------------------------- objects

  Status PushGlobal(std::string_view module, std::string_view name) {
    Value* out = tree_.New(Kind::kGlobal);
    out->text = fmt::format("{} {}", ModernModule(module), name);
    return Push(out);
  }

  Status GlobalLines() {
    std::string module;
    AOA_RETURN_IF_ERROR(in_.Line(module));
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    return PushGlobal(module, line_);
  }

  Status StackGlobal() {
    AOA_RETURN_IF_ERROR(Need(2));
    const Value* name = Take();
    const Value* module = Take();
    if (name->kind != Kind::kText || module->kind != Kind::kText || name->outside || module->outside)
      return Status::Invalid("a global whose name is no text");
    return PushGlobal(module->text, name->text);
  }

  Status PushObject(Value::Made made, const Value* callable, const Value* arguments, const Value* keywords) {
    if (arguments->kind != Kind::kTuple) return Status::Invalid("a call whose arguments are no tuple");
    Value* out = tree_.New(Kind::kObject);
    out->made = made;
    out->callable = callable;
    out->arguments = arguments;
    out->keywords = keywords;
    out->offset = opcode_at_;
    return Push(out);
  }

  Status Make(Value::Made made) {
    AOA_RETURN_IF_ERROR(Need(2));
    const Value* arguments = Take();
    const Value* callable = Take();
    return PushObject(made, callable, arguments, nullptr);
  }

  Status MakeWithKeywords() {
    AOA_RETURN_IF_ERROR(Need(3));
    const Value* keywords = Take();
    const Value* arguments = Take();
    const Value* callable = Take();
    return PushObject(Value::Made::kNewKeywords, callable, arguments, keywords);
  }

  Status Instance() {
    std::string module;
    AOA_RETURN_IF_ERROR(in_.Line(module));
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    Value* arguments = tree_.New(Kind::kTuple);
    AOA_RETURN_IF_ERROR(TakeMark(arguments->items));
    AOA_RETURN_IF_ERROR(PushGlobal(module, line_));
    const Value* callable = Take();
    return PushObject(Value::Made::kInstance, callable, arguments, nullptr);
  }

  Status InstanceOnStack() {
    std::vector<const Value*> items;
    AOA_RETURN_IF_ERROR(TakeMark(items));
    if (items.empty()) return Status::Invalid("an instance without a class");
    Value* arguments = tree_.New(Kind::kTuple);
    arguments->items.assign(items.begin() + 1, items.end());
    return PushObject(Value::Made::kInstance, items[0], arguments, nullptr);
  }

  Status Build() {
    AOA_RETURN_IF_ERROR(Need(2));
    const Value* state = Take();
    if (stack_.back()->kind != Kind::kObject) return Status::Invalid("a state for what is no object");
    stack_.back()->state = state;
    return Status();
  }

  Status PushPersistent(const Value* id) {
    Value* out = tree_.New(Kind::kPersistent);
    out->offset = opcode_at_;
    out->items.push_back(id);
    return Push(out);
  }

  Status Persistent() {
    AOA_RETURN_IF_ERROR(Need(1));
    return PushPersistent(Take());
  }

  Status PersistentLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    return PushPersistent(tree_.Text(line_));
  }

  ByteReader in_;
  Tree& tree_;
  uint64_t opcode_at_ = 0;
  std::vector<Value*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Value*> memo_;
  std::string line_;
  const Value* result_ = nullptr;
  Value *none_ = nullptr, *true_ = nullptr, *false_ = nullptr;
  std::vector<Value*> small_;  // integers that everybody shares
};

}  // namespace

Result<Parsed> Read(const Stream& stream, Tree& tree) { return Machine(stream, tree).Run(); }

}  // namespace aoa::formats::pickle
