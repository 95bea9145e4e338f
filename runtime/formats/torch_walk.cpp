#include "runtime/formats/torch_walk.h"

namespace aoa::formats {

using pickle::Value;
using Kind = Value::Kind;

std::string PathPart(const Value& key) {
  if (key.kind == Kind::kText && !key.outside) return key.text;
  if (key.kind == Kind::kInt && !key.outside) return std::to_string(key.integer);
  return "";
}

bool HoldsAttributes(const Value& value) {
  return value.IsMadeBy("argparse Namespace") || value.IsMadeBy("types SimpleNamespace");
}

std::vector<std::pair<std::string, const Value*>> MembersOf(const Value& value) {
  std::vector<std::pair<std::string, const Value*>> out;
  auto add_entries = [&](const Value& from) {
    for (size_t i = 0; i + 1 < from.entries.size(); i += 2)
      out.emplace_back(PathPart(*from.entries[i]), from.entries[i + 1]);
  };
  auto add_items = [&](const Value& from) {
    for (size_t i = 0; i < from.items.size(); ++i) out.emplace_back(std::to_string(i), from.items[i]);
  };
  switch (value.kind) {
    case Kind::kDict:
      add_entries(value);
      break;
    case Kind::kList:
    case Kind::kTuple:
      add_items(value);
      break;
    case Kind::kObject:
      add_entries(value);
      add_items(value);
      if (HoldsAttributes(value) && value.state && value.state->kind == Kind::kDict) add_entries(*value.state);
      break;
    default:
      break;
  }
  return out;
}

const Value* FindPath(const Value& value, std::initializer_list<std::string_view> keys) {
  const Value* at = &value;
  for (std::string_view key : keys) {
    if (!at) return nullptr;
    at = HoldsAttributes(*at) && at->state ? at->state->Find(key) : at->Find(key);
  }
  return at;
}

const Value* FindNumber(const Value& dict, int64_t key) {
  for (size_t i = dict.entries.size(); i >= 2; i -= 2) {
    if (dict.entries[i - 2]->Is(Kind::kInt) && dict.entries[i - 2]->AsInt() == key) return dict.entries[i - 1];
  }
  return nullptr;
}

std::optional<int64_t> NumberIn(const Value* value) {
  if (!value) return std::nullopt;
  if (value->Is(Kind::kObject) && value->arguments && value->arguments->items.size() == 1)
    return value->arguments->items[0]->AsInt();
  return value->AsInt();
}

}  // namespace aoa::formats
