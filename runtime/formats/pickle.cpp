#include "runtime/formats/pickle.h"

#include <algorithm>
#include <utility>

namespace aoa::formats::pickle {

using Kind = Value::Kind;

const Value* Value::Find(std::string_view key) const {
  // The last one counts, as in Python.
  for (size_t i = entries.size(); i >= 2; i -= 2) {
    if (entries[i - 2]->IsText(key)) return entries[i - 1];
  }
  return nullptr;
}

std::optional<int64_t> Value::AsInt() const {
  if ((kind != Kind::kInt && kind != Kind::kBool) || outside) return std::nullopt;
  return integer;
}

const Value* Tree::Bool(bool value) {
  Value* out = New(Kind::kBool);
  out->integer = value;
  return out;
}

const Value* Tree::Int(int64_t value) {
  Value* out = New(Kind::kInt);
  out->integer = value;
  return out;
}

const Value* Tree::Float(double value) {
  Value* out = New(Kind::kFloat);
  out->number = value;
  return out;
}

const Value* Tree::Text(std::string_view text) {
  Value* out = New(Kind::kText);
  out->text = text;
  return out;
}

const Value* Tree::Global(std::string_view name) {
  Value* out = New(Kind::kGlobal);
  out->text = name;
  return out;
}

const Value* Tree::Tuple(std::vector<const Value*> items) {
  Value* out = New(Kind::kTuple);
  out->items = std::move(items);
  return out;
}

const Value* Tree::List(std::vector<const Value*> items) {
  Value* out = New(Kind::kList);
  out->items = std::move(items);
  return out;
}

void Tree::Set(Value* dict, std::string_view key, const Value* value) {
  dict->entries.push_back(Text(key));
  dict->entries.push_back(value);
}

Value* Tree::Call(std::string_view callable, std::vector<const Value*> arguments) {
  Value* out = New(Kind::kObject);
  out->callable = Global(callable);
  out->arguments = Tuple(std::move(arguments));
  return out;
}

const Value* Tree::Persistent(const Value* id) {
  Value* out = New(Kind::kPersistent);
  out->items.push_back(id);
  return out;
}

}  // namespace aoa::formats::pickle
