// The machine: one function for each opcode, found in a table.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "runtime/formats/pickle.h"
#include "runtime/formats/pickle_stack.h"
#include "runtime/formats/pickle_values.h"

namespace aoa::formats::pickle {
namespace {

using Kind = Value::Kind;
using Made = Value::Made;

constexpr size_t kMostNodes = 64 << 20;

// Python 2's names of modules, which its pickles hold.
std::string_view ModernModule(std::string_view module) {
  if (module == "__builtin__") return "builtins";
  if (module == "copy_reg") return "copyreg";
  return module;
}

class Machine : private ValueMachine {
 public:
  Machine(const Stream& stream, Tree& tree) : ValueMachine(stream, tree) {}

  Result<Parsed> Run() {
    while (!result_) {
      opcode_at_ = in_.at();
      Status status = Step();
      if (status.ok() && tree_.size() > kMostNodes) status = Status::Invalid("too many values");
      if (!status.ok()) return std::move(status).WithContext(fmt::format("byte {}", opcode_at_));
    }
    return Parsed{result_, in_.at()};
  }

 private:
  using Opcode = Status (Machine::*)();
  static constexpr std::array<Opcode, 256> Opcodes();

  Status Step();

  // ---------------------------------------------------------------- the stack

  Status Mark() {
    stack_.Mark();
    return Status();
  }

  Status Pop() {
    if (stack_.AtMark()) return stack_.DropMark(), Status();
    AOA_RETURN_IF_ERROR(stack_.Need(1));
    stack_.Take();
    return Status();
  }

  Status PopMark() {
    std::vector<const Value*> ignored;
    return stack_.TakeMark(ignored);
  }

  Status Duplicate() {
    AOA_RETURN_IF_ERROR(stack_.Need(1));
    return Push(&stack_.Top());
  }

  Status Stop() {
    if (stack_.size() != 1 || stack_.marks() != 0)
      return Status::Invalid(
          fmt::format("STOP with {} values and {} marks on the stack", stack_.size(), stack_.marks()));
    result_ = &stack_.Top();
    return Status();
  }

  Status Protocol() {
    uint8_t version = 0;
    AOA_RETURN_IF_ERROR(in_.Number(version));
    return version <= 5 ? Status() : Status::Invalid(fmt::format("protocol {} is not known", version));
  }

  // Says how many bytes follow, for readers that buffer; here it is only held against the bytes that are left.
  Status Frame() {
    uint64_t length = 0;
    AOA_RETURN_IF_ERROR(in_.Number(length));
    if (length <= in_.left()) return Status();
    return Status::Invalid(fmt::format("a frame of {} bytes, {} are left", length, in_.left()));
  }

  // ---------------------------------------------------------------- the memo

  Status Remember(uint32_t place) {
    AOA_RETURN_IF_ERROR(stack_.Need(1));
    memo_.Put(place, &stack_.Top());
    return Status();
  }

  Status Recall(uint32_t place) {
    AOA_ASSIGN_OR_RETURN(Value * value, memo_.Get(place));
    return Push(value);
  }

  template <class T>
  Status Put() {
    T place = 0;
    AOA_RETURN_IF_ERROR(in_.Number(place));
    return Remember(place);
  }

  template <class T>
  Status Get() {
    T place = 0;
    AOA_RETURN_IF_ERROR(in_.Number(place));
    return Recall(place);
  }

  Status Memoize() { return Remember(memo_.next()); }

  Status PutLine() {
    uint32_t place = 0;
    AOA_RETURN_IF_ERROR(NumberLine(place));
    return Remember(place);
  }

  Status GetLine() {
    uint32_t place = 0;
    AOA_RETURN_IF_ERROR(NumberLine(place));
    return Recall(place);
  }

  // ---------------------------------------------------------------- containers

  template <Kind kKind>
  Status Empty() {
    return Push(tree_.New(kKind));
  }

  template <size_t kCount>
  Status Tuple() {
    AOA_RETURN_IF_ERROR(stack_.Need(kCount));
    Value* out = tree_.New(Kind::kTuple);
    stack_.Take(kCount, out->items);
    return Push(out);
  }

  // All above the mark.
  template <Kind kKind>
  Status Collect() {
    Value* out = tree_.New(kKind);
    AOA_RETURN_IF_ERROR(stack_.TakeMark(kKind == Kind::kDict ? out->entries : out->items));
    if (out->entries.size() % 2) return Status::Invalid("a key without a value");
    return Push(out);
  }

  Status AddItems(const std::vector<const Value*>& items) {
    AOA_RETURN_IF_ERROR(stack_.Need(1));
    Value& into = stack_.Top();
    if (!into.Is(Kind::kList) && !into.Is(Kind::kSet) && !into.Is(Kind::kObject))
      return Status::Invalid("something is appended to what is no list");
    into.items.insert(into.items.end(), items.begin(), items.end());
    return Status();
  }

  Status AddEntries(const std::vector<const Value*>& entries) {
    AOA_RETURN_IF_ERROR(stack_.Need(1));
    Value& into = stack_.Top();
    if (!into.Is(Kind::kDict) && !into.Is(Kind::kObject))
      return Status::Invalid("an item is set in what is no dictionary");
    if (entries.size() % 2) return Status::Invalid("a key without a value");
    into.entries.insert(into.entries.end(), entries.begin(), entries.end());
    return Status();
  }

  Status Append() {
    AOA_RETURN_IF_ERROR(stack_.Need(2));
    std::vector<const Value*> item;
    stack_.Take(1, item);
    return AddItems(item);
  }

  Status AppendMany() {
    std::vector<const Value*> items;
    AOA_RETURN_IF_ERROR(stack_.TakeMark(items));
    return AddItems(items);
  }

  Status SetItem() {
    AOA_RETURN_IF_ERROR(stack_.Need(3));
    std::vector<const Value*> entry;
    stack_.Take(2, entry);
    return AddEntries(entry);
  }

  Status SetMany() {
    std::vector<const Value*> entries;
    AOA_RETURN_IF_ERROR(stack_.TakeMark(entries));
    return AddEntries(entries);
  }

  // ---------------------------------------------------------------- objects

  Value* NewGlobal(std::string_view module, std::string_view name) {
    Value* out = tree_.New(Kind::kGlobal);
    out->text = fmt::format("{} {}", ModernModule(module), name);
    return out;
  }

  Result<Value*> GlobalOfLines() {
    std::string module;
    AOA_RETURN_IF_ERROR(in_.Line(module));
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    return NewGlobal(module, line_);
  }

  Status Global() {
    AOA_ASSIGN_OR_RETURN(Value * global, GlobalOfLines());
    return Push(global);
  }

  Status StackGlobal() {
    AOA_RETURN_IF_ERROR(stack_.Need(2));
    const Value* name = stack_.Take();
    const Value* module = stack_.Take();
    if (!name->Is(Kind::kText) || !module->Is(Kind::kText) || name->outside || module->outside)
      return Status::Invalid("a global whose name is no text");
    // No name of Python's holds a line break, and the other opcode for globals ends names by one.
    if ((module->text + name->text).find('\n') != std::string::npos)
      return Status::Invalid("a global whose name holds a line break");
    return Push(NewGlobal(module->text, name->text));
  }

  Status PushObject(Made made, const Value* callable, const Value* arguments, const Value* keywords) {
    if (!arguments->Is(Kind::kTuple)) return Status::Invalid("a call whose arguments are no tuple");
    Value* out = tree_.New(Kind::kObject);
    out->made = made;
    out->callable = callable;
    out->arguments = arguments;
    out->keywords = keywords;
    out->offset = opcode_at_;
    return Push(out);
  }

  template <Made kMade>
  Status Make() {
    AOA_RETURN_IF_ERROR(stack_.Need(kMade == Made::kNewKeywords ? 3 : 2));
    const Value* keywords = kMade == Made::kNewKeywords ? stack_.Take() : nullptr;
    const Value* arguments = stack_.Take();
    const Value* callable = stack_.Take();
    return PushObject(kMade, callable, arguments, keywords);
  }

  Status Instance() {
    AOA_ASSIGN_OR_RETURN(Value * callable, GlobalOfLines());
    Value* arguments = tree_.New(Kind::kTuple);
    AOA_RETURN_IF_ERROR(stack_.TakeMark(arguments->items));
    return PushObject(Made::kInstance, callable, arguments, nullptr);
  }

  Status InstanceOnStack() {
    Value* arguments = tree_.New(Kind::kTuple);
    AOA_RETURN_IF_ERROR(stack_.TakeMark(arguments->items));
    if (arguments->items.empty()) return Status::Invalid("an instance without a class");
    const Value* callable = arguments->items.front();
    arguments->items.erase(arguments->items.begin());
    return PushObject(Made::kInstance, callable, arguments, nullptr);
  }

  Status Build() {
    AOA_RETURN_IF_ERROR(stack_.Need(2));
    const Value* state = stack_.Take();
    if (!stack_.Top().Is(Kind::kObject)) return Status::Invalid("a state for what is no object");
    stack_.Top().state = state;
    return Status();
  }

  Status PushPersistent(const Value* id) {
    Value* out = tree_.New(Kind::kPersistent);
    out->offset = opcode_at_;
    out->items.push_back(id);
    return Push(out);
  }

  Status Persistent() {
    AOA_RETURN_IF_ERROR(stack_.Need(1));
    return PushPersistent(stack_.Take());
  }

  Status PersistentLine() {
    AOA_RETURN_IF_ERROR(in_.Line(line_));
    return PushPersistent(tree_.Text(line_));
  }

  Memo memo_;
  const Value* result_ = nullptr;
};

constexpr std::array<Machine::Opcode, 256> Machine::Opcodes() {
  using M = Machine;
  constexpr std::pair<uint8_t, Opcode> kKnown[] = {
      {0x80, &M::Protocol},
      {0x95, &M::Frame},
      {'.', &M::Stop},
      {'(', &M::Mark},
      {'0', &M::Pop},
      {'1', &M::PopMark},
      {'2', &M::Duplicate},
      {'q', &M::Put<uint8_t>},
      {'r', &M::Put<uint32_t>},
      {'p', &M::PutLine},
      {0x94, &M::Memoize},
      {'h', &M::Get<uint8_t>},
      {'j', &M::Get<uint32_t>},
      {'g', &M::GetLine},
      {'N', &M::Constant<Kind::kNone, 0>},
      {0x88, &M::Constant<Kind::kBool, 1>},
      {0x89, &M::Constant<Kind::kBool, 0>},
      {'J', &M::FixedInt<int32_t>},
      {'K', &M::FixedInt<uint8_t>},
      {'M', &M::FixedInt<uint16_t>},
      {0x8A, &M::LongInt<uint8_t>},
      {0x8B, &M::LongInt<int32_t>},
      {'I', &M::IntLine},
      {'L', &M::LongLine},
      {'G', &M::Float},
      {'F', &M::FloatLine},
      {'X', &M::Text<Kind::kText, uint32_t>},
      {0x8C, &M::Text<Kind::kText, uint8_t>},
      {0x8D, &M::Text<Kind::kText, uint64_t>},
      {'V', &M::UnicodeLine},
      {'T', &M::OldString<int32_t>},
      {'U', &M::OldString<uint8_t>},
      {'S', &M::StringLine},
      {'B', &M::Text<Kind::kBytes, uint32_t>},
      {'C', &M::Text<Kind::kBytes, uint8_t>},
      {0x8E, &M::Text<Kind::kBytes, uint64_t>},
      {0x96, &M::Text<Kind::kByteArray, uint64_t>},
      {']', &M::Empty<Kind::kList>},
      {'}', &M::Empty<Kind::kDict>},
      {')', &M::Empty<Kind::kTuple>},
      {0x8F, &M::Empty<Kind::kSet>},
      {'l', &M::Collect<Kind::kList>},
      {'d', &M::Collect<Kind::kDict>},
      {'t', &M::Collect<Kind::kTuple>},
      {0x91, &M::Collect<Kind::kFrozenSet>},
      {0x85, &M::Tuple<1>},
      {0x86, &M::Tuple<2>},
      {0x87, &M::Tuple<3>},
      {'a', &M::Append},
      {'e', &M::AppendMany},
      {0x90, &M::AppendMany},
      {'s', &M::SetItem},
      {'u', &M::SetMany},
      {'c', &M::Global},
      {0x93, &M::StackGlobal},
      {'R', &M::Make<Made::kReduce>},
      {0x81, &M::Make<Made::kNew>},
      {0x92, &M::Make<Made::kNewKeywords>},
      {'b', &M::Build},
      {'i', &M::Instance},
      {'o', &M::InstanceOnStack},
      {'Q', &M::Persistent},
      {'P', &M::PersistentLine},
  };
  std::array<Opcode, 256> out{};
  for (auto [code, opcode] : kKnown) out[code] = opcode;
  return out;
}

Status Machine::Step() {
  static constexpr auto kOpcodes = Opcodes();
  if (in_.left() == 0) return Status::Invalid("the pickle ends without STOP");
  uint8_t code = 0;
  AOA_RETURN_IF_ERROR(in_.Number(code));
  if (!kOpcodes[code]) return Status::Invalid(fmt::format("opcode 0x{:02X} stands in no checkpoint's pickle", code));
  return (this->*kOpcodes[code])();
}

}  // namespace

Result<Parsed> Read(const Stream& stream, Tree& tree) { return Machine(stream, tree).Run(); }

}  // namespace aoa::formats::pickle
