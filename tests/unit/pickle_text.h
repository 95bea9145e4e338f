// Pickles made and shown by tests.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>

#include "compiler/core/text.h"
#include "runtime/formats/pickle.h"
#include "tests/unit/scratch.h"

namespace aoa::testing {

// A pickle as Python would print it, objects as CALLABLE(ARGUMENTS){STATE}. A container within itself is "...".
class PickleText {
 public:
  std::string Show(const formats::pickle::Value& value) {
    using Kind = formats::pickle::Value::Kind;
    switch (value.kind) {
      case Kind::kNone:
        return "None";
      case Kind::kBool:
        return value.integer ? "True" : "False";
      case Kind::kInt:
        return value.outside ? fmt::format("int of {} bytes", value.text.size()) : std::to_string(value.integer);
      case Kind::kFloat:
        return fmt::format("{}", value.number);
      case Kind::kText:
        return "'" + Short(value) + "'";
      case Kind::kBytes:
        return "b'" + Short(value) + "'";
      case Kind::kByteArray:
        return "bytearray('" + Short(value) + "')";
      case Kind::kGlobal:
        return value.text;
      case Kind::kPersistent:
        return "persistent " + Show(*value.items[0]);
      default:
        return Container(value);
    }
  }

 private:
  using Value = formats::pickle::Value;

  static std::string Short(const Value& value) {
    if (value.outside) return fmt::format("{} bytes at {}", value.integer, value.offset);
    return Printable(value.text);
  }

  std::string Items(const std::vector<const Value*>& items) {
    std::string out;
    for (const Value* item : items) out += (out.empty() ? "" : ", ") + Show(*item);
    return out;
  }

  std::string Entries(const std::vector<const Value*>& entries) {
    std::string out;
    for (size_t i = 0; i + 1 < entries.size(); i += 2)
      out += (out.empty() ? "" : ", ") + Show(*entries[i]) + ": " + Show(*entries[i + 1]);
    return out;
  }

  std::string Container(const Value& value) {
    using Kind = Value::Kind;
    if (open_[&value]) return "...";
    open_[&value] = true;
    std::string out = value.Is(Kind::kTuple)       ? "(" + Items(value.items) + ")"
                      : value.Is(Kind::kList)      ? "[" + Items(value.items) + "]"
                      : value.Is(Kind::kDict)      ? "{" + Entries(value.entries) + "}"
                      : value.Is(Kind::kSet)       ? "{" + Items(value.items) + "}"
                      : value.Is(Kind::kFrozenSet) ? "frozenset(" + Items(value.items) + ")"
                                                   : Object(value);
    open_[&value] = false;
    return out;
  }

  std::string Object(const Value& value) {
    std::string out = Show(*value.callable) + "(" + Items(value.arguments->items) + ")";
    if (value.keywords) out += " with " + Show(*value.keywords);
    if (!value.items.empty()) out += "[" + Items(value.items) + "]";
    if (!value.entries.empty()) out += "{" + Entries(value.entries) + "}";
    if (value.state) out += " state " + Show(*value.state);
    return out;
  }

  std::map<const Value*, bool> open_;
};

// A pickle of these bytes in a file, read.
struct ReadPickle {
  explicit ReadPickle(std::string_view bytes) : file(scratch.Write("pickle", bytes)) {
    auto opened = io::File::OpenForReading(file);
    EXPECT_TRUE(opened.ok());
    auto parsed = formats::pickle::Read({&*opened, 0, bytes.size()}, tree);
    status = parsed.status();
    if (parsed.ok()) value = parsed->value;
  }
  std::string text() const { return value ? PickleText().Show(*value) : status.message(); }

  Scratch scratch;
  std::string file;
  formats::pickle::Tree tree;
  const formats::pickle::Value* value = nullptr;
  Status status;
};

inline std::string TextOf(std::string_view bytes) { return ReadPickle(bytes).text(); }

}  // namespace aoa::testing
